import { type Charge, chargeList } from "../admission/charge.js";
import { countName, type Limit } from "../admission/limit.js";
import type { LimitReading } from "../admission/limit-reading.js";
import type { Reservation } from "../gate/call/reservation.js";
import { chargedAmount } from "./charged-amount.js";
import type { ReplayStep } from "./replay-step.js";

type Settled = Extract<ReplayStep, { kind: "settlement" }>;

/** What an {@link Audit} found. */
export interface AuditReport {
  /** How often the count of an enforced limit was compared with its max. */
  readonly checks: number;
  /** How many enforced limits were checked. */
  readonly limits: number;
  /** How often a settle exceeded an enforced limit and said so. */
  readonly overdrafts: number;
  /**
   * What must never happen: an enforced limit exceeded by an admission, or by a settle that did not say so. At most
   * 100.
   */
  readonly violations: readonly string[];
}

/** More are not kept: after the first, the others are seldom news. */
const VIOLATIONS_MAX = 100;

/**
 * Checks a replay from its steps alone, with exact sums and none of the counters' code. At each admission no enforced
 * limit may be above its max, and each settle that exceeds one must name it as an overdraft.
 *
 * Pass its `observe` to `replay` as `onStep`.
 */
export class Audit {
  readonly #sums = new Map<string, ExactSum>();
  readonly #limits = new Set<string>();
  readonly #violations: string[] = [];
  #checks = 0;
  #overdrafts = 0;

  /** Checks one step. Pass it to {@link replay} as `onStep`. */
  readonly observe = (step: ReplayStep): void => {
    if (step.kind === "settlement") this.#settled(step);
    // A repeated request has the reservation of an earlier one, and nothing more was charged.
    else if (step.admission.admitted && !step.admission.replayed)
      this.#admitted(step.at, step.admission.reservation);
  };

  /** What was found so far. */
  report(): AuditReport {
    return {
      checks: this.#checks,
      limits: this.#limits.size,
      overdrafts: this.#overdrafts,
      violations: [...this.#violations],
    };
  }

  #admitted(at: number, reservation: Reservation): void {
    for (const charge of chargeList(reservation.charges)) {
      const { limit, amount } = charge;
      if (limit.mode !== "enforce") continue;
      const sum = this.#sumOf(charge, reservation);
      sum.add(reservation.id, at, amount);
      if (amount === 0) continue;
      this.#checks++;
      const used = sum.at(at);
      if (used > limit.max) this.#violation(at, limit, used, "admitted a call");
    }
  }

  #settled({ at, reservation, settlement }: Settled): void {
    if (!settlement.settled) return;
    for (const charge of chargeList(reservation.charges)) {
      const { limit } = charge;
      if (limit.mode !== "enforce") continue;
      const actual = chargedAmount(limit, reservation, settlement.charged);
      const sum = this.#sumOf(charge, reservation);
      sum.correct(reservation.id, at, actual - charge.amount);
      this.#checks++;
      const isNamed = settlement.overdraft.some((reading) => isOf(limit, reading));
      if (isNamed) this.#overdrafts++;
      const used = sum.at(at);
      if (used > limit.max && actual > charge.amount && !isNamed)
        this.#violation(at, limit, used, "settled in silence");
    }
  }

  #sumOf({ limit, period }: Charge, reservation: Reservation): ExactSum {
    const id = `${countName(limit)} ${period?.index ?? ""}`;
    let sum = this.#sums.get(id);
    if (sum === undefined) {
      this.#limits.add(countName(limit));
      sum = new ExactSum(reachMs(limit, reservation));
      this.#sums.set(id, sum);
    }
    return sum;
  }

  #violation(at: number, { scope, scopeId, field, max }: Limit, used: number, what: string): void {
    if (this.#violations.length >= VIOLATIONS_MAX) return;
    this.#violations.push(
      `${new Date(at).toISOString()} ${scope} ${scopeId} ${field}: ${what} at ${used} of ${max}`,
    );
  }
}

interface Entry {
  readonly at: number;
  amount: number;
}

/**
 * The sum of the entries of the last `lengthMs`, including the present moment. Entries are corrected while they last.
 */
class ExactSum {
  readonly #lengthMs: number;
  readonly #entries: Entry[] = [];
  readonly #open = new Map<string, Entry>();
  #oldest = 0;
  #total = 0;

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs;
  }

  add(id: string, at: number, amount: number): void {
    const entry = { at, amount };
    this.#open.set(id, entry);
    this.#append(entry);
  }

  /** A refund counts at the moment of the admission, a surcharge at that of the settle. */
  correct(id: string, at: number, delta: number): void {
    const entry = this.#open.get(id);
    this.#open.delete(id);
    if (delta > 0) this.#append({ at, amount: delta });
    if (delta >= 0 || entry === undefined) return;
    this.#dropUntil(at);
    if (entry.at > at - this.#lengthMs) this.#total += delta;
    entry.amount += delta;
  }

  at(now: number): number {
    this.#dropUntil(now);
    return this.#total;
  }

  #append(entry: Entry): void {
    this.#total += entry.amount;
    if (Number.isFinite(this.#lengthMs)) this.#entries.push(entry);
  }

  #dropUntil(now: number): void {
    for (let entry = this.#entries[this.#oldest]; entry !== undefined && entry.at <= now - this.#lengthMs; ) {
      this.#total -= entry.amount;
      entry = this.#entries[++this.#oldest];
    }
  }
}

/** How long an amount counts, in milliseconds. A slot that is not settled counts as long as its reservation lives. */
function reachMs({ window }: Limit, { reservedAt, expiresAt }: Reservation): number {
  if (window.kind === "inFlight") return expiresAt - reservedAt;
  return window.kind === "sliding" ? window.lengthMs : Number.POSITIVE_INFINITY;
}

function isOf(limit: Limit, reading: LimitReading): boolean {
  const { scope, scopeId, meter, window, perModel } = reading;
  return (
    scope === limit.scope &&
    scopeId === limit.scopeId &&
    meter === limit.meter &&
    window === limit.window.name &&
    perModel === limit.perModel
  );
}
