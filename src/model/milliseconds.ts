import { wholeNumber } from "./validation.js";

/** The longest that a timer of the runtime can wait, nearly 25 days; above it, it ends at once. */
export const MS_MAX = 2 ** 31 - 1;

/** How long to wait for something, as an option says it. */
export const msSchema = wholeNumber(1, MS_MAX, "a whole number of milliseconds");
