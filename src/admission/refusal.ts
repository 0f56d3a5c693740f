import type { ScopeKind } from "../model/limits.js";
import { masked } from "../model/masked.js";
import { usdText } from "../model/money.js";
import type { Charge, Reading } from "./charge.js";
import type { Limit } from "./limit.js";
import { type LimitReading, limitReading } from "./limit-reading.js";
import { type LimitReason, MESSAGES, type RefusalReason } from "./reasons.js";

/**
 * Why a call may not pass, and when it may.
 *
 * If a limit refused, `message`, `limit` and `limits` are getters that compute their value when read. `{ ...refusal }`
 * and `structuredClone` leave them out; `JSON.stringify` includes them, so copy with
 * `JSON.parse(JSON.stringify(refusal))`.
 */
export interface Refusal {
  readonly reason: RefusalReason;
  /**
   * An explanation for people. If a limit refused, it names the scope, the limit, what is used and what the call needs.
   */
  readonly message: string;
  /** The scope of the limit that refused. */
  readonly scope?: ScopeKind;
  /**
   * The limit that refused. If several did: one that the call alone exceeds, otherwise the one with the longest wait.
   */
  readonly limit?: LimitReading;
  /** Every limit that the call counts against. Empty if no limit was asked. */
  readonly limits: readonly LimitReading[];
  /**
   * Milliseconds until the same call passes if nothing else happens; one millisecond earlier it is still refused.
   * Absent if waiting does not help.
   *
   * For `in_flight_limited`, this is when a slot frees itself at the latest. A settle before that makes room earlier.
   */
  readonly retryAfterMs?: number;
}

/**
 * The answer of `admit` for a call that may not pass. Some fields are getters; {@link Refusal} says how to copy them.
 */
export type Refused = { readonly admitted: false } & Refusal;

/** A refusal that no limit caused. */
export function plainRefusal(reason: Exclude<RefusalReason, LimitReason>): Refused {
  return { admitted: false, reason, message: MESSAGES[reason], limits: [] };
}

/** A refusal for want of a price. It names the model, so that whoever runs the gateway can find it. */
export function unpricedRefusal(model: string): Refused {
  const message = `A budget applies and the price of ${JSON.stringify(masked(model))} is not known.`;
  return { admitted: false, reason: "model_unpriced", message, limits: [] };
}

/**
 * The index of the refusing charge to name: first one that the call alone exceeds, then the one with the longest wait,
 * then the one of the widest scope. -1 if none refuses.
 */
export function namedIndex(charges: readonly Charge[], readings: readonly Reading[]): number {
  let named = -1;
  let longest = 0;
  for (const [i, { amount, limit }] of charges.entries()) {
    const waitMs = readings[i]?.waitMs ?? 0;
    if (limit.mode === "shadow" || waitMs === 0) continue;
    if (isTooLarge(amount, limit)) return i;
    if (waitMs > longest) {
      named = i;
      longest = waitMs;
    }
  }
  return named;
}

/** A refusal by the charge at `index`. Its text and readings are made when they are read. */
export class LimitRefusal implements Refused {
  readonly admitted = false;
  readonly reason: LimitReason;
  readonly scope: ScopeKind;
  declare readonly retryAfterMs?: number;
  readonly #charges: readonly Charge[];
  readonly #readings: readonly Reading[];
  readonly #index: number;
  readonly #now: number;

  constructor(charges: readonly Charge[], readings: readonly Reading[], index: number, now: number) {
    const charge = at(charges, index);
    const { waitMs } = at(readings, index);
    this.#charges = charges;
    this.#readings = readings;
    this.#index = index;
    this.#now = now;
    this.reason = reasonOf(charge);
    this.scope = charge.limit.scope;
    if (Number.isFinite(waitMs)) this.retryAfterMs = waitMs;
  }

  get message(): string {
    const { limit, amount } = at(this.#charges, this.#index);
    return describe(limit, amount, at(this.#readings, this.#index), this.#now);
  }

  get limit(): LimitReading {
    return this.#reading(at(this.#charges, this.#index), this.#index);
  }

  get limits(): LimitReading[] {
    return this.#charges.map((charge, i) => this.#reading(charge, i));
  }

  #reading({ limit }: Charge, i: number): LimitReading {
    const { used, waitMs, resetMs } = at(this.#readings, i);
    return limitReading(limit, { used, resetMs: resetAfter(waitMs, resetMs) }, this.#now);
  }

  /** Shows in a console what JSON shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): Refused {
    return this.toJSON();
  }

  toJSON(): Refused {
    const { admitted, reason, message, scope, limit, limits, retryAfterMs } = this;
    return {
      admitted,
      reason,
      message,
      scope,
      limit,
      limits,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
  }
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError("a refusal names one of its charges");
  return item;
}

/** A limit is not reset before it has room, as when the budget's next period is spent already. */
function resetAfter(waitMs: number, resetMs: number): number {
  return Number.isFinite(waitMs) ? Math.max(waitMs, resetMs) : resetMs;
}

/** Whether a call can never pass by itself. For credits it can: more may be granted. */
function isTooLarge(amount: number, { max, window }: Limit): boolean {
  return amount > max && window.name !== "credits";
}

function reasonOf({ amount, limit }: Charge): LimitReason {
  if (isTooLarge(amount, limit)) return "too_large";
  if (limit.meter === "inFlight") return "in_flight_limited";
  if (limit.meter !== "cost") return "rate_limited";
  return limit.window.name === "credits" ? "credits_exhausted" : "budget_exceeded";
}

/**
 * For example: "The project limit of 200 USD (monthly budget) (project p1) is used up to 199.5 USD, and this call needs
 * 0.75 USD; it resets at …".
 */
function describe(limit: Limit, amount: number, { used, waitMs, resetMs }: Reading, now: number): string {
  const { scope, scopeId, max, perModel } = limit;
  const subject = `The ${scope} limit of ${quantity(limit, max)} ${windowText(limit)}`;
  const whose = `${perModel === undefined ? "" : ` for ${perModel}`} (${scope} ${scopeId})`;
  if (isTooLarge(amount, limit))
    return `${subject}${whose} is below the ${quantity(limit, amount)} that this call alone needs.`;
  const state = `${subject}${whose} is used up to ${quantity(limit, used)}, and this call needs ${quantity(limit, amount)}`;
  if (!Number.isFinite(waitMs)) return `${state}.`;
  if (limit.window.kind === "calendar") {
    return `${state}; it resets at ${new Date(now + resetAfter(waitMs, resetMs)).toISOString()}.`;
  }
  const seconds = Math.ceil(waitMs / 1000);
  if (limit.window.kind === "inFlight") {
    return `${state}; there is room as soon as one of them ends, in ${seconds} s at the latest.`;
  }
  return `${state}; there is room in ${seconds} s.`;
}

const UNITS = {
  requests: "request",
  tokens: "token",
  inputTokens: "input token",
  outputTokens: "output token",
  inFlight: "call",
} as const;

function quantity({ meter }: Limit, amount: number): string {
  return meter === "cost" ? `${usdText(amount)} USD` : `${amount} ${UNITS[meter]}${amount === 1 ? "" : "s"}`;
}

function windowText({ window }: Limit): string {
  switch (window.kind) {
    case "sliding":
      return `per ${window.name}`;
    case "calendar":
      return `(${window.name} budget)`;
    case "lifetime":
      return window.name === "credits" ? "(credits)" : "(lifetime budget)";
    case "inFlight":
      return "at the same time";
  }
}
