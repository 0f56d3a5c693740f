import type { ReserveOutcome, SettleOutcome } from "../../counters/counters.js";

/** The fields of any outcome, of which nothing is known yet. */
interface Fields {
  readonly outcome?: ReserveOutcome["outcome"] | SettleOutcome["outcome"];
  readonly charges?: unknown;
  readonly used?: unknown;
  readonly resetMs?: unknown;
  readonly readings?: unknown;
  readonly shadow?: unknown;
}

/**
 * Whether something has the form of an answer of counters: an outcome with its lists, or readings. No compiler looks at
 * what counters of somebody's own answer, and the gate would fall over what is missing. The numbers are taken as they are.
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
      outcome satisfies undefined; // none is missing above
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
