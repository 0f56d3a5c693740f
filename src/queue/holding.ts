import { NOW } from "./alarm.js";
import type { Call } from "./call.js";

// Who waits behind whom: no call overtakes one of another key that is short of a limit from which both take.

/**
 * Makes a call wait behind one of another key, until that one has another answer, waits itself behind another, is
 * overtaken or is gone.
 *
 * INVARIANT: nobody waits behind a call that is not the first of its line. That call waits for those before it, and one
 * of them could come to wait behind somebody who waits for it.
 */
export function hold(call: Call, before: Call): void {
  call.heldBy = before;
  call.askAt = Number.POSITIVE_INFINITY;
  before.holds ??= new Set();
  before.holds.add(call);
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

/** Releases a call from waiting behind another one, which may go on waiting for long. */
export function unhold(call: Call): void {
  call.heldBy?.holds?.delete(call);
}

/**
 * Releases the calls of other keys that wait behind a call, so that the gate is asked about them.
 *
 * @returns whether there were any
 */
export function letGo(call: Call): boolean {
  const { holds } = call;
  call.holds = undefined;
  for (const held of holds ?? []) {
    held.heldBy = undefined;
    held.askAt = NOW;
  }
  return holds !== undefined;
}
