import { z } from "zod";
import type { Reading } from "../../admission/charge.js";
import { emptyAfter } from "../../admission/sliding-count.js";
import { parse } from "../../model/validation.js";
import { migrate, migrationText } from "../../postgres/migration.js";
import { answerOfStatement, type PostgresOptions, type PostgresPool } from "../../postgres/pool.js";
import { schemaName } from "../../postgres/schema.js";
import type { Counters, NotOpen, ReserveOutcome, ReserveRequest } from "../counters.js";
import { countersMigrations } from "./migrations.js";
import {
  answerFrom,
  chargesFrom,
  nameOf,
  readingFrom,
  type WirePart,
  type WireReading,
  wireAmounts,
  wireCharges,
  wireQuery,
} from "./wire.js";

/** Every so many reserves of a process, one also forgets up to twice as many reservations and counts: it keeps up. */
const FORGET_EVERY = 64;

export interface PostgresCountersOptions extends PostgresOptions {
  /**
   * Whose clock sliding windows, in-flight slots and the TTL of reservations go by. With `server`, processes need not
   * agree on the time. `caller` is for replays and tests: calls come one after the other there. All processes that share
   * a schema use the same one.
   *
   * @defaultValue `"server"`
   */
  readonly clock?: "server" | "caller" | undefined;
}

/** Counters in Postgres, shared by all processes that use the same schema. */
export interface PostgresCounters extends Counters {
  /**
   * Makes or updates the tables and functions. Does nothing where they are up to date; processes may all call it when
   * they start.
   */
  migrate(): Promise<void>;
}

const clockSchema = z.enum(["server", "caller"], { error: '"server" or "caller"' }).optional();

/** The SQL of {@link PostgresCounters.migrate}, for those who run it themselves: one statement that may be run again. */
export function postgresCountersSql(schema?: string): string {
  const name = schemaName(schema);
  return migrationText(name, "counters", countersMigrations(name));
}

/**
 * Counters in Postgres 14 or later. Each call is one statement, so one round trip and one transaction.
 *
 * The counts are as durable as the database makes a commit: with `synchronous_commit` off for the role of the pool they
 * are faster, and a crash of the server may forget the last fraction of a second of them.
 *
 * @throws ValidationError naming the option that is wrong
 */
export function postgresCounters({ pool, schema, clock }: PostgresCountersOptions): PostgresCounters {
  const name = schemaName(schema);
  const callerClock = parse(clockSchema, clock, "clock") === "caller";
  const call = callOf(pool, name);
  let reserves = 0;

  return {
    async reserve(request) {
      const { id, ttlMs, charges, idempotency, extend, dryRun } = request;
      const now = Math.floor(request.now);
      reserves = (reserves + 1) % FORGET_EVERY;
      // Sound: the function's answers are these.
      const answer = (await call("reserve", [
        nameOf(id),
        (extend ? "extend" : "reserve") + (dryRun ? " dry run" : ""),
        now,
        Math.ceil(ttlMs),
        wireCharges(charges),
        idempotency ? nameOf(idempotency.key) : null,
        idempotency ? nameOf(idempotency.fingerprint) : null,
        callerClock,
        reserves === 0 ? 2 * FORGET_EVERY : 0,
      ])) as ReserveAnswer;
      return outcomeOf(answer, request, callerClock ? now : undefined);
    },

    async settle({ id, now, amounts }) {
      const values = [nameOf(id), Math.floor(now), wireAmounts(amounts), callerClock];
      // Sound: as above.
      const answer = (await call("settle", values)) as { outcome: "settled" | NotOpen; used: number[] };
      if (answer.outcome !== "settled") return { outcome: answer.outcome };
      return { outcome: "settled", used: answer.used };
    },

    async read({ now, charges }) {
      const values = [Math.floor(now), wireQuery(charges), callerClock];
      return ((await call("read", values)) as WireReading[]).map(readingFrom); // sound: as above
    },

    migrate: () => migrate(pool, postgresCountersSql(name)),
    // The pool is the caller's.
    async close() {},
  };
}

type ReserveAnswer =
  | {
      readonly outcome: "reserved" | "replayed";
      readonly id: string;
      /** The moment of the call, on the counters' clock. */
      readonly at: number;
      readonly reservedAt: number;
      readonly expiresAt: number;
      readonly charges: WirePart["charges"] | null;
      readonly extensions: readonly WirePart[] | null;
      readonly readings: readonly WireReading[];
      readonly shadow: readonly WireReading[] | null;
    }
  | { readonly outcome: "refused"; readonly readings: readonly WireReading[] }
  | { readonly outcome: "conflict" | NotOpen };

/** @param callerNow the clock that waits are told from, where it is the caller's */
function outcomeOf(
  answer: ReserveAnswer,
  { charges, dryRun, id }: ReserveRequest,
  callerNow: number | undefined,
): ReserveOutcome {
  if (answer.outcome === "refused") return { outcome: "refused", readings: answer.readings.map(readingFrom) };
  if (answer.outcome !== "reserved" && answer.outcome !== "replayed") return { outcome: answer.outcome };
  const { outcome, at, reservedAt, expiresAt } = answer;
  const foreseen = dryRun && outcome === "reserved";
  const readings = answer.readings.map(readingFrom).map((reading, i): Reading => {
    const charge = charges[i];
    if (!foreseen || charge === undefined) return reading;
    const { limit, amount } = charge;
    const used = reading.used + amount;
    if (limit.window.kind !== "sliding" || amount === 0) return { ...reading, used };
    return { ...reading, used, resetMs: emptyAfter(limit.window.lengthMs, at) - (callerNow ?? at) };
  });
  return {
    outcome,
    id: outcome === "replayed" ? answer.id : id,
    reservedAt,
    expiresAt,
    charges: answer.charges
      ? chargesFrom([{ charges: answer.charges }, ...(answer.extensions ?? [])])
      : charges,
    used: readings.map(({ used }) => used),
    resetMs: readings.map(({ resetMs }) => resetMs),
    shadow: answer.shadow?.map(readingFrom),
  };
}

/** Calls of the functions in a schema, each one statement. */
function callOf(pool: PostgresPool, schema: string) {
  const texts = {
    reserve: `SELECT "${schema}".reserve($1, $2, $3, $4, $5, $6, $7, $8, $9)::text`,
    settle: `SELECT "${schema}".settle($1, $2, $3, $4)::text`,
    read: `SELECT "${schema}".read($1, $2, $3)::text`,
  };
  return async (name: keyof typeof texts, values: unknown[]): Promise<unknown> =>
    answerFrom(await answerOfStatement(pool, texts[name], values));
}
