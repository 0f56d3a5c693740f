import type { Charge, Reading } from "../admission/charge.js";
import { type Count, createCount, type Part } from "../admission/count.js";
import { type Limit, sameCount } from "../admission/limit.js";
import type {
  Counters,
  NotOpen,
  ReadQuery,
  ReserveOutcome,
  ReserveRequest,
  SettleOutcome,
  SettleRequest,
} from "./counters.js";
import { RecentIds } from "./recent-ids.js";

type Idempotency = NonNullable<ReserveRequest["idempotency"]>;

/** One reservation from its reserve to its settle. */
interface OpenReservation {
  readonly reservedAt: number;
  readonly expiresAt: number;
  readonly idempotency: Idempotency | undefined;
  /** Everything charged so far, extensions included. */
  charges: readonly Charge[];
  /** The extensions, latest last; what is not in them was charged at `reservedAt`. */
  extensions: { readonly part: Part; readonly charges: readonly Charge[] }[] | undefined;
}

/** One count of a scope; a scope has few, so they are searched in turn. */
interface ScopeCount {
  readonly field: string;
  readonly count: Count;
}

/** Counters in the memory of this process: the embedded default. A restart forgets them. */
export function memoryCounters(): MemoryCounters {
  return new MemoryCounters();
}

export class MemoryCounters implements Counters {
  readonly inProcess = true;
  readonly #scopes = new Map<string, ScopeCount[]>();
  readonly #open = new Map<string, OpenReservation>();
  readonly #idByKey = new Map<string, string>();
  readonly #closed = new RecentIds<NotOpen>();
  #now = Number.NEGATIVE_INFINITY;
  #sweep = this.#scopes.entries();

  async reserve(request: ReserveRequest): Promise<ReserveOutcome> {
    const now = this.#clamp(request.now);
    this.#expire(now);
    const { charges, id, idempotency } = request;
    if (request.extend) return this.#extend(request, now);
    if (idempotency) {
      const replayed = this.#replay(idempotency, now);
      if (replayed) return replayed;
    }

    if (!this.#fits(charges, "enforce", now)) return this.#refuse(charges, request.now);
    const shadow = this.#fits(charges, "shadow", now) ? undefined : this.#read(charges, request.now);

    const expiresAt = now + request.ttlMs;
    const used = this.#add(charges, { at: now, expiresAt });
    this.#open.set(id, { reservedAt: now, expiresAt, idempotency, charges, extensions: undefined });
    if (idempotency) this.#idByKey.set(idempotency.key, id);
    this.#sweepOne(now);
    return { outcome: "reserved", id, reservedAt: now, expiresAt, charges, used, ...(shadow && { shadow }) };
  }

  async settle({ id, now: callerNow, amounts }: SettleRequest): Promise<SettleOutcome> {
    const now = this.#clamp(callerNow);
    this.#expire(now);
    const open = this.#openAt(id, now);
    if (open === undefined) return { outcome: this.#closed.get(id) ?? "unknown_reservation" };
    this.#close(id, open, "already_settled");

    const used: number[] = [];
    const original = { at: open.reservedAt, expiresAt: open.expiresAt };
    let scope: ScopeCount[] = [];
    let scopeKey: string | undefined;
    for (const [i, { limit, amount, period }] of amounts.entries()) {
      if (limit.scopeKey !== scopeKey) {
        scopeKey = limit.scopeKey;
        scope = this.#scopeFor(scopeKey);
      }
      const count = countFor(scope, limit);
      let delta = amount - reservedFor(open.charges, limit, i);
      for (const { part, charges } of open.extensions?.toReversed() ?? []) {
        // What was charged last is given back first, so that each part keeps min(estimate, actual) of its own moment.
        if (delta >= 0) break;
        const back = Math.max(delta, -reservedFor(charges, limit, i));
        count.correct(back, part, now, period);
        delta -= back;
      }
      if (delta !== 0) count.correct(delta, original, now, period);
      used.push(count.used(now, period));
    }
    return { outcome: "settled", used };
  }

  async read({ now, charges }: ReadQuery): Promise<Reading[]> {
    return this.#read(charges, now);
  }

  async close(): Promise<void> {}

  /** Everything that is counted, as plain data. For tests and diagnosis. */
  dump(): Record<string, Record<string, readonly (number | null)[]>> {
    const dumped: [string, Record<string, readonly (number | null)[]>][] = [];
    for (const [key, counts] of this.#scopes) {
      dumped.push([key, Object.fromEntries(counts.map(({ field, count }) => [field, [...count.dump()]]))]);
    }
    return Object.fromEntries(dumped.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Time never runs backwards for a count. */
  #clamp(now: number): number {
    if (now > this.#now) this.#now = now;
    return this.#now;
  }

  #extend({ id, charges, now: callerNow }: ReserveRequest, now: number): ReserveOutcome {
    const open = this.#openAt(id, now);
    if (open === undefined) return { outcome: this.#closed.get(id) ?? "unknown_reservation" };
    if (!this.#fits(charges, "enforce", now)) return this.#refuse(charges, callerNow);
    const part = { at: now, expiresAt: open.expiresAt };
    const used = this.#add(charges, part);
    open.extensions = [...(open.extensions ?? []), { part, charges }];
    open.charges = sum(open.charges, charges);
    return { outcome: "reserved", id, ...timesOf(open), charges: open.charges, used };
  }

  #replay({ key, fingerprint }: Idempotency, now: number): ReserveOutcome | undefined {
    const id = this.#idByKey.get(key);
    const open = id === undefined ? undefined : this.#openAt(id, now);
    if (id === undefined || open === undefined) return undefined;
    if (open.idempotency?.fingerprint !== fingerprint) return { outcome: "conflict" };
    const used = open.charges.map(({ limit, period }) => this.#find(limit)?.used(now, period) ?? 0);
    return { outcome: "replayed", id, ...timesOf(open), charges: open.charges, used };
  }

  #refuse(charges: readonly Charge[], callerNow: number): ReserveOutcome {
    return { outcome: "refused", readings: this.#read(charges, callerNow) };
  }

  /** Whether every limit of one mode has room. An amount of zero always has: a spent budget stops no free model. */
  #fits(charges: readonly Charge[], mode: Limit["mode"], now: number): boolean {
    let scope: ScopeCount[] | undefined;
    let scopeKey: string | undefined;
    for (const { limit, amount, period } of charges) {
      if (amount === 0 || limit.mode !== mode) continue;
      if (limit.scopeKey !== scopeKey) {
        scopeKey = limit.scopeKey;
        scope = this.#scopes.get(scopeKey);
      }
      const used = scope && findCount(scope, limit)?.used(now, period);
      if ((used ?? 0) + amount > limit.max) return false;
    }
    return true;
  }

  #add(charges: readonly Charge[], part: Part): number[] {
    const used: number[] = [];
    let scope: ScopeCount[] = [];
    let scopeKey: string | undefined;
    for (const { limit, amount, period } of charges) {
      if (limit.scopeKey !== scopeKey) {
        scopeKey = limit.scopeKey;
        scope = this.#scopeFor(scopeKey);
      }
      const count = countFor(scope, limit);
      count.add(amount, part, period);
      used.push(count.used(part.at, period));
    }
    return used;
  }

  /** Waits are told from the caller's own clock: that is the one it will watch. */
  #read(charges: readonly Charge[], callerNow: number): Reading[] {
    const now = Math.max(this.#now, callerNow);
    const ahead = now - callerNow;
    return charges.map((charge) => {
      const count = this.#find(charge.limit) ?? createCount(charge.limit.window);
      const waitMs = charge.amount === 0 ? 0 : count.waitMs(charge, now);
      const resetMs = count.resetMs(now, charge.period);
      return {
        used: count.used(now, charge.period),
        waitMs: waitMs === 0 ? 0 : waitMs + ahead,
        ...(resetMs !== undefined && { resetMs: resetMs + ahead }),
      };
    });
  }

  #find(limit: Limit): Count | undefined {
    const scope = this.#scopes.get(limit.scopeKey);
    return scope && findCount(scope, limit);
  }

  #scopeFor(scopeKey: string): ScopeCount[] {
    let scope = this.#scopes.get(scopeKey);
    if (scope === undefined) {
      scope = [];
      this.#scopes.set(scopeKey, scope);
    }
    return scope;
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
    for (const [id, open] of this.#open) {
      if (open.expiresAt > now) break; // in order of expiry where all have the same TTL; others wait their turn
      this.#close(id, open, "expired");
    }
  }

  /** Looks at one scope per call and forgets it where nothing in it matters any more. */
  #sweepOne(now: number): void {
    let next = this.#sweep.next();
    if (next.done) {
      this.#sweep = this.#scopes.entries();
      next = this.#sweep.next();
      if (next.done) return;
    }
    const [key, counts] = next.value;
    if (counts.every(({ count }) => count.idle(now))) this.#scopes.delete(key);
  }
}

function timesOf({ reservedAt, expiresAt }: OpenReservation) {
  return { reservedAt, expiresAt };
}

function findCount(scope: readonly ScopeCount[], { field }: Limit): Count | undefined {
  for (const candidate of scope) if (candidate.field === field) return candidate.count;
  return undefined;
}

function countFor(scope: ScopeCount[], limit: Limit): Count {
  const found = findCount(scope, limit);
  if (found !== undefined) return found;
  const count = createCount(limit.window);
  scope.push({ field: limit.field, count });
  return count;
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
