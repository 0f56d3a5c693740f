import type { Counters, ReserveOutcome, ReserveRequest, SettleRequest } from "../../counters/counters.js";
import { RecentIds } from "../../counters/recent-ids.js";
import { isMistake } from "./guarded-counters.js";

/** More than a process has under way for one org when a connection breaks. What comes after those in an outage was hardly ever sent. */
const OF_ONE_ORG_MAX = 256;

/** Of all orgs together: a few megabytes. */
const ALL_MAX = 4_096;

/** Settles at a time: counters that have just come back have enough to do. */
const AT_A_TIME = 16;

/**
 * Reserves that failed without an answer, as when a connection breaks, or were answered too late: counters may have made them or
 * not. Their calls were refused or counted elsewhere, so they are undone once the counters answer for their org again. Where one
 * was never made, or is done only later by a client that kept it, that changes nothing. One that another try of its request id
 * has found is left alone, and one that such a try may be finding waits for the answer to that.
 */
export class LostReserves {
  /** By org, as those of one may lie on a node of a cluster that stays away for longer than others. */
  readonly #byOrg = new Map<string, ReserveRequest[]>();
  #size = 0;
  /** How many tries of a request id are under way, by its key. */
  readonly #tries = new Map<string, number>();
  readonly #found = new RecentIds<string, true>();

  /** Notes a reserve that has failed, unless nothing was done for a mistake of the caller. Beyond the bounds it keeps its charge. */
  note(request: ReserveRequest, error: unknown): void {
    const kept = this.#byOrg.get(request.orgId) ?? [];
    if (isMistake(error) || kept.includes(request) || kept.length >= OF_ONE_ORG_MAX || this.#size >= ALL_MAX)
      return;
    this.#keep(request);
  }

  /** Waits for the answer to a reserve: until then it may be finding one that is to be undone, and one that it has found is its own. */
  async during(
    { orgId, idempotency, dryRun }: ReserveRequest,
    ask: () => Promise<ReserveOutcome>,
  ): Promise<ReserveOutcome> {
    if (idempotency === undefined || dryRun) return ask();
    const { key } = idempotency;
    this.#tries.set(key, (this.#tries.get(key) ?? 0) + 1);
    try {
      const answer = await ask();
      if (answer.outcome === "replayed") this.#leave(orgId, answer.id);
      return answer;
    } finally {
      const left = (this.#tries.get(key) ?? 0) - 1;
      if (left > 0) this.#tries.set(key, left);
      else this.#tries.delete(key);
    }
  }

  /** Undoes one that was answered too late, and with it those of its org. Never rejects. */
  undoLate(counters: Pick<Counters, "settle">, request: ReserveRequest, now: number): Promise<void> {
    this.#keep(request);
    return this.undo(counters, request.orgId, now);
  }

  /** Undoes those of an org. Where that fails, what is left is kept for the next time. Never rejects. */
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
    if (idempotency && this.#tries.has(idempotency.key)) this.#keep(request);
    else await counters.settle(undoOf(request, now));
  }

  /** Also one that is answered, or fails, only after that. */
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

/** The settle that gives back all that a reserve has charged. */
export function undoOf(
  { id, orgId, charges }: Pick<ReserveRequest, "id" | "orgId" | "charges">,
  now: number,
): SettleRequest {
  return { id, orgId, now, amounts: charges.map((charge) => ({ ...charge, amount: 0 })) };
}
