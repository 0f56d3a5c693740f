import type { Charge } from "../../admission/charge.js";
import type { Limit } from "../../admission/limit.js";
import { Calendar } from "../../admission/period.js";
import type { Counters, ReserveRequest } from "../../counters/counters.js";
import { seededRandom } from "../random.js";
import { check } from "./check.js";
import { CountersModel } from "./counters-model.js";
import { DAY_MS, HOUR_MS, MINUTE_MS, START } from "./counters-trial.js";
import { Draw } from "./draw.js";
import { TRACE_KEYS, type TraceKey, TraceLimits } from "./trace-limits.js";

/** A random trace that a seed reproduces. */
export interface CountersTrace {
  /** A whole number; its lowest 32 bits count. */
  readonly seed: number;
  /** How many calls are made; 200 by default. */
  readonly steps?: number | undefined;
}

/**
 * Makes random calls on counters that take the caller's clock, and compares every answer, and after every call the
 * readings of all limits, with those of a simple exact model: an event log.
 *
 * Reserves, settles, releases, extensions, readings, dry runs, retries, changed limits, and a clock that moves on, jumps
 * over windows and resets, and goes back.
 *
 * @param counters must be empty; they are not closed
 * @throws Error naming the seed, the step and the first difference
 */
export async function traceCounters(counters: Counters, { seed, steps = 200 }: CountersTrace): Promise<void> {
  const trace = new Trace(counters, seed);
  for (let step = 0; step < steps; step++) await trace.step(step);
}

type AskedFor = Omit<ReserveRequest, "orgId" | "now">;

/** The models that calls ask for: limits per model differ between them. */
type Model = "fast" | "slow";

/** How long after its end a period is still asked about: `Counters` leaves open how long old periods are kept. */
const LATE_MS = 3 * HOUR_MS;

class Trace {
  readonly #counters: Counters;
  readonly #model = new CountersModel();
  readonly #seed: number;
  readonly #draw: Draw;
  readonly #calendar = new Calendar();
  /** For moments in the past. A calendar remembers the period that it was asked for last, so there are two of them. */
  readonly #pastCalendar = new Calendar();
  readonly #limits: TraceLimits;
  /** Settled reservations, to settle again. */
  readonly #settled: {
    readonly id: string;
    readonly expiresAt: number;
    readonly amounts: readonly Charge[];
  }[] = [];
  /** Requests that made a reservation, to send them again while it lives. */
  readonly #made: { readonly request: AskedFor; readonly expiresAt: number }[] = [];
  readonly #reservedAt = new Map<string, number>();
  readonly #done: string[] = [];
  #now = START;
  /** The latest moment of any call. */
  #latest = START;
  /** The moment of the latest call that charged all of its scopes: the counters' clock is known to be there. */
  #chargedAt = Number.NEGATIVE_INFINITY;
  #probeAt: number | undefined;

  constructor(counters: Counters, seed: number) {
    this.#counters = counters;
    this.#seed = seed;
    this.#draw = new Draw(seededRandom(seed));
    this.#limits = new TraceLimits(this.#draw);
  }

  async step(step: number): Promise<void> {
    this.#moveClock();
    const id = `r${step}`;
    try {
      await this.#draw.oneOf([
        ...times(9, () => this.#reserve(id)),
        ...times(6, () => this.#settle()),
        ...times(2, () => this.#extend(id)),
        ...times(1, () => this.#reserveAgain()),
        ...times(1, () => this.#settleAgain(id)),
        ...times(2, async () => void this.#done.push(this.#limits.change())),
      ])();
      await this.#readAll();
    } catch (error) {
      const lately = this.#done.slice(-12).join("\n  ");
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`seed ${this.#seed}, step ${step}: ${message}\n  ${lately}`, { cause: error });
    }
  }

  async #reserve(id: string): Promise<void> {
    const tokens = this.#draw.oneOf([0, 1, this.#draw.upTo(12), this.#draw.upTo(45)]);
    const use: Use = { requests: 1, tokens, cost: this.#draw.oneOf([0, tokens * 7]), slots: 1 };
    const charges = this.#chargesOf(this.#draw.oneOf(TRACE_KEYS), this.#draw.oneOf(["fast", "slow"]), use);
    const key = this.#draw.chance(0.3) ? `k${this.#draw.upTo(3)}` : undefined;
    const fingerprint = String(this.#draw.upTo(2));
    const request: AskedFor = {
      id,
      ttlMs: this.#draw.oneOf([1, 4_000, MINUTE_MS, LATE_MS, LATE_MS, LATE_MS]),
      charges,
      idempotency: key === undefined ? undefined : { key, fingerprint },
      dryRun: this.#draw.chance(0.15),
    };
    if ((await this.#ask(request)) !== "reserved") return;
    this.#reservedAt.set(id, this.#latest);
    this.#made.push({ request, expiresAt: this.#latest + request.ttlMs });
  }

  /** Sends a request again, like a client that lost the answer. Its reservation may be open, extended or settled by now. */
  async #reserveAgain(): Promise<void> {
    const known = this.#made.filter(({ expiresAt }) => expiresAt > this.#latest && expiresAt > this.#now);
    const again = this.#draw.pick(known);
    if (again) await this.#ask({ ...again.request, dryRun: this.#draw.chance(0.15) });
  }

  async #extend(id: string): Promise<void> {
    const open = this.#draw.pick(this.#model.open(this.#now));
    const tokens = this.#draw.upTo(30);
    const use: Use = { requests: 0, tokens, cost: tokens * 7, slots: 0 };
    const at = open && this.#reservedAt.get(open.id);
    const charges = this.#chargesOf(
      this.#draw.oneOf(TRACE_KEYS),
      this.#draw.oneOf(["fast", "slow"]),
      use,
      at,
    );
    const dryRun = this.#draw.chance(0.1);
    await this.#ask({ id: open?.id ?? id, ttlMs: MINUTE_MS, charges, extend: true, dryRun });
  }

  async #ask(parts: AskedFor): Promise<string> {
    const request = { ...parts, orgId: "o1", now: this.#now };
    const { id, idempotency, extend, dryRun, ttlMs, charges } = request;
    const how = [
      extend && "extend",
      dryRun && "dry run",
      idempotency && Object.values(idempotency).join("/"),
    ];
    this.#note(`reserve ${id} ${how.filter(Boolean).join(" ")} for ${ttlMs} ms`, charges);
    const expected = this.#model.reserve(request);
    check("reserve", comparable(await this.#counters.reserve(request)), comparable(expected));
    if (!dryRun) this.#latest = Math.max(this.#latest, this.#now);
    if (expected.outcome === "reserved" && !dryRun && !extend) this.#chargedAt = this.#latest;
    if (expected.outcome === "refused") {
      const waitMs = Math.max(...expected.readings.map((reading) => reading.waitMs));
      if (Number.isFinite(waitMs) && this.#draw.chance(0.5)) this.#probeAt = this.#now + waitMs;
    }
    return dryRun ? "dry run" : expected.outcome;
  }

  async #settle(): Promise<void> {
    const open = this.#draw.pick(this.#model.open(this.#now));
    if (open === undefined) return;
    const share = this.#draw.oneOf([0, this.#draw.share(), 1, 1, 2.5]);
    const amounts: Charge[] = open.charges.map((charge) => {
      const amount = charge.limit.meter === "inFlight" ? 0 : Math.floor(charge.amount * share);
      return { ...charge, amount };
    });
    if (this.#draw.chance(0.2)) this.#fallBack(amounts);
    // Another process settles what it has read from JSON.
    const given: Charge[] = this.#draw.chance(0.5) ? JSON.parse(JSON.stringify(amounts)) : amounts;
    await this.#settleAs(open.id, given);
    this.#settled.push({ id: open.id, expiresAt: open.expiresAt, amounts });
  }

  /** Changes the amounts to those of a call that fell back: nothing for limits of the first model, something for the other's. */
  #fallBack(amounts: Charge[]): void {
    for (const [i, charge] of amounts.entries())
      if (charge.limit.perModel) amounts[i] = { ...charge, amount: 0 };
    const others = this.#chargesOf("ada", this.#draw.oneOf(["fast", "slow"]), {
      requests: 1,
      tokens: this.#draw.upTo(50),
      cost: 0,
      slots: 0,
    }).filter(({ limit }) => limit.perModel && !amounts.some((one) => one.limit.field === limit.field));
    amounts.push(...others);
  }

  async #settleAgain(id: string): Promise<void> {
    const known = this.#settled.filter(({ expiresAt }) => expiresAt > this.#latest && expiresAt > this.#now);
    const again = this.#draw.pick(known);
    await this.#settleAs(again?.id ?? id, again?.amounts ?? []);
  }

  async #settleAs(id: string, amounts: readonly Charge[]): Promise<void> {
    const request = { id, orgId: "o1", now: this.#now, amounts };
    this.#note(`settle ${id}`, amounts);
    this.#latest = Math.max(this.#latest, this.#now);
    const expected = this.#model.settle(request);
    const outcome = await this.#counters.settle(request);
    // Counters that go by another clock do not say when they counted.
    check("settle", "at" in outcome ? { ...outcome, at: undefined } : outcome, expected);
  }

  /** The readings of every limit, for an amount that may fit or not. */
  async #readAll(): Promise<void> {
    const amount = this.#draw.upTo(20);
    const use: Use = { requests: amount % 4, tokens: amount, cost: amount * 7, slots: amount % 3 };
    const charges = TRACE_KEYS.flatMap((key) => this.#chargesOf(key, key === "ada" ? "fast" : "slow", use));
    const late = this.#chargesOf("ada", "slow", use, this.#latest - LATE_MS).filter(
      (charge) => charge.period && charge.period.endsAt <= this.#latest && this.#model.hasPeriod(charge),
    );
    const query = { orgId: "o1", now: this.#now, charges: [...charges, ...late] };
    this.#latest = Math.max(this.#latest, this.#now);
    const expected = this.#model.read(query);
    for (const [i, reading] of (await this.#counters.read(query)).entries()) {
      const { limit, amount } = query.charges[i] ?? charges[0] ?? { limit: undefined, amount: 0 };
      check(
        `reading of ${amount} against ${limit?.scope} ${limit?.field} of ${limit?.max}`,
        reading,
        expected[i],
      );
    }
  }

  /**
   * Moves on within a bucket, over a window or over a reset; or to the millisecond at which a refused call was told to
   * come again, or the one before it; or back. It moves back only while the counters' clock is known: whether a refused
   * call moves that clock is up to the adapter.
   */
  #moveClock(): void {
    const probeAt = this.#probeAt;
    this.#probeAt = undefined;
    if (probeAt !== undefined && probeAt - 1 > this.#now && this.#draw.chance(0.8)) {
      this.#now = probeAt - this.#draw.oneOf([0, 1]);
      return;
    }
    if (this.#draw.chance(0.12) && this.#chargedAt >= this.#latest) {
      this.#now -= this.#draw.upTo(90_000);
      return;
    }
    const pace = this.#draw.share();
    if (pace < 0.6) this.#now += this.#draw.upTo(3_000);
    else if (pace < 0.85) this.#now += this.#draw.upTo(30_000);
    else if (pace < 0.97)
      this.#now += this.#draw.oneOf([0, 1, 999, 1_000, 59_999, MINUTE_MS, 60_001, 61_000]);
    else this.#now += this.#draw.oneOf([HOUR_MS, DAY_MS / 60, DAY_MS, DAY_MS + DAY_MS / 60, 9 * DAY_MS]);
  }

  /** The charges of a call of a key to a model, in the periods of `at`. */
  #chargesOf(key: TraceKey, model: Model, use: Use, at = Math.max(this.#latest, this.#now)): Charge[] {
    const calendar = at < this.#latest ? this.#pastCalendar : this.#calendar;
    return this.#limits
      .of(key)
      .filter(({ perModel }) => perModel === undefined || perModel === model)
      .map((limit) => ({ limit, amount: amountOf(limit, use), period: calendar.clockOf(limit)?.at(at) }));
  }

  #note(what: string, charges: readonly Charge[]): void {
    const amounts = charges.map(
      ({ limit, amount }) => `${limit.scopeId} ${limit.field} ${amount}/${limit.max}`,
    );
    this.#done.push(`at +${this.#now - START} ms ${what}: ${amounts.join(", ")}`);
  }
}

interface Use {
  readonly requests: number;
  readonly tokens: number;
  readonly cost: number;
  readonly slots: number;
}

function amountOf({ meter }: Limit, use: Use): number {
  if (meter === "requests") return use.requests;
  if (meter === "cost") return use.cost;
  return meter === "inFlight" ? use.slots : use.tokens;
}

function times<T>(weight: number, one: T): T[] {
  return Array(weight).fill(one);
}

/** An outcome without the max and mode of its charges: after a change either those of then or those of now are told. */
function comparable(outcome: object): object {
  if (!("charges" in outcome)) return outcome;
  const charges = outcome.charges as readonly Charge[]; // sound: it is the outcome of a reserve
  return {
    ...outcome,
    charges: charges.map(({ limit: { scopeKey, field, meter, window }, amount, period }) => ({
      limit: { scopeKey, field, meter, window },
      amount,
      period,
    })),
  };
}
