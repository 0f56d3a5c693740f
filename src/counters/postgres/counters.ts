import * as z from "zod";
import type { Reading } from "../../admission/charge.js";
import { CountersUnavailableError } from "../../model/errors.js";
import { parse, wholeNumber } from "../../model/validation.js";
import { migrate, migrationText } from "../../postgres/migration.js";
import {
  answersOfStatement,
  isAboutValues,
  notMigrated,
  type PostgresOptions,
  type PostgresPool,
  postgresOptions,
} from "../../postgres/pool.js";
import { schemaName } from "../../postgres/schema.js";
import { fromStorableJson } from "../../postgres/text.js";
import type {
  Counters,
  ReadQuery,
  ReserveOutcome,
  ReserveRequest,
  SettleOutcome,
  SettleRequest,
} from "../counters.js";
import { clocksFrom, outcomeFrom, replayFrom, settledFrom } from "../wire/outcome.js";
import { recordFrom } from "../wire/record.js";
import { inOrder, type Reply, readingsFrom, STATUS } from "../wire/reply.js";
import { RequestEncoder } from "../wire/request.js";
import { type CountingCall, GroupedCalls } from "./grouped-calls.js";
import { countersMigrations } from "./migrations.js";
import { arrayOf, element, nameOf, postgresLayout, type RowName, rowsTold } from "./postgres-layout.js";
import { KEPT_MS } from "./rows-sql.js";

/**
 * At least one in this many reserves of a process also deletes reservations that no longer matter, and rows of counts
 * where it has made one: up to four times as many, so that it keeps up.
 */
const FORGET_EVERY = 64;
const FORGET_MOST = 4 * FORGET_EVERY;

/** No plan has it: they are JSON, which escapes it. */
const BETWEEN_PLANS = "\u001e";

/** Options of {@link postgresCounters}. */
export interface PostgresCountersOptions extends PostgresOptions {
  /**
   * The clock for sliding windows, in-flight slots and the TTL of reservations. With `server`, processes need not agree
   * on the time. `caller` is for replays and tests, where calls come one after the other. All processes that share a
   * schema use the same one. Default: `server`.
   */
  readonly clock?: "server" | "caller" | undefined;
  /**
   * How long a reserve may wait in this process until it is sent to the database, in milliseconds from 1 to 3,600,000.
   * Then it rejects with CountersUnavailableError, and nothing was charged. Default: 500.
   *
   * If more calls arrive than the database takes, each of them waits this long. So keep it well below the gate's
   * `countersTimeoutMs`; the default is half of that option's default.
   */
  readonly reserveWaitMs?: number | undefined;
}

/** Counters in Postgres, shared by all processes that use the same schema. */
export interface PostgresCounters extends Counters {
  /** Creates or updates the tables and functions, if necessary. All processes may call it when they start. */
  migrate(): Promise<void>;
}

const optionsSchema = z.strictObject({
  ...postgresOptions,
  clock: z.enum(["server", "caller"], { error: '"server" or "caller"' }).optional(),
  reserveWaitMs: wholeNumber(1, 3_600_000, "a whole number of milliseconds").optional(),
});

/**
 * Returns the SQL of {@link PostgresCounters.migrate}, to run it yourself: one statement that may be run again.
 *
 * @param schema the schema of the tables and functions. Default: `tollgate`.
 * @throws ValidationError if `schema` is not the name of a schema
 */
export function postgresCountersSql(schema?: string): string {
  const name = schemaName(schema);
  return migrationText(name, "counters", countersMigrations(name));
}

/**
 * Makes counters in Postgres 14 or later. Each call is one statement, so one round trip and one transaction, which
 * concurrent calls share. A replay takes one more.
 *
 * Counts are as durable as the database's commits. With `synchronous_commit` off for the pool's role they are faster,
 * and a crash of the server may lose the last fraction of a second.
 *
 * @throws ValidationError naming the option that is wrong
 */
export function postgresCounters(options: PostgresCountersOptions): PostgresCounters {
  const { pool, schema, clock, reserveWaitMs = 500 } = parse(optionsSchema, options ?? {}, "options");
  return new CountersInPostgres(pool, schemaName(schema), clock !== "caller", reserveWaitMs);
}

class CountersInPostgres implements PostgresCounters {
  readonly #pool: PostgresPool;
  readonly #schema: string;
  readonly #onServerClock: boolean;
  readonly #encoder = new RequestEncoder(nameOf, postgresLayout);
  readonly #texts: ReturnType<typeof textsOf>;
  readonly #calls: GroupedCalls;
  /** Reserves until one also deletes. It begins anywhere, so that processes with few reserves delete too. */
  #untilForget = Math.floor(Math.random() * FORGET_EVERY);

  constructor(pool: PostgresPool, schema: string, onServerClock: boolean, reserveWaitMs: number) {
    this.#pool = pool;
    this.#schema = schema;
    this.#onServerClock = onServerClock;
    this.#texts = textsOf(schema);
    this.#calls = new GroupedCalls((calls) => this.#count(calls), isAboutValues, reserveWaitMs);
  }

  async reserve(request: ReserveRequest): Promise<ReserveOutcome> {
    const { id, orgId, ttlMs, charges, idempotency, extend = false, dryRun = false } = request;
    const lives = Math.ceil(ttlMs);
    const header = [lives, lives + KEPT_MS, Math.floor(request.now)] as const;
    const sent = this.#encoder.encode(orgId, charges, header);
    const { rows, told, json, tags, plan } = sent.layout;
    const name = nameOf(id);
    const numbers = `{${sent.numbers}}`;
    const key = idempotency && !extend ? nameOf(idempotency.key) : null;
    const fingerprint = idempotency ? nameOf(idempotency.fingerprint) : null;
    let reply: Reply;
    if (dryRun) {
      const values = [name, numbers, tags, extend, plan, key, fingerprint];
      reply = await this.#call("foresee", [!this.#onServerClock, ...rowsTold(rows), ...told, ...values]);
    } else {
      const locks = [element(`id ${name}`)];
      if (key !== null) locks.push(element(`key ${key}`));
      const values = [
        JSON.stringify(name),
        `"${numbers}"`,
        json.tags,
        String(extend),
        JSON.stringify(key),
        JSON.stringify(fingerprint),
      ];
      reply = await this.#calls.run({ name: "reserve", rows, locks, told: json.told, plan, values });
    }
    if (reply[0] === STATUS.look) return this.#replayed(request, reply);
    return outcomeFrom(request, sent, reply, this.#onServerClock);
  }

  async settle(request: SettleRequest): Promise<SettleOutcome> {
    const { id, orgId, now, amounts } = request;
    const clock = Math.floor(now);
    const sent = this.#encoder.encode(orgId, amounts, [0, 0, clock]);
    const { layout, numbers } = sent;
    const { rows, json } = layout;
    const name = nameOf(id);
    const values = [JSON.stringify(name), `"{${numbers}}"`, json.tags];
    const locks = [element(`id ${name}`)];
    const call = { name: "settle", rows, locks, told: json.told, values } as const;
    return settledFrom(request, sent, await this.#calls.run(call), clock);
  }

  async read({ orgId, now, charges }: ReadQuery): Promise<Reading[]> {
    const sent = this.#encoder.encodeToRead(orgId, charges, [0, 0, Math.floor(now)]);
    const { rows, told } = sent.layout;
    const values = [!this.#onServerClock, ...rowsTold(rows), ...told, `{${sent.numbers}}`];
    const reply = await this.#call("read", values);
    const clocks = clocksFrom(reply[0], reply[1], now, this.#onServerClock);
    return [...inOrder(readingsFrom(reply, 2, sent.charges, clocks), sent.layout.places)];
  }

  migrate(): Promise<void> {
    return migrate(this.#pool, postgresCountersSql(this.#schema));
  }

  /** The pool is the caller's. */
  async close(): Promise<void> {}

  /** The reservation that is already open in place of the requested one. */
  async #replayed(request: ReserveRequest, [, name, told]: Reply): Promise<ReserveOutcome> {
    const { orgId, now, idempotency } = request;
    const record = recordFrom(told, this.#onServerClock);
    if (idempotency && nameOf(idempotency.fingerprint) !== record.fingerprint) return { outcome: "conflict" };
    const id = String(fromStorableJson(JSON.stringify(name)));
    return replayFrom(request, id, record, await this.read({ orgId, now, charges: record.charges }));
  }

  async #count(calls: readonly CountingCall[]): Promise<readonly Reply[]> {
    const rows: RowName[] = [];
    const places = new Map<string, number>();
    const told = new Map<string, number>();
    const plans = new Map<string, number>();
    const locks = new Set<string>();
    const sent = calls.map((call) => {
      const own = call.rows.map((row) => {
        const place = places.get(row.name) ?? rows.push(row);
        places.set(row.name, place);
        locks.add(row.lock);
        return place;
      });
      for (const lock of call.locks) locks.add(lock);
      const at = told.get(call.told) ?? told.size;
      told.set(call.told, at);
      return `["${call.name}",${at},"${arrayOf(own)}",${placeIn(plans, call.plan)},${call.values.join(",")}]`;
    });
    const forgets = this.#untilForget <= 0;
    const values = [
      `[${sent.join(",")}]`,
      `[${[...told.keys()].join(",")}]`,
      [...plans.keys()].join(BETWEEN_PLANS),
      !this.#onServerClock,
      arrayOf([...locks].sort()),
      ...rowsTold(rows),
      forgets ? FORGET_MOST : 0,
    ];
    const replies = await this.#answers(this.#texts.count_calls, values);
    const reserved = calls.filter(({ name }, i) => name === "reserve" && isReserved(replies[i])).length;
    // The statement deletes only if it has reserved something.
    if (reserved > 0) this.#untilForget = (forgets ? drawnGap() : this.#untilForget) - reserved;
    return replies;
  }

  async #call(name: "foresee" | "read", values: readonly unknown[]): Promise<Reply> {
    const [reply] = await this.#answers(this.#texts[name], values);
    if (reply === undefined) throw new Error(`the database did not answer ${name}`);
    return reply;
  }

  /** Each answer of a function is the text of a JSON array. */
  async #answers(text: string, values: readonly unknown[]): Promise<Reply[]> {
    try {
      const answers = await answersOfStatement(this.#pool, text, [...values]);
      return answers.map((answer) => JSON.parse(String(answer)) as Reply); // sound: they are arrays
    } catch (error) {
      const advice = notMigrated(error, "postgresCounters");
      throw advice === undefined
        ? error
        : new CountersUnavailableError(`the counters failed: ${advice}`, error);
    }
  }
}

/** The place of a plan in a list, from 1, where it is put if it is not there; 0 for none. */
function placeIn(plans: Map<string, number>, plan: string | undefined): number {
  if (plan === undefined) return 0;
  const place = plans.get(plan) ?? plans.size + 1;
  plans.set(plan, place);
  return place;
}

/**
 * How many reserves lie between two that delete: drawn, since calls may come in a rhythm in which those that make a row
 * of counts would never be among them.
 */
function drawnGap(): number {
  return Math.ceil((FORGET_EVERY * (1 + Math.random())) / 2);
}

/** Statements that call the functions of a schema. */
function textsOf(schema: string) {
  const call = (name: string, count: number) => {
    const values = Array.from({ length: count }, (_, i) => `$${i + 1}`).join(", ");
    return `SELECT "${schema}".${name}(${values})`;
  };
  return { count_calls: call("count_calls", 8), foresee: call("foresee", 13), read: call("read", 7) };
}

function isReserved(reply: Reply | undefined): boolean {
  return reply?.[0] === STATUS.reserved || reply?.[0] === STATUS.reservedInShadow;
}
