import type { Charge, Reading } from "../admission/charge.js";
import { type Count, createCount, type Part } from "../admission/count.js";
import { type Limit, sameCount } from "../admission/limit.js";
import { emptyAfter } from "../admission/sliding-count.js";
import type {
  Amount,
  Counters,
  NotOpen,
  ReadQuery,
  ReserveOutcome,
  ReserveRequest,
  SettleOutcome,
  SettleRequest,
} from "./counters.js";
import { RecentIds } from "./recent-ids.js";
import { ScopeCounts } from "./scope-counts.js";

type Idempotency = NonNullable<ReserveRequest["idempotency"]>;

/** One reservation from its reserve to its settle. */
interface OpenReservation {
  readonly reservedAt: number;
  readonly expiresAt: number;
  readonly idempotency: Idempotency | undefined;
  /** The counts that were charged at `reservedAt`, in the order of the charges. */
  readonly counts: readonly Count[];
  /** Everything charged so far, extensions included. */
  charges: readonly Charge[];
  /** The extensions, latest last; what is not in them was charged at `reservedAt`. */
  extensions: { readonly part: Part; readonly charges: readonly Charge[] }[] | undefined;
}

/** Counters in the memory of this process: the embedded default. A restart forgets them. */
export function memoryCounters(): MemoryCounters {
  return new MemoryCounters();
}

export class MemoryCounters implements Counters {
  readonly inProcess = true;
  readonly #counts = new ScopeCounts();
  readonly #open = new Map<string, OpenReservation>();
  readonly #idByKey = new Map<string, string>();
  readonly #closed = new RecentIds<NotOpen>();
  #now = Number.NEGATIVE_INFINITY;
  /** Before this moment no reservation has outlived its TTL. */
  #nextExpiry = Number.POSITIVE_INFINITY;

  async reserve(request: ReserveRequest): Promise<ReserveOutcome> {
    const now = this.#clamp(request.now);
    this.#expire(now);
    const { charges, id, idempotency } = request;
    if (request.extend) return this.#extend(request, now);
    const replayed = idempotency && this.#replay(idempotency, request.now, now);
    if (replayed) return replayed;

    const room = this.#roomFor(charges, now);
    if (room === "none") return this.#refuse(charges, request.now);
    const shadow = room === "in shadow only" ? this.#read(charges, request.now) : undefined;

    const expiresAt = now + request.ttlMs;
    if (request.dryRun) {
      const times = { reservedAt: now, expiresAt };
      return { outcome: "reserved", id, ...times, charges, ...this.#foresee(charges, request.now), shadow };
    }
    const { counts, used, resetMs } = this.#add(charges, { at: now, expiresAt }, request.now);
    this.#open.set(id, { reservedAt: now, expiresAt, idempotency, counts, charges, extensions: undefined });
    if (expiresAt < this.#nextExpiry) this.#nextExpiry = expiresAt;
    if (idempotency) this.#idByKey.set(idempotency.key, id);
    return { outcome: "reserved", id, reservedAt: now, expiresAt, charges, used, resetMs, shadow };
  }

  async settle({ id, now: callerNow, amounts }: SettleRequest): Promise<SettleOutcome> {
    const now = this.#clamp(callerNow);
    this.#expire(now);
    const open = this.#openAt(id, now);
    if (open === undefined) return { outcome: this.#closed.get(id) ?? "unknown_reservation" };
    this.#close(id, open, "already_settled");

    const used: number[] = [];
    const original = { at: open.reservedAt, expiresAt: open.expiresAt };
    for (let i = 0; i < amounts.length; i++) {
      const amount = amounts[i] as Amount; // sound: i is below the length
      const { limit, period } = amount;
      let delta = amount.amount - reservedFor(open.charges, limit, i);
      const held = open.charges[i]?.limit === limit && delta <= 0 ? open.counts[i] : undefined;
      // A count may have been forgotten since it was charged. A refund is nothing to it then; a surcharge needs one that is kept.
      const count = held ?? this.#counts.obtain(limit, now);
      if (open.extensions) delta = giveBack(count, open.extensions, amount, i, delta, now);
      used.push(count.correct(delta, original, now, period));
    }
    return { outcome: "settled", used };
  }

  async read({ now, charges }: ReadQuery): Promise<Reading[]> {
    return this.#read(charges, now);
  }

  async close(): Promise<void> {}

  /** How many reservations are kept open; one whose TTL has passed goes with the next call. For tests and diagnosis. */
  get openReservations(): number {
    return this.#open.size;
  }

  /** Everything that is counted, as plain data. For tests and diagnosis. */
  dump(): Record<string, Record<string, readonly (number | null)[]>> {
    return this.#counts.dump();
  }

  /** Time never runs backwards for a count. */
  #clamp(now: number): number {
    if (now > this.#now) this.#now = now;
    return this.#now;
  }

  #extend({ id, charges, now: callerNow }: ReserveRequest, now: number): ReserveOutcome {
    const open = this.#openAt(id, now);
    if (open === undefined) return { outcome: this.#closed.get(id) ?? "unknown_reservation" };
    if (this.#roomFor(charges, now) === "none") return this.#refuse(charges, callerNow);
    const part = { at: now, expiresAt: open.expiresAt };
    const { used, resetMs } = this.#add(charges, part, callerNow);
    open.extensions = [...(open.extensions ?? []), { part, charges }];
    open.charges = sum(open.charges, charges);
    return { outcome: "reserved", id, ...timesOf(open), charges: open.charges, used, resetMs };
  }

  #replay({ key, fingerprint }: Idempotency, callerNow: number, now: number): ReserveOutcome | undefined {
    const id = this.#idByKey.get(key);
    const open = id === undefined ? undefined : this.#openAt(id, now);
    if (id === undefined || open === undefined) return undefined;
    if (open.idempotency?.fingerprint !== fingerprint) return { outcome: "conflict" };
    const readings = this.#read(open.charges, callerNow);
    const counted = {
      used: readings.map(({ used }) => used),
      resetMs: readings.map(({ resetMs }) => resetMs),
    };
    return { outcome: "replayed", id, ...timesOf(open), charges: open.charges, ...counted };
  }

  #refuse(charges: readonly Charge[], callerNow: number): ReserveOutcome {
    return { outcome: "refused", readings: this.#read(charges, callerNow) };
  }

  /** Whether the limits have room. An amount of zero always has: a spent budget stops no free model. */
  #roomFor(charges: readonly Charge[], now: number): "all" | "in shadow only" | "none" {
    let room: "all" | "in shadow only" = "all";
    for (const { limit, amount, period } of charges) {
      if (amount === 0 || (this.#counts.find(limit)?.used(now, period) ?? 0) + amount <= limit.max) continue;
      if (limit.mode === "enforce") return "none";
      room = "in shadow only";
    }
    return room;
  }

  #add(charges: readonly Charge[], part: Part, callerNow: number): Counted & { counts: Count[] } {
    const counts: Count[] = [];
    const used: number[] = [];
    const resetMs: number[] = [];
    for (const { limit, amount, period } of charges) {
      const count = this.#counts.obtain(limit, part.at);
      counts.push(count);
      used.push(count.add(amount, part, period));
      resetMs.push(Math.max(0, count.emptyAt(part.at, period) - callerNow));
    }
    return { counts, used, resetMs };
  }

  /** What {@link #add} would come to. */
  #foresee(charges: readonly Charge[], callerNow: number): Counted {
    const readings = this.#read(charges, callerNow);
    const now = Math.max(this.#now, callerNow);
    const used = charges.map(({ amount }, i) => (readings[i]?.used ?? 0) + amount);
    const resetMs = charges.map(({ limit: { window }, amount }, i) => {
      if (window.kind === "sliding" && amount > 0) return emptyAfter(window.lengthMs, now) - callerNow;
      return readings[i]?.resetMs ?? 0;
    });
    return { used, resetMs };
  }

  /** Waits are told from the caller's own clock: that is the one it will watch. */
  #read(charges: readonly Charge[], callerNow: number): Reading[] {
    const now = Math.max(this.#now, callerNow);
    return charges.map((charge) => {
      const count = this.#counts.find(charge.limit) ?? createCount(charge.limit);
      const resetMs = Math.max(0, count.emptyAt(now, charge.period) - callerNow);
      return { used: count.used(now, charge.period), waitMs: waitMs(charge, count, now, callerNow), resetMs };
    });
  }

  /** The reservation, unless it is closed or has outlived its TTL. */
  #openAt(id: string, now: number): OpenReservation | undefined {
    const open = this.#open.get(id);
    if (open === undefined || open.expiresAt > now) return open;
    this.#close(id, open, "expired");
    return undefined;
  }

  #close(id: string, { idempotency }: OpenReservation, how: NotOpen): void {
    this.#open.delete(id);
    if (idempotency) this.#idByKey.delete(idempotency.key);
    this.#closed.set(id, how);
  }

  /** Closes what has outlived its TTL. What it charged stays charged; its slots free themselves. */
  #expire(now: number): void {
    // Not by looking at the first of the map: behind many that were settled, finding it takes long.
    if (now < this.#nextExpiry) return;
    this.#nextExpiry = Number.POSITIVE_INFINITY;
    for (const [id, open] of this.#open) {
      if (open.expiresAt > now) {
        this.#nextExpiry = open.expiresAt;
        break; // in order of expiry where all have the same TTL; others wait their turn
      }
      this.#close(id, open, "expired");
    }
  }
}

interface Counted {
  readonly used: readonly number[];
  readonly resetMs: readonly number[];
}

function timesOf({ reservedAt, expiresAt }: OpenReservation) {
  return { reservedAt, expiresAt };
}

function waitMs(charge: Charge, count: Count, now: number, callerNow: number): number {
  if (charge.amount === 0) return 0;
  const fitsAt = count.fitsAt(charge, now);
  if (fitsAt === Number.NEGATIVE_INFINITY) return 0;
  // A period that has ended, of a call that goes on after it, gets no room any more.
  return fitsAt > callerNow ? fitsAt - callerNow : Number.POSITIVE_INFINITY;
}

/**
 * Gives back what was charged last first, so that each part of a reservation keeps min(estimate, actual) of its own
 * moment. Returns what of `delta` is left to correct.
 */
function giveBack(
  count: Count,
  extensions: NonNullable<OpenReservation["extensions"]>,
  { limit, period }: Amount,
  hint: number,
  delta: number,
  now: number,
): number {
  let left = delta;
  for (const { part, charges } of extensions.toReversed()) {
    if (left >= 0) break;
    const back = Math.max(left, -reservedFor(charges, limit, hint));
    count.correct(back, part, now, period);
    left -= back;
  }
  return left;
}

/** What stands reserved against a limit; `hint` is where it most likely is. */
function reservedFor(charges: readonly Charge[], limit: Limit, hint: number): number {
  const hinted = charges[hint];
  if (hinted?.limit === limit) return hinted.amount;
  return charges.find((charge) => sameCount(charge.limit, limit))?.amount ?? 0;
}

/** The charges with what was added to them. */
function sum(charges: readonly Charge[], added: readonly Charge[]): Charge[] {
  const summed = charges.map((charge) => {
    const more = added.find(({ limit }) => sameCount(limit, charge.limit));
    return more ? { ...charge, amount: charge.amount + more.amount } : charge;
  });
  const fresh = added.filter(({ limit }) => !charges.some((charge) => sameCount(charge.limit, limit)));
  return [...summed, ...fresh];
}
