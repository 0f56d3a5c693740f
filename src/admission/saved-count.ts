import { type Count, createCount } from "./count.js";
import { type Limit, WINDOW_KINDS, type Window } from "./limit.js";
import type { Period } from "./period.js";
import { SUB_BUCKETS } from "./sliding-count.js";

/** A count as plain data that describes itself: the kind and length of its window, and its `dump`. */
export type SavedCount = readonly [kind: Window["kind"], lengthMs: number, dump: readonly (number | null)[]];

/** Saves what {@link restoreCount} needs to rebuild the count. */
export function saveCount({ window }: Limit, count: Count): SavedCount {
  return [window.kind, window.kind === "sliding" ? window.lengthMs : 0, count.dump()];
}

const KINDS: ReadonlySet<string> = new Set(Object.values(WINDOW_KINDS));

/** Whether a saved count is of a kind that is known here. A later version may have saved others. */
export function isKnown([kind]: SavedCount): boolean {
  return KINDS.has(kind);
}

/**
 * Rebuilds a count that was saved. It gives the same answers as that one; what that one had already dropped does not
 * come back.
 */
export function restoreCount([kind, lengthMs, dump]: SavedCount): Count {
  const count = createCount({ kind, lengthMs });
  switch (kind) {
    case "sliding":
      // After the total, which follows from them: each bucket and its amount, oldest first.
      for (let i = 1; i < dump.length; i += 2) {
        const at = number(dump[i]) * (lengthMs / SUB_BUCKETS);
        count.add(number(dump[i + 1]), { at, expiresAt: at });
      }
      break;
    case "calendar": {
      const [index, used, previousIndex, previousUsed, endsAt] = dump;
      if (previousIndex != null) count.add(number(previousUsed), NO_TTL, periodOf(previousIndex));
      if (index != null) count.add(number(used), NO_TTL, periodOf(index, number(endsAt)));
      break;
    }
    case "lifetime":
      count.add(number(dump[0]), NO_PART);
      break;
    case "inFlight":
      for (const expiresAt of dump) count.add(1, { ...NO_PART, expiresAt: number(expiresAt) });
      break;
  }
  return count;
}

/** Before every moment, so that nothing is dropped. */
const NO_PART = { at: Number.NEGATIVE_INFINITY, expiresAt: Number.NEGATIVE_INFINITY };

/** The saved end of a period already includes the TTL. */
const NO_TTL = { at: 0, expiresAt: 0 };

/** A period as counts keep it: its index, and until when it matters. */
function periodOf(index: number, endsAt = Number.NEGATIVE_INFINITY): Period {
  return { index, startsAt: Number.NEGATIVE_INFINITY, endsAt };
}

function number(value: number | null | undefined): number {
  if (typeof value !== "number") throw new Error("a saved count holds a number here");
  return value;
}
