import type { LimitReading } from "../admission/limit-reading.js";
import type { Told } from "./told.js";

/** How a profile writes decisions as HTTP. */
export interface Form {
  readonly contentType: string;
  /** The body of an error. */
  body(told: Told): Readonly<Record<string, unknown>>;
  /**
   * The header fields that say how much is left. They contain only numbers, our own names and encoded text, so that no
   * id or model name can introduce a line break.
   *
   * @param named the limit that a refusal names
   */
  limitHeaders(
    limits: readonly LimitReading[],
    named: LimitReading | undefined,
    now: number,
  ): Record<string, string>;
}
