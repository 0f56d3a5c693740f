import { CalendarCount } from "./calendar-count.js";
import type { Count } from "./count.js";
import { InFlightCount } from "./in-flight-count.js";
import { LifetimeCount } from "./lifetime-count.js";
import type { Limit, Window } from "./limit.js";
import type { Period } from "./period.js";
import { SlidingCount, SUB_BUCKETS } from "./sliding-count.js";

/** A count as plain data that says by itself what it is: the kind and length of its window, and its `dump`. */
export type SavedCount = readonly [kind: Window["kind"], lengthMs: number, dump: readonly (number | null)[]];

/** What {@link restoreCount} needs to make the count again. */
export function saveCount({ window }: Limit, count: Count): SavedCount {
  return [window.kind, window.kind === "sliding" ? window.lengthMs : 0, count.dump()];
}

/** The count that was saved: it answers every question as that one did, and forgets what that one had given up. */
export function restoreCount(field: string, [kind, lengthMs, dump]: SavedCount): Count {
  switch (kind) {
    case "sliding": {
      const count = new SlidingCount(field, lengthMs);
      // Behind the total, which follows from them: each bucket and its amount, oldest first.
      for (let i = 1; i < dump.length; i += 2) {
        const at = number(dump[i]) * (lengthMs / SUB_BUCKETS);
        count.add(number(dump[i + 1]), { at, expiresAt: at });
      }
      return count;
    }
    case "calendar": {
      const count = new CalendarCount(field);
      const [index, used, previousIndex, previousUsed, endsAt] = dump;
      if (previousIndex != null) addIn(periodOf(previousIndex), number(previousUsed), count);
      if (index != null) addIn(periodOf(index, number(endsAt)), number(used), count);
      return count;
    }
    case "lifetime": {
      const count = new LifetimeCount(field);
      count.add(number(dump[0]));
      return count;
    }
    case "inFlight": {
      const count = new InFlightCount(field);
      for (const expiresAt of dump) count.add(1, { ...NO_PART, expiresAt: number(expiresAt) });
      return count;
    }
  }
}

/** Before every moment: nothing is given up at it. */
const NO_PART = { at: Number.NEGATIVE_INFINITY, expiresAt: Number.NEGATIVE_INFINITY };

function addIn(period: Period, amount: number, count: Count): void {
  count.add(amount, NO_PART, period);
}

/** A period as counts keep it: by its index, and until when it matters. */
function periodOf(index: number, endsAt = Number.NEGATIVE_INFINITY): Period {
  return { index, startsAt: Number.NEGATIVE_INFINITY, endsAt };
}

function number(value: number | null | undefined): number {
  if (typeof value !== "number") throw new Error("a saved count holds a number here");
  return value;
}
