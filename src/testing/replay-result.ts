import type { LimitReading } from "../admission/limit-reading.js";
import type { RefusalReason } from "../admission/reasons.js";

/** How many calls were refused, for each reason that occurred. */
export type ReasonCounts = Readonly<Partial<Record<RefusalReason, number>>>;

/** How the calls of one caller fared. */
export interface CallerResult {
  readonly name: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly keyId: string;
  readonly calls: number;
  readonly admitted: number;
  readonly refused: number;
  readonly reasons: ReasonCounts;
  /** Input tokens of the calls that were settled. */
  readonly inputTokens: number;
  /** Output tokens of the calls that were settled. */
  readonly outputTokens: number;
  /** The cost of these calls in nano-USD. */
  readonly costNanoUsd: number;
  /** The same in US dollars. */
  readonly usd: number;
}

/** What one limit did. */
export interface LimitResult {
  /** The org it belongs to. */
  readonly orgId: string;
  /** The project of a limit at project, member or key scope. */
  readonly projectId?: string;
  /** The caller whose key has the limit. Absent for other scopes. */
  readonly caller?: string;
  /** The limit at the end of the replay, when everything is settled. */
  readonly reading: LimitReading;
  /** Admitted calls that counted against it. */
  readonly admitted: number;
  /** Calls whose refusal named it. In shadow mode, calls that it would have refused. */
  readonly refused: number;
  /** The reasons of those refusals. */
  readonly reasons: ReasonCounts;
  /** Settles that put it above its max. Always 0 in shadow mode. */
  readonly overdrafts: number;
  /** The largest share of the max ever in use, open reservations included. 1 is all of it. */
  readonly peak: number;
  /** The mean share of the max in use from the first arrival to the last, open reservations included. */
  readonly mean: number;
}

/** What a trace did to a setup. Plain data. */
export interface ReplayResult {
  readonly calls: number;
  readonly admitted: number;
  readonly refused: number;
  readonly reasons: ReasonCounts;
  /** Settles that were not counted because their reservation had expired. */
  readonly lateSettles: number;
  /** The first arrival, in epoch milliseconds of the trace. */
  readonly startsAt: number;
  /** The end of the last stream, in epoch milliseconds of the trace. */
  readonly endsAt: number;
  /** In the order of the setup. */
  readonly callers: readonly CallerResult[];
  /** The limits of every chain, each once, in the order org, project, member, key. */
  readonly limits: readonly LimitResult[];
  /** How long the replay took, in real milliseconds. */
  readonly elapsedMs: number;
  /** Calls per second of that time: each admitted or refused, settled, and passed to `onStep`. */
  readonly callsPerSecond: number;
}
