import type { Call } from "./call.js";

// Who waits behind whom: no call passes one of another key that is short of a limit from which both take.

/**
 * Has a call wait behind one of another key, until that one has another answer, is passed or is gone.
 *
 * INVARIANT: nobody waits behind a call that is not the first of its line. It would have to wait for those before it, and one of them
 * could come to wait behind somebody who waits for it.
 */
export function hold(call: Call, before: Call): void {
  call.heldBy = before;
  call.askAt = Number.POSITIVE_INFINITY;
  before.holds ??= new Set();
  before.holds.add(call);
}

/**
 * The call at the end of the chain of those it waits behind; itself where it waits behind none. A head that waits behind that one
 * closes no circle.
 */
export function holderOf(call: Call): Call {
  let holder = call;
  while (holder.heldBy) holder = holder.heldBy;
  return holder;
}

/**
 * The limit for which a call makes others wait, if any: the one that it is short of, or that the call it waits behind is short of.
 * While the gate is asked about that call, none if every call takes the same from the limit: no other has room where it has none.
 */
export function shortBy(call: Call): string | undefined {
  const { state, refusal, short } = holderOf(call);
  if (state !== "asking") return short;
  const meter = refusal?.limit?.meter;
  return meter === "requests" || meter === "inFlight" ? undefined : short;
}

/** Takes a call out of those that wait behind another one, which may go on waiting for long. */
export function unhold(call: Call): void {
  call.heldBy?.holds?.delete(call);
}

/** Releases the calls of other keys that wait behind a call, to be asked about. Returns whether there were any. */
export function letGo(call: Call): boolean {
  const { holds } = call;
  call.holds = undefined;
  for (const held of holds ?? []) {
    held.heldBy = undefined;
    held.askAt = Number.NEGATIVE_INFINITY;
  }
  return holds !== undefined;
}
