import { type LimitReading, limitName } from "../admission/limit-reading.js";
import { ValidationError } from "../model/errors.js";
import { scopeKindSchema } from "../model/limits.js";
import { usdOf } from "../model/money.js";
import { isSameLimit, LimitUse, ReasonTally } from "./limit-use.js";
import type { CallerResult, LimitResult, ReplayResult } from "./replay-result.js";
import type { Caller, ReplayStep } from "./replay-step.js";

interface CallerCount {
  readonly caller: Caller;
  /** The limits of its chain, as far as they have been seen: a handful, so they are searched in turn. */
  readonly limits: LimitUse[];
  admitted: number;
  readonly reasons: ReasonTally;
  inputTokens: number;
  outputTokens: number;
  costNanoUsd: number;
}

interface KnownLimit {
  readonly use: LimitUse;
  readonly caller: Caller;
}

/** Adds up the steps of a replay. */
export class Tally {
  readonly #callers = new Map<string, CallerCount>();
  readonly #limits = new Map<string, KnownLimit>();
  readonly #reasons = new ReasonTally();
  #lateSettles = 0;

  constructor(callers: readonly Caller[]) {
    for (const caller of callers) {
      if (this.#callers.has(caller.name)) {
        throw new ValidationError([{ field: "setup.callers", expected: "callers of different names" }]);
      }
      const zero = { admitted: 0, inputTokens: 0, outputTokens: 0, costNanoUsd: 0 };
      this.#callers.set(caller.name, { caller, limits: [], reasons: new ReasonTally(), ...zero });
    }
  }

  count(step: ReplayStep): void {
    if (step.kind === "admission") this.#countAdmission(step);
    else this.#countSettlement(step);
  }

  /** Looks at the limits of a caller's chain, and takes them into their means where it is a sample. */
  look(caller: Caller, readings: readonly LimitReading[], isSample: boolean): void {
    for (const reading of readings) this.#limit(caller, reading).see(reading, isSample);
  }

  result({
    startsAt,
    endsAt,
    elapsedMs,
  }: {
    startsAt: number;
    endsAt: number;
    elapsedMs: number;
  }): ReplayResult {
    const callers = [...this.#callers.values()].map(callerResult);
    const calls = callers.reduce((sum, caller) => sum + caller.calls, 0);
    return {
      calls,
      admitted: calls - this.#reasons.total,
      refused: this.#reasons.total,
      reasons: this.#reasons.toJSON(),
      lateSettles: this.#lateSettles,
      startsAt,
      endsAt,
      callers,
      limits: [...this.#limits.values()].map(limitResult).sort((a, b) => rankOf(a) - rankOf(b)),
      elapsedMs,
      callsPerSecond: elapsedMs > 0 ? (calls / elapsedMs) * 1000 : 0,
    };
  }

  #countAdmission({ caller, admission }: Extract<ReplayStep, { kind: "admission" }>): void {
    const count = this.#caller(caller);
    if (admission.admitted) {
      count.admitted++;
      for (const reading of admission.limits) {
        const use = this.#limit(caller, reading);
        use.see(reading);
        // A repeated request has the reservation of an earlier one, and counts no more.
        if (!admission.replayed) use.admitted++;
      }
      for (const { limit, reason } of admission.shadow)
        if (limit) this.#limit(caller, limit).reasons.add(reason);
      return;
    }
    count.reasons.add(admission.reason);
    this.#reasons.add(admission.reason);
    if (admission.limit) this.#limit(caller, admission.limit).reasons.add(admission.reason);
  }

  #countSettlement({ caller, settlement }: Extract<ReplayStep, { kind: "settlement" }>): void {
    if (!settlement.settled) {
      if (settlement.reason !== "already_settled") this.#lateSettles++;
      return;
    }
    const count = this.#caller(caller);
    count.inputTokens += settlement.charged.inputTokens;
    count.outputTokens += settlement.charged.outputTokens;
    count.costNanoUsd += settlement.charged.costNanoUsd;
    for (const reading of settlement.overdraft) {
      const use = this.#limit(caller, reading);
      use.see(reading);
      use.overdrafts++;
    }
  }

  #caller({ name }: Caller): CallerCount {
    const count = this.#callers.get(name);
    if (count !== undefined) return count;
    throw new ValidationError([{ field: "setup.callers", expected: "every caller that assign names" }]);
  }

  #limit(caller: Caller, reading: LimitReading): LimitUse {
    const { limits } = this.#caller(caller);
    const seen = limits.find((use) => isSameLimit(use.reading, reading));
    if (seen !== undefined) return seen;
    const id = limitId(caller, reading);
    const known = this.#limits.get(id) ?? { use: new LimitUse(reading), caller };
    this.#limits.set(id, known);
    limits.push(known.use);
    return known.use;
  }
}

/** Names a limit uniquely over all callers: a user may be a member of several projects. */
function limitId({ orgId, projectId }: Caller, reading: LimitReading): string {
  return JSON.stringify([orgId, reading.scope === "org" ? "" : projectId, limitName(reading)]);
}

function rankOf({ reading }: LimitResult): number {
  return scopeKindSchema.options.indexOf(reading.scope);
}

function callerResult({
  caller,
  admitted,
  reasons,
  inputTokens,
  outputTokens,
  costNanoUsd,
}: CallerCount): CallerResult {
  const { name, orgId, projectId, keyId } = caller;
  const refused = reasons.total;
  const counts = { calls: admitted + refused, admitted, refused, reasons: reasons.toJSON() };
  return {
    name,
    orgId,
    projectId,
    keyId,
    ...counts,
    inputTokens,
    outputTokens,
    costNanoUsd,
    usd: usdOf(costNanoUsd),
  };
}

function limitResult({ use, caller }: KnownLimit): LimitResult {
  const { reading, admitted, reasons, overdrafts, peak, mean } = use;
  return {
    orgId: caller.orgId,
    ...(reading.scope !== "org" && { projectId: caller.projectId }),
    ...(reading.scope === "key" && { caller: caller.name }),
    reading,
    admitted,
    refused: reasons.total,
    reasons: reasons.toJSON(),
    overdrafts,
    peak,
    mean,
  };
}
