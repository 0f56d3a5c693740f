import type { Limit } from "../../../src/admission/limit.js";
import { limitOf } from "../limits.js";

/** A limit that counts for ever, so that nothing that was charged goes by itself. */
export function creditLimit(max: number): Limit {
  return { ...limitOf({ budget: { usd: 1, reset: "never" } }, "org"), max };
}
