import type { Tokens, UsageEvent } from "./usage-event.js";

/** A quarter of an hour, the smallest unit of time that sums are split by. */
export const QUARTER_MS = 900_000;

/** What sums can be split by. `quarter` is the quarter of an hour of the admission, in epoch milliseconds. */
export type SumField =
  | "projectId"
  | "userId"
  | "keyId"
  | "model"
  | "requested"
  | "countedAs"
  | "mcp"
  | "byok"
  | "outcome"
  | "tag"
  | "quarter";

/** Which calls to add up: those of one org that were admitted from `from` to before `to`. */
export interface SumQuery {
  readonly orgId: string;
  readonly projectId?: string | undefined;
  readonly userId?: string | undefined;
  readonly keyId?: string | undefined;
  /** Epoch milliseconds, inclusive. */
  readonly from: number;
  readonly to: number;
  /** The present, in epoch milliseconds. An open call whose `expiresAt` is not after it counts as expired. */
  readonly now: number;
  /** Add up the calls that are under way instead: open ones that have not expired. */
  readonly underWay?: boolean | undefined;
  /**
   * What to split the sums by. By tag, a call counts once under each of its tags, `name=value`, or under the empty text
   * if it has none.
   */
  readonly by: readonly SumField[];
}

/** A part of an org: a project, a user, or a user in a project. Empty: the whole org. */
export interface ReportScope {
  readonly projectId?: string | undefined;
  readonly userId?: string | undefined;
}

/**
 * The sums over the calls that share the values of `by`: calls that have ended, unless those under way were asked for.
 */
export interface Sums extends Tokens {
  /** The values of `by`, each as text: `true`, `false`, a number of milliseconds, or an id. */
  readonly group: readonly string[];
  /** All calls except released ones. */
  readonly calls: number;
  readonly released: number;
  readonly disconnected: number;
  /** Calls whose end is not known and whose reservation has expired. */
  readonly expired: number;
  /** What the org has to pay, in nano-USD. A number would not be exact above 9,007,199 USD. */
  readonly costNanoUsd: bigint;
  /** What the calls on the customer's own provider keys cost, in nano-USD. */
  readonly byokNanoUsd: bigint;
}

/** Keeps usage events. */
export interface LedgerSink {
  /**
   * Keeps events: all of them or none, at most one for each id. It resolves once they are kept, and may be given the
   * same events again.
   *
   * The end of a call replaces its beginning, whichever comes first. Of two beginnings the later extension stays; of
   * two ends, the one already kept.
   */
  write(events: readonly UsageEvent[]): Promise<void>;
  /** Adds up what is kept. Absent if the sink cannot be read. */
  sum?: ((query: SumQuery) => Promise<Sums[]>) | undefined;
  /**
   * Adds up only what lies in any of these parts of the org, each call once. If it is absent, `sum` is asked about one
   * part after the other. Whoever administers many projects then waits that many times as long for a report.
   */
  sumWithin?: ((query: SumQuery, within: readonly ReportScope[]) => Promise<Sums[]>) | undefined;
  /** The calls of an org whose end is not known, latest admission first. Absent if the sink cannot be read. */
  open?: ((query: OpenQuery) => Promise<UsageEvent[]>) | undefined;
  /** Closes the sink. Called once, by `Ledger.close`. */
  close?: (() => Promise<void>) | undefined;
}

/** Which calls without a known end to return. */
export interface OpenQuery {
  readonly orgId: string;
  /** Only the calls of these keys. Default: every key. */
  readonly keyIds?: readonly string[] | undefined;
  /** Only calls admitted at or after this moment, in epoch milliseconds. */
  readonly from: number;
  /** The most calls to return. */
  readonly limit: number;
}

/** A sink that can be read. */
export interface ReadableSink extends LedgerSink {
  sum(query: SumQuery): Promise<Sums[]>;
  open(query: OpenQuery): Promise<UsageEvent[]>;
}
