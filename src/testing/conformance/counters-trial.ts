import type { Charge, Reading } from "../../admission/charge.js";
import { compileLimits, type Limit, scopeKey } from "../../admission/limit.js";
import { periodAt } from "../../admission/period.js";
import type { Counters, ReserveOutcome, ReserveRequest, SettleOutcome } from "../../counters/counters.js";
import type { Limits, ScopeKind } from "../../model/limits.js";
import { decimalUsd } from "../../model/money.js";
import { check, checkPart, claim } from "./check.js";

/** Whose clock counters use: the `now` of each call, or one of their own. */
export type CountersClock = "caller" | "server";

/** Two minutes before the end of a month, so that minutes, days and months change within a few steps. */
export const START = Date.UTC(2026, 4, 31, 23, 58);

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** What is charged: an amount for each limit. */
type Amounts = readonly (readonly [limit: Limit, amount: number])[];

type Reserved = Extract<ReserveOutcome, { used: unknown }>;
type Refused = Extract<ReserveOutcome, { readings: unknown }>;
type Settled = Extract<SettleOutcome, { outcome: "settled" }>;

/** The counters of one case, and the clock that the case moves by hand if the counters use it. */
export class CountersTrial {
  readonly counters: Counters;
  readonly clock: CountersClock;
  /** The org that is asked about. */
  orgId = "o1";
  ttlMs = HOUR_MS;
  #now = START;

  constructor(counters: Counters, clock: CountersClock) {
    this.counters = counters;
    this.clock = clock;
  }

  get now(): number {
    return this.clock === "caller" ? this.#now : Date.now();
  }

  set now(now: number) {
    claim("only the caller's clock can be moved", this.clock === "caller");
    this.#now = now;
  }

  /** The charges of amounts, in the periods that hold `at`. */
  charges(amounts: Amounts, at = this.now): Charge[] {
    return amounts.map(([limit, amount]) => {
      const { window } = limit;
      if (window.kind !== "calendar") return { limit, amount };
      return { limit, amount, period: periodAt(window.name, window.timeZone, at) };
    });
  }

  reserve(
    id: string,
    charges: readonly Charge[],
    more: Partial<ReserveRequest> = {},
  ): Promise<ReserveOutcome> {
    return this.counters.reserve({
      id,
      orgId: this.orgId,
      now: this.now,
      ttlMs: this.ttlMs,
      charges,
      ...more,
    });
  }

  /** Reserves what must be admitted. */
  async reserved(id: string, amounts: Amounts, more: Partial<ReserveRequest> = {}): Promise<Reserved> {
    const outcome = await this.reserve(id, this.charges(amounts), more);
    checkPart(`reserve ${name(id)}`, outcome, { outcome: "reserved", id });
    return outcome as Reserved; // sound: it was just looked at
  }

  /** Reserves what must be refused. */
  async refused(id: string, amounts: Amounts, more: Partial<ReserveRequest> = {}): Promise<Refused> {
    const outcome = await this.reserve(id, this.charges(amounts), more);
    checkPart(`reserve ${name(id)}`, outcome, { outcome: "refused" });
    return outcome as Refused; // sound: it was just looked at
  }

  settle(id: string, amounts: readonly Charge[]): Promise<SettleOutcome> {
    return this.counters.settle({ id, orgId: this.orgId, now: this.now, amounts });
  }

  /** Settles what must be open. */
  async settled(id: string, amounts: Amounts, at = this.now): Promise<Settled> {
    const outcome = await this.settle(id, this.charges(amounts, at));
    checkPart(`settle ${name(id)}`, outcome, { outcome: "settled" });
    return outcome as Settled; // sound: it was just looked at
  }

  read(amounts: Amounts, at = this.now): Promise<Reading[]> {
    return this.counters.read({ orgId: this.orgId, now: this.now, charges: this.charges(amounts, at) });
  }

  async used(limits: readonly Limit[], at = this.now): Promise<number[]> {
    const amounts = limits.map((limit) => [limit, 0] as const);
    return (await this.read(amounts, at)).map(({ used }) => used);
  }

  /** Checks what counts hold. */
  async holds(what: string, expected: readonly (readonly [limit: Limit, used: number])[], at = this.now) {
    const limits = expected.map(([limit]) => limit);
    check(
      `used ${what}`,
      await this.used(limits, at),
      expected.map(([, used]) => used),
    );
  }
}

/** The limits of one scope, compiled. */
export function limitsOf(
  limits: Limits,
  {
    kind = "key",
    id = `${kind}1`,
    orgId = "o1",
    timeZone = "UTC",
  }: { kind?: ScopeKind; id?: string; orgId?: string; timeZone?: string } = {},
): Limit[] {
  return compileLimits(limits, { kind, id, key: scopeKey(kind, orgId, id), timeZone });
}

/** The one limit of a scope. */
export function limitOf(limits: Limits, scope?: Parameters<typeof limitsOf>[1]): Limit {
  const [limit, ...more] = limitsOf(limits, scope);
  claim("exactly one limit", limit !== undefined && more.length === 0);
  return limit;
}

/** A budget in nano-USD. */
export function budget(max: number, reset: "daily" | "weekly" | "monthly" | "never"): Limits {
  return { budget: { usd: decimalUsd(BigInt(max)), reset } };
}

/** An id as a message shows it. */
function name(id: string): string {
  return JSON.stringify(id.length > 60 ? `${id.slice(0, 60)}…` : id);
}
