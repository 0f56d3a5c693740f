import type { LimitReading } from "../admission/limit-reading.js";
import { MESSAGES } from "../admission/reasons.js";
import type { Refusal } from "../admission/refusal.js";
import { STATUS } from "./status.js";

/** What a client is told when its call does not pass, before a profile gives it a form. */
export interface Told {
  readonly status: number;
  /** A stable code: a refusal's reason, or the code of an error. */
  readonly code: string;
  readonly message: string;
  /** The limit that the refusal names. */
  readonly limit?: LimitReading | undefined;
}

/**
 * What a client is told about a refusal. It is not told why a token does not work: it may have found the token
 * somewhere.
 */
export function toldOf(refusal: Refusal): Told {
  const { reason, message, limit } = refusal;
  const status = STATUS[reason];
  if (status === 401) return UNAUTHENTICATED;
  return { status, code: reason, message, limit };
}

/** What a client is told whose token does not work, whatever is wrong with it. */
export const UNAUTHENTICATED: Told = {
  status: 401,
  code: "invalid_key" satisfies keyof typeof MESSAGES,
  message: MESSAGES.invalid_key,
};
