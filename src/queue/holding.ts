import { NOW } from "./alarm.js";
import type { Call } from "./call.js";
import type { Lines } from "./lines.js";

/**
 * Who waits behind whom: no call overtakes one of another key that is short of a limit from which both take.
 *
 * INVARIANT: nobody waits behind a call that is not the first of its line. That call waits for those before it, and one
 * of them could come to wait behind somebody who waits for it.
 */
export class Holding {
  readonly #lines: Lines;
  readonly #onFreed: () => void;

  /** @param onFreed called when there are calls to ask about that were held until now */
  constructor(lines: Lines, onFreed: () => void) {
    this.#lines = lines;
    this.#onFreed = onFreed;
  }

  /** The first waiting call of a line before that of this call which is short of a limit that this call would charge. */
  firstBefore(call: Call): Call | undefined {
    const { charged = [] } = call;
    const own = this.#lines.of(call);
    for (const line of this.#lines) {
      if (line === own) break;
      const { first } = line;
      const short = first && shortBy(first);
      if (first && short !== undefined && charged.includes(short) && holderOf(first) !== call) return first;
    }
    return undefined;
  }

  /**
   * Makes a call wait behind one of another key, until that one has another answer, waits itself behind another, is
   * overtaken or is gone. Those behind it may take nothing from what that one is short of, so they are let go.
   */
  hold(call: Call, before: Call): void {
    call.heldBy = before;
    call.askAt = Number.POSITIVE_INFINITY;
    before.holds ??= new Set();
    before.holds.add(call);
    this.letGo(call);
  }

  /** Asks about the calls of other keys that wait behind a call. */
  letGo(call: Call): void {
    const { holds } = call;
    if (holds === undefined) return;
    call.holds = undefined;
    for (const held of holds) free(held);
    this.#onFreed();
  }

  /**
   * Asks about the first of the calls that were held behind one that has its slot in flight now. The others wait for
   * that answer: one slot that is freed must not make every key ask.
   */
  handOver(before: Call): void {
    for (const { first } of this.#lines) {
      if (first?.heldBy !== before) continue;
      this.forget(first);
      free(first);
      const others = before.holds ?? [];
      before.holds = undefined;
      for (const other of others) this.hold(other, first);
      this.#onFreed();
      return;
    }
    this.letGo(before);
  }

  /** Takes a call that is gone out of those that wait behind another one, which may go on waiting for long. */
  forget(call: Call): void {
    call.heldBy?.holds?.delete(call);
  }
}

function free(call: Call): void {
  call.heldBy = undefined;
  call.askAt = NOW;
}

/**
 * The call at the end of the chain of those that it waits behind, or the call itself if it waits behind none. A head
 * that waits behind that one closes no circle.
 */
export function holderOf(call: Call): Call {
  let holder = call;
  while (holder.heldBy) holder = holder.heldBy;
  return holder;
}

/**
 * The limit for which a call makes others wait, if any: the one that it is short of, or that the call it waits behind
 * is short of. While the gate is being asked about that call there is none if every call takes the same from the limit.
 */
export function shortBy(call: Call): string | undefined {
  const holder = holderOf(call);
  return holder.state === "asking" && takesLikeAny(holder) ? undefined : holder.short;
}

/** Whether every call takes the same from the limit that a call is short of: no other has room then if it has none. */
export function takesLikeAny({ refusal }: Call): boolean {
  const meter = refusal?.limit?.meter;
  return meter === "requests" || meter === "inFlight";
}
