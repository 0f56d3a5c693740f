import type { Counters, ReserveRequest, SettleRequest } from "../counters/counters.js";
import { isMistake } from "./guarded-counters.js";

/** More than a process has under way for one org when a connection breaks. What comes after those in an outage was hardly ever sent. */
const OF_ONE_ORG_MAX = 256;

/** Of all orgs together: a few megabytes. */
const ALL_MAX = 4_096;

/** Settles at a time: counters that have just come back have enough to do. */
const AT_A_TIME = 16;

/**
 * Reserves that failed without an answer, as when a connection breaks: counters may have made them or not. Their calls were
 * refused or counted elsewhere, so they are undone once the counters answer for their org again. Where one was never made, or is
 * done only later by a client that kept it, that changes nothing.
 */
export class LostReserves {
  /** By org, as those of one may lie on a node of a cluster that stays away for longer than others. */
  readonly #byOrg = new Map<string, ReserveRequest[]>();
  #size = 0;

  /** Notes a reserve that has failed, unless nothing was done for a mistake of the caller. Beyond the bounds it keeps its charge. */
  note(request: ReserveRequest, error: unknown): void {
    const kept = this.#byOrg.get(request.orgId) ?? [];
    if (isMistake(error) || kept.length >= OF_ONE_ORG_MAX || this.#size >= ALL_MAX) return;
    this.#keep(request);
  }

  /** For one that another try has found under its request id: it is that one's now. */
  forget(orgId: string, id: string): void {
    const kept = this.#byOrg.get(orgId);
    if (kept === undefined) return;
    this.#take(orgId);
    for (const request of kept) if (request.id !== id) this.#keep(request);
  }

  /** Undoes those of an org. Where that fails, what is left is kept for the next time. Never rejects. */
  async undo(counters: Pick<Counters, "settle">, orgId: string, now: number): Promise<void> {
    let left = this.#byOrg.get(orgId);
    if (left === undefined) return;
    this.#take(orgId);
    try {
      for (; left.length > 0; left = left.slice(AT_A_TIME)) {
        await Promise.all(left.slice(0, AT_A_TIME).map((request) => counters.settle(undoOf(request, now))));
      }
    } catch (error) {
      for (const request of left) this.note(request, error);
    }
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
