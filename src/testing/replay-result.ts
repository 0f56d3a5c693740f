import type { LimitReading } from "../admission/limit-reading.js";
import type { RefusalReason } from "../admission/reasons.js";

/** How many calls were refused for each reason that occurred. */
export type ReasonCounts = Readonly<Partial<Record<RefusalReason, number>>>;

/** What became of the calls of one caller. */
export interface CallerResult {
  readonly name: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly keyId: string;
  readonly calls: number;
  readonly admitted: number;
  readonly refused: number;
  readonly reasons: ReasonCounts;
  /** Tokens of the calls that were settled. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Their cost in nano-USD, and the same in dollars. */
  readonly costNanoUsd: number;
  readonly usd: number;
}

/** What one limit did. */
export interface LimitResult {
  /** The org it belongs to. */
  readonly orgId: string;
  /** Of a project, a member or a key: the project. */
  readonly projectId?: string;
  /** The caller whose key has it; absent for the other scopes. */
  readonly caller?: string;
  /** The limit as it stands at the end of the replay, everything settled. */
  readonly reading: LimitReading;
  /** Admitted calls that counted against it. */
  readonly admitted: number;
  /** Calls for whose refusal it was named; in shadow mode, calls it would have refused. */
  readonly refused: number;
  /** The reasons given then. */
  readonly reasons: ReasonCounts;
  /** Settles that put it above its max; always 0 in shadow mode. */
  readonly overdrafts: number;
  /** Largest part of the max that was ever in use, open reservations included: 1 is all of it. */
  readonly peak: number;
  /** Mean part of the max in use from the first arrival to the last, open reservations included. */
  readonly mean: number;
}

/** What a trace did to a setup. Plain data. */
export interface ReplayResult {
  readonly calls: number;
  readonly admitted: number;
  readonly refused: number;
  readonly reasons: ReasonCounts;
  /** Settles that were not counted: their reservation had expired. */
  readonly lateSettles: number;
  /** The first arrival and the end of the last stream, in epoch milliseconds of the trace. */
  readonly startsAt: number;
  readonly endsAt: number;
  /** In the order of the setup. */
  readonly callers: readonly CallerResult[];
  /** Of every chain, each once, in the order org, project, member, key. */
  readonly limits: readonly LimitResult[];
  /** Real milliseconds that the replay took. */
  readonly elapsedMs: number;
  /** Calls for each second of those, each admitted or refused, settled and told to `onStep`. */
  readonly callsPerSecond: number;
}
