import type { LimitReading } from "../admission/limit-reading.js";
import type { Told } from "./told.js";

/** The form that a profile gives to decisions. */
export interface Form {
  readonly contentType: string;
  /** The body of an error. */
  body(told: Told): Readonly<Record<string, unknown>>;
  /**
   * The header fields that say how much is left. Made of numbers, names of ours and encoded text alone, so that no id and
   * no model name can end a line.
   *
   * @param named the limit that a refusal names
   */
  limitHeaders(
    limits: readonly LimitReading[],
    named: LimitReading | undefined,
    now: number,
  ): Record<string, string>;
}
