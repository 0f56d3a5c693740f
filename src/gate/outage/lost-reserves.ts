import type { Counters, ReserveOutcome, ReserveRequest, SettleRequest } from "../../counters/counters.js";
import { RecentIds } from "../../counters/recent-ids.js";
import { isMistake } from "./guarded-counters.js";

/**
 * More than one process has under way for one org when a connection breaks. In a longer outage, reserves that fail
 * after those hardly ever reached the store.
 */
const OF_ONE_ORG_MAX = 256;

/** For all orgs together: a few megabytes. */
const ALL_MAX = 4_096;

/** How many settles are sent at once, since counters that have just come back are busy. */
const AT_A_TIME = 16;

/**
 * Reserves that failed without an answer, as when a connection breaks, or that were answered after the time-out. The
 * counters may have charged them. Their calls were refused or counted elsewhere, so they are undone as soon as the
 * counters answer for their org again. Undoing one that was never made changes nothing.
 *
 * A request id makes an exception. When the client sends its request again, the counters may answer with the very
 * reservation that is to be undone here. It then belongs to that call and is left alone. While such a try is under way,
 * the undoing waits for its answer. A try that begins during the undoing waits for that: it might overtake it.
 */
export class LostReserves {
  /** By org: in a cluster, the node of one org may come back later than those of others. */
  readonly #byOrg = new Map<string, ReserveRequest[]>();
  #size = 0;
  /** How many reserves are under way, by idempotency key. */
  readonly #tries = new Map<string, number>();
  /** What is being undone, by idempotency key. */
  readonly #undoing = new Map<string, Promise<unknown>>();
  /** The ids of reservations with which another try of their request was answered. They are never undone. */
  readonly #found = new RecentIds<string, true>();

  /**
   * Notes a reserve that has failed, unless the error means that nothing was done. One beyond the bounds is not noted,
   * and keeps its charge.
   */
  note(request: ReserveRequest, error: unknown): void {
    const kept = this.#byOrg.get(request.orgId) ?? [];
    if (isMistake(error) || kept.includes(request) || kept.length >= OF_ONE_ORG_MAX || this.#size >= ALL_MAX)
      return;
    this.#keep(request);
  }

  /**
   * Runs a reserve. While it is under way, no reservation of its request id is undone, and the one that it is answered
   * with never is.
   */
  async during(
    { orgId, idempotency, dryRun }: ReserveRequest,
    ask: () => Promise<ReserveOutcome>,
  ): Promise<ReserveOutcome> {
    if (idempotency === undefined || dryRun) return ask();
    const { key } = idempotency;
    this.#tries.set(key, (this.#tries.get(key) ?? 0) + 1);
    try {
      const undoing = this.#undoing.get(key);
      if (undoing !== undefined) await undoing;
      const answer = await ask();
      if (answer.outcome === "replayed") this.#leave(orgId, answer.id);
      return answer;
    } finally {
      const left = (this.#tries.get(key) ?? 0) - 1;
      if (left > 0) this.#tries.set(key, left);
      else this.#tries.delete(key);
    }
  }

  /** Undoes a reserve that was answered after the time-out, and whatever else is noted of its org. Never rejects. */
  undoLate(counters: Pick<Counters, "settle">, request: ReserveRequest, now: number): Promise<void> {
    this.#keep(request);
    return this.undo(counters, request.orgId, now);
  }

  /** Undoes what is noted of an org. If that fails, the rest is kept for the next time. Never rejects. */
  async undo(counters: Pick<Counters, "settle">, orgId: string, now: number): Promise<void> {
    let left = this.#byOrg.get(orgId);
    if (left === undefined) return;
    this.#take(orgId);
    try {
      for (; left.length > 0; left = left.slice(AT_A_TIME)) {
        await Promise.all(left.slice(0, AT_A_TIME).map((request) => this.#undo(counters, request, now)));
      }
    } catch (error) {
      for (const request of left) this.note(request, error);
    }
  }

  async #undo(counters: Pick<Counters, "settle">, request: ReserveRequest, now: number): Promise<void> {
    const { id, idempotency } = request;
    if (this.#found.get(id)) return;
    if (idempotency && this.#tries.has(idempotency.key)) {
      this.#keep(request);
      return;
    }
    const undoing = counters.settle(undoOf(request, now));
    if (idempotency) this.#noteUndoing(idempotency.key, undoing);
    await undoing;
  }

  /** Lets tries of a request wait until a reservation of it is undone, or could not be. */
  #noteUndoing(key: string, undoing: Promise<unknown>): void {
    const all = Promise.allSettled([this.#undoing.get(key), undoing]).then(() => {
      if (this.#undoing.get(key) === all) this.#undoing.delete(key);
    });
    this.#undoing.set(key, all);
  }

  /** From now on the reservation is not undone, even if it is noted only later. */
  #leave(orgId: string, id: string): void {
    this.#found.add(id, true);
    const kept = this.#byOrg.get(orgId);
    if (kept === undefined) return;
    this.#take(orgId);
    for (const request of kept) if (request.id !== id) this.#keep(request);
  }

  #keep(request: ReserveRequest): void {
    this.#byOrg.set(request.orgId, [...(this.#byOrg.get(request.orgId) ?? []), request]);
    this.#size++;
  }

  #take(orgId: string): void {
    this.#size -= this.#byOrg.get(orgId)?.length ?? 0;
    this.#byOrg.delete(orgId);
  }
}

/** The settle that gives back everything a reserve has charged. */
export function undoOf(
  { id, orgId, charges }: Pick<ReserveRequest, "id" | "orgId" | "charges">,
  now: number,
): SettleRequest {
  return { id, orgId, now, amounts: charges.map((charge) => ({ ...charge, amount: 0 })) };
}
