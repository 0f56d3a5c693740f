import type { ReserveOutcome, SettleOutcome } from "../../counters/counters.js";

/** The fields of any outcome, none of which is checked yet. */
interface Fields {
  readonly outcome?: ReserveOutcome["outcome"] | SettleOutcome["outcome"];
  readonly charges?: unknown;
  readonly used?: unknown;
  readonly resetMs?: unknown;
  readonly readings?: unknown;
  readonly shadow?: unknown;
}

/**
 * Whether something has the form of an answer of counters: an outcome with its lists, or readings. No compiler checks
 * what somebody's own counters answer, and the gate would fail on what is missing. Numbers are accepted as they are.
 */
export function isAnswer(answer: unknown): boolean {
  if (Array.isArray(answer)) return isListOfObjects(answer);
  const { outcome, charges, used, resetMs, readings, shadow }: Fields = Object(answer);
  switch (outcome) {
    case "reserved":
    case "replayed":
      if (!(isListOfCharges(charges) && Array.isArray(used) && Array.isArray(resetMs))) return false;
      return shadow === undefined || isListOfObjects(shadow);
    case "refused":
      return isListOfObjects(readings);
    case "settled":
      return Array.isArray(used);
    case "conflict":
    case "already_settled":
    case "expired":
    case "unknown_reservation":
      return true;
    default:
      outcome satisfies undefined; // Nothing is missing above.
      return false;
  }
}

function isListOfCharges(value: unknown): boolean {
  return isListOfObjects(value) && value.every((charge) => "limit" in charge && isObject(charge.limit));
}

function isListOfObjects(value: unknown): value is readonly object[] {
  return Array.isArray(value) && value.every(isObject);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
