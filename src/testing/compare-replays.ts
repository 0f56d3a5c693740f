import { limitName } from "../admission/limit-reading.js";
import type { RefusalReason } from "../admission/reasons.js";
import type { Refused } from "../admission/refusal.js";
import { ValidationError } from "../model/errors.js";
import { scopeKindSchema } from "../model/limits.js";
import { usdOf } from "../model/money.js";
import { isSameLimit } from "./limit-use.js";
import { type ReplayOptions, type ReplaySetup, replay } from "./replay.js";
import type { CallerResult, LimitResult, ReplayResult } from "./replay-result.js";
import type { ReplayStep } from "./replay-step.js";
import type { TraceCall } from "./trace.js";

/** How a call was answered. */
export type CallAnswer =
  | { readonly admitted: true }
  | {
      readonly admitted: false;
      readonly reason: RefusalReason;
      /** Names the scope, the limit, what was used and the max. */
      readonly message: string;
      /** Milliseconds after which it would have passed. Absent if waiting does not help. */
      readonly retryAfterMs?: number;
    };

/** A call that one setup admits and the other refuses, or that both refuse for different reasons. */
export interface CallChange {
  /** Its position in the trace. The first call is 0. */
  readonly index: number;
  /** When it arrived, in epoch milliseconds. */
  readonly at: number;
  /** The name of its caller. */
  readonly caller: string;
  readonly before: CallAnswer;
  readonly after: CallAnswer;
}

/** How the calls of one caller fared in each setup. */
export interface CallerComparison {
  readonly name: string;
  readonly before: CallerResult;
  readonly after: CallerResult;
  /** Calls of this caller that only the second setup admits. */
  readonly gained: number;
  /** Calls of this caller that only the first setup admits. */
  readonly lost: number;
  /** How much more the second setup costs, in nano-USD. Negative if it costs less. */
  readonly costNanoUsd: number;
  /** The same in US dollars. */
  readonly usd: number;
}

/** What one limit did in each setup. A side is absent if that setup has no such limit. The maxes may differ. */
export interface LimitComparison {
  readonly before?: LimitResult;
  readonly after?: LimitResult;
}

/** How two setups answered the same trace. Plain data. */
export interface ReplayComparison {
  readonly before: ReplayResult;
  readonly after: ReplayResult;
  /** Calls that only the second setup admits. */
  readonly gained: number;
  /** Calls that only the first setup admits. */
  readonly lost: number;
  /** How much more the second setup costs, in nano-USD. Negative if it costs less. */
  readonly costNanoUsd: number;
  /** The same in US dollars. */
  readonly usd: number;
  /** In the order of the trace. */
  readonly changes: readonly CallChange[];
  /** In the order of the first setup. */
  readonly callers: readonly CallerComparison[];
  /** The limits of either setup, in the order org, project, member, key. */
  readonly limits: readonly LimitComparison[];
}

/**
 * Replays a trace against two setups and reports what differs: "what would this limit have refused last week?"
 *
 * More may change than the calls that a new limit refuses: what it keeps out leaves room for others in the limits
 * above.
 *
 * @param before the setup as it is, with a gate of its own
 * @param after the setup as it might be, with the same callers making the same calls
 * @param trace in the order of arrival, as {@link parseTrace} and {@link generateTrace} return it
 * @param options for both replays
 * @throws ValidationError if both setups have the same gate, the callers' names differ, or a call has two callers
 * @throws what {@link replay} throws
 */
export async function compareReplays<C extends TraceCall>(
  before: ReplaySetup<C>,
  after: ReplaySetup<C>,
  trace: readonly C[],
  options: Omit<ReplayOptions, "onStep"> = {},
): Promise<ReplayComparison> {
  if (before.gate === after.gate)
    throw wrong("after.gate", "another gate than before's: counts would be carried over");
  const names = ({ callers }: ReplaySetup<C>) => JSON.stringify(callers.map(({ name }) => name).sort());
  if (names(before) !== names(after)) throw wrong("after.callers", "callers of the same names as before's");
  const answers: Answered[] = [];
  const first = await replay(before, trace, {
    ...options,
    onStep(step) {
      if (step.kind === "admission") answers.push(answered(step));
    },
  });
  const changes: CallChange[] = [];
  let index = 0;
  const second = await replay(after, trace, {
    ...options,
    onStep(step) {
      if (step.kind !== "admission") return;
      const change = changeOf(index, answers[index], step);
      if (change !== undefined) changes.push(change);
      index++;
    },
  });
  const cost = (result: ReplayResult) =>
    result.callers.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0);
  return {
    before: first,
    after: second,
    ...gainsOf(changes),
    ...money(cost(second) - cost(first)),
    changes,
    callers: callersOf(first, second, changes),
    limits: limitsOf(first, second),
  };
}

type AdmissionStep = Extract<ReplayStep, { kind: "admission" }>;

/** What is kept of an answer. An admission is not: there may be millions, and each holds its reservation. */
interface Answered {
  readonly caller: string;
  /** Absent if the call was admitted. */
  readonly refusal?: Refused;
}

function answered({ caller: { name }, admission }: AdmissionStep): Answered {
  return admission.admitted ? { caller: name } : { caller: name, refusal: admission };
}

function changeOf(index: number, before: Answered | undefined, step: AdmissionStep): CallChange | undefined {
  const after = answered(step);
  const { caller, refusal: is } = after;
  if (before?.caller !== caller)
    throw wrong("after.assign", `the caller that before gives to trace[${index}]`);
  const was = before.refusal;
  if (was && is ? isSameRefusal(was, is) : was === is) return undefined;
  return { index, at: step.at, caller, before: answerOf(was), after: answerOf(is) };
}

/** Whether both are refused for the same reason and, if a limit is named, by the same limit. */
function isSameRefusal(a: Refused, b: Refused): boolean {
  if (a.reason !== b.reason) return false;
  return a.limit === undefined || b.limit === undefined || isSameLimit(a.limit, b.limit);
}

function answerOf(refusal: Refused | undefined): CallAnswer {
  if (refusal === undefined) return { admitted: true };
  const { reason, message, retryAfterMs } = refusal;
  return { admitted: false, reason, message, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

function gainsOf(changes: readonly CallChange[]) {
  const gained = changes.filter(({ before, after }) => after.admitted && !before.admitted).length;
  const lost = changes.filter(({ before, after }) => before.admitted && !after.admitted).length;
  return { gained, lost };
}

function callersOf(
  before: ReplayResult,
  after: ReplayResult,
  changes: readonly CallChange[],
): CallerComparison[] {
  return before.callers.flatMap((was) => {
    const is = after.callers.find(({ name }) => name === was.name);
    if (is === undefined) return [];
    const mine = gainsOf(changes.filter(({ caller }) => caller === was.name));
    return [{ name: was.name, before: was, after: is, ...mine, ...money(is.costNanoUsd - was.costNanoUsd) }];
  });
}

function limitsOf(before: ReplayResult, after: ReplayResult): LimitComparison[] {
  const found = new Map<string, { before?: LimitResult; after?: LimitResult }>();
  for (const limit of before.limits) found.set(idOf(limit), { before: limit });
  for (const limit of after.limits) found.set(idOf(limit), { ...found.get(idOf(limit)), after: limit });
  const rank = ({ before, after }: LimitComparison) =>
    scopeKindSchema.options.findIndex((scope) => scope === (before ?? after)?.reading.scope);
  return [...found.values()].sort((a, b) => rank(a) - rank(b));
}

/** A name for a limit among those of all callers. It leaves out the max, in which the two setups may differ. */
function idOf({ orgId, projectId, reading }: LimitResult): string {
  return JSON.stringify([orgId, projectId, limitName(reading)]);
}

function money(costNanoUsd: number) {
  return { costNanoUsd, usd: usdOf(costNanoUsd) };
}

function wrong(field: string, expected: string): ValidationError {
  return new ValidationError([{ field, expected }]);
}
