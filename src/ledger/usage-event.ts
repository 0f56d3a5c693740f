import { type ChargedPeriods, chargedAt } from "../model/charged-at.js";
import { masked } from "../model/masked.js";
import type { Actual, CallParts } from "../model/usage.js";

/**
 * How a call ended. `open` means not yet: the ledger only knows of the admission. After its `expiresAt` an open call
 * reads as `expired`: its estimate stays charged, and nobody can settle it any more.
 */
export type Outcome = "open" | "settled" | "disconnected" | "released" | "expired";

/** The kinds of tokens that are recorded. The parts of the input do not overlap, nor do those of the output. */
export const TOKEN_KINDS = [
  "inputTokens",
  "cachedInputTokens",
  "cacheWriteTokens",
  "cacheWrite1hTokens",
  "audioInputTokens",
  "imageInputTokens",
  "outputTokens",
  "reasoningTokens",
  "audioOutputTokens",
  "imageOutputTokens",
] as const;

/** Tokens by kind. `inputTokens` is all input and `outputTokens` all output; the others are parts of them. */
export type Tokens = { readonly [K in (typeof TOKEN_KINDS)[number]]: number };

/** What one admitted call used and what it cost. Plain data without any content of the call. */
export interface UsageEvent extends Tokens {
  /** The id of the reservation. A sink keeps one event for each. */
  readonly id: string;
  /**
   * `disconnected` is settled with what was seen until the client hung up. `expired` is never written; see
   * {@link Outcome}.
   */
  readonly outcome: Exclude<Outcome, "expired">;
  /**
   * When the call was admitted, in epoch milliseconds. Budgets charge the period of this moment, and reports go by it:
   * if the counters' clock was in another one, it is the nearest moment of the period that was charged.
   */
  readonly admittedAt: number;
  /** When the reservation ends by itself, in epoch milliseconds. */
  readonly expiresAt: number;
  /** When it was settled or released, in epoch milliseconds. Absent while `open`. */
  readonly endedAt?: number | undefined;
  readonly orgId: string;
  readonly projectId: string;
  readonly userId: string;
  readonly keyId: string;
  /** The model that answered; while `open`, the model reserved for. For an MCP server, that server. */
  readonly model: string;
  /** What the call asked for: a model, a virtual model or an MCP server. */
  readonly requested: string;
  /**
   * The permitted model whose limits it counts against. It equals `model` unless the answer named that model
   * differently.
   */
  readonly countedAs: string;
  /** Whether it was a call to an MCP server. */
  readonly mcp: boolean;
  /**
   * Whether it ran on the customer's own provider key. Such a call costs the org nothing except in budgets with
   * `countByok`.
   */
  readonly byok: boolean;
  /** The cost in nano-USD. While `open`, the estimate. */
  readonly costNanoUsd: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** What the ledger needs to know of a reservation. */
export interface LedgerCall {
  readonly id: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly userId: string;
  readonly keyId: string;
  readonly requested: string;
  /** Absent for an MCP server. */
  readonly model?: string | undefined;
  readonly models: readonly string[];
  readonly reservedAt: number;
  /** What it was charged, in which periods. */
  readonly charges?: ChargedPeriods | undefined;
  readonly expiresAt: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costNanoUsd: number;
  readonly byok: boolean;
  /** The parts that are priced apart, if the usage named any. */
  readonly parts?: CallParts | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

/** How a call ended, and what it had really used by then. */
export interface CallEnd {
  readonly outcome: "settled" | "disconnected" | "released";
  /** When it ended, in epoch milliseconds. */
  readonly at: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costNanoUsd: number;
  /** The actual as the caller gave it: which model answered, and the kinds of tokens. */
  readonly actual: Actual;
}

/** The event of a call as it stands. Anything in a caller's texts that may be a token is masked. */
export function usageEventOf(call: LedgerCall, end: CallEnd | undefined): UsageEvent {
  const used = end ?? call;
  const actual: Actual = end?.actual ?? {};
  // An actual with `inputTokens` (or `outputTokens`) includes all of its parts. Without it, the parts of the usage
  // stand in, unless the call was never sent.
  const isSent = end?.outcome !== "released";
  const input: CallParts = isSent && actual.inputTokens === undefined ? (call.parts ?? {}) : {};
  const output: CallParts = isSent && actual.outputTokens === undefined ? (call.parts ?? {}) : {};
  const target = call.model ?? call.requested;
  const model = call.model === undefined ? target : (actual.model ?? target);
  return {
    id: call.id,
    outcome: end?.outcome ?? "open",
    admittedAt: call.charges === undefined ? call.reservedAt : chargedAt(call.charges, call.reservedAt),
    expiresAt: call.expiresAt,
    endedAt: end?.at,
    orgId: call.orgId,
    projectId: call.projectId,
    userId: call.userId,
    keyId: call.keyId,
    model: masked(model),
    requested: masked(call.requested),
    countedAs: masked(call.models.includes(model) ? model : target),
    mcp: call.model === undefined,
    byok: call.byok,
    inputTokens: used.inputTokens,
    cachedInputTokens: actual.cachedInputTokens ?? 0,
    cacheWriteTokens: actual.cacheWriteTokens ?? input.cacheWriteTokens ?? 0,
    cacheWrite1hTokens: actual.cacheWrite1hTokens ?? input.cacheWrite1hTokens ?? 0,
    audioInputTokens: actual.audioInputTokens ?? input.audioInputTokens ?? 0,
    imageInputTokens: actual.imageInputTokens ?? input.imageInputTokens ?? 0,
    outputTokens: used.outputTokens,
    reasoningTokens: actual.reasoningTokens ?? 0,
    audioOutputTokens: actual.audioOutputTokens ?? output.audioOutputTokens ?? 0,
    imageOutputTokens: actual.imageOutputTokens ?? output.imageOutputTokens ?? 0,
    costNanoUsd: used.costNanoUsd,
    tags: maskedTags(call.tags),
  };
}

/**
 * Whether an event replaces the one that a sink has for the same call. The end of a call replaces its beginning,
 * whichever comes first. Of two beginnings the later extension stays; of two ends, the one already there.
 */
export function replaces(next: UsageEvent, present: UsageEvent): boolean {
  if (present.outcome !== "open") return false;
  return next.outcome !== "open" || sizeOf(next) > sizeOf(present);
}

/** What a call has reserved. Extensions only ever add to it. */
function sizeOf(call: Pick<LedgerCall, "inputTokens" | "outputTokens" | "costNanoUsd">): number {
  const { inputTokens, outputTokens, costNanoUsd } = call;
  return inputTokens + outputTokens + costNanoUsd;
}

const NO_TAGS: Readonly<Record<string, string>> = Object.freeze({});

function maskedTags(tags: LedgerCall["tags"]): Readonly<Record<string, string>> {
  if (tags === undefined) return NO_TAGS;
  // Made from entries, since an assignment to `__proto__` would lose that tag.
  return Object.fromEntries(Object.entries(tags).map(([name, value]) => [masked(name), masked(value)]));
}
