import type { Tokens, UsageEvent } from "./usage-event.js";

/** A quarter of an hour: the smallest unit by which sums are told apart in time. */
export const QUARTER_MS = 900_000;

/** What sums can be told apart by. `quarter` is the quarter of an hour of the admission, in epoch milliseconds. */
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
  /** Epoch milliseconds. */
  readonly from: number;
  readonly to: number;
  /** An open call is expired where its `expiresAt` is not after this moment. */
  readonly now: number;
  /** Adds up the calls that are under way instead: the open ones that are not expired. */
  readonly underWay?: boolean | undefined;
  /** A call counts once under each of its tags, `name=value`, and under the empty text where it has none. */
  readonly by: readonly SumField[];
}

/** Sums over the calls that share the values of `by`: those that have ended, unless asked for those under way. */
export interface Sums extends Tokens {
  /** The values of `by`, each as text: `true`, `false`, a number of milliseconds, an id. */
  readonly group: readonly string[];
  /** Calls that count as one: all but the released. */
  readonly calls: number;
  readonly released: number;
  readonly disconnected: number;
  /** Calls without an end. */
  readonly expired: number;
  /** What it cost the org. A number would not be exact above 9,007,199 USD. */
  readonly costNanoUsd: bigint;
  /** What the calls on the customer's own provider keys cost. */
  readonly byokNanoUsd: bigint;
}

/** Where usage events are kept. */
export interface LedgerSink {
  /**
   * Takes over events, at most one for each id, all or none; resolves once they are kept. The same ones may come again.
   * The end of a call replaces its beginning, whichever comes first; of two beginnings the later extension stands, of two
   * ends the one that is there.
   */
  write(events: readonly UsageEvent[]): Promise<void>;
  /** Adds up what is kept. Absent where the sink cannot be read. */
  sum?(query: SumQuery): Promise<Sums[]>;
  /** The calls of an org whose end is not known, latest admission first. */
  open?(query: OpenQuery): Promise<UsageEvent[]>;
  close?(): Promise<void>;
}

export interface OpenQuery {
  readonly orgId: string;
  /** Only the calls of these keys; of every key by default. */
  readonly keyIds?: readonly string[] | undefined;
  /** Epoch milliseconds: admitted at or after this moment. */
  readonly from: number;
  readonly limit: number;
}

/** A sink that can be read. */
export type ReadableSink = LedgerSink & Required<Pick<LedgerSink, "sum" | "open">>;
