import { randomBytes } from "node:crypto";
import type { Reading } from "../../admission/charge.js";
import { ConflictError } from "../../model/errors.js";
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
import { inOrder, notOpenFrom, type Reply, readingsFrom, STATUS } from "../wire/reply.js";
import { RequestEncoder } from "../wire/request.js";
import { type Connection, connectionOf } from "./client.js";
import { EvictionWarning } from "./eviction-warning.js";
import { KeyNames, nameOf } from "./key-names.js";
import { PLAN_EXTRA_MS } from "./lua/plans.js";
import { type RedisCountersOptions, settingsFrom } from "./options.js";
import { type RedisLayout, redisLayout } from "./redis-layout.js";
import { LOOK_SCRIPT, PLANS_SCRIPT, READ_SCRIPT, run, type Script } from "./scripts.js";

/** Tells a script to use the server's clock. */
const SERVER_CLOCK = -1;

/** How long keys are kept at least on the caller's clock, which does not measure how long a key is needed. */
const CALLER_CLOCK_LEAST_MS = 86_400_000;

/** How often a call retries because another was faster: took its idempotency key, or extended its reservation. */
const LOOKS_MAX = 8;

/**
 * A plan is not relied on for this long before it may be gone, since a call that leaves it out may be under way that
 * long.
 */
const ON_THE_WAY_MS = 1_800_000;

/** The field of a scope with the clock of the counts that have fields of their own; see `lua/rows.ts`. */
const SINGLES = "@";

/** The place of the plan in the arguments of a reserve. */
const PLAN = 3;

/**
 * A reply in place of an outcome: the id of a reservation that may be the answer, or empty for the one that was asked
 * for.
 */
interface Look {
  readonly look: string;
  /** The layout of the call. */
  readonly layout: RedisLayout;
}

/**
 * Makes counters that many processes share, in Redis (6.2 or later) or Valkey.
 *
 * Each reserve, settle or read is one script call, however many limits there are. A replay of an idempotency key takes
 * two more calls, and a settle of other limits than were reserved takes one more. It works with single servers and
 * clusters, as everything of an org is in one slot. See `docs/internals/redis.md` for the keys.
 *
 * @throws ValidationError naming the option that is wrong
 */
export function redisCounters(options: RedisCountersOptions): Counters {
  return new RedisCounters(options);
}

class RedisCounters implements Counters {
  readonly #connection: Connection;
  readonly #names: KeyNames;
  readonly #encoder: RequestEncoder<RedisLayout>;
  readonly #onServerClock: boolean;
  readonly #leastMs: number;
  readonly #rememberMs: number;
  readonly #eviction: EvictionWarning;
  /** The beginning of every nonce of this process, and of no other. */
  readonly #nonce = randomBytes(9).toString("base64url");
  #calls = 0;
  /**
   * The latest moment of any call, for the caller's clock only. It is never below 0, since -1 stands for the server's
   * clock: a moment before 1970 counts as 0.
   */
  #now = 0;

  constructor(options: RedisCountersOptions) {
    const { client, prefix, clock, rememberClosedMs } = settingsFrom(options);
    this.#connection = connectionOf(client);
    this.#names = new KeyNames(prefix);
    this.#encoder = new RequestEncoder(nameOf, (layout) => redisLayout(layout, this.#names));
    this.#onServerClock = clock === "server";
    this.#leastMs = this.#onServerClock ? 0 : CALLER_CLOCK_LEAST_MS;
    this.#rememberMs = Math.max(rememberClosedMs, this.#leastMs);
    this.#eviction = new EvictionWarning(this.#connection, `${prefix}eviction-check`);
  }

  async reserve(request: ReserveRequest): Promise<ReserveOutcome> {
    const clock = request.dryRun ? this.#at(request.now) : this.#clamp(request.now);
    const nonce = request.extend ? this.#nextNonce() : request.id;
    let closed = "";
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      const answer = await this.#reserve(request, clock, nonce, closed);
      if ("outcome" in answer) return answer;
      const looked = await this.#look(request, answer, clock);
      if (looked !== undefined) return looked;
      closed = answer.look;
    }
    // This is not an outage: the server answers, and other calls are faster.
    throw new ConflictError("other calls kept taking the idempotency key; try again");
  }

  async settle(request: SettleRequest): Promise<SettleOutcome> {
    const { id, orgId, now, amounts } = request;
    const clock = this.#clamp(now);
    const sent = this.#encoder.encode(orgId, amounts, [clock, this.#rememberMs, this.#leastMs]);
    const { layout, numbers } = sent;
    const nonce = this.#nextNonce();
    const settle = (plan: string, others: readonly string[]) => {
      const plans = others.map((tags) => this.#names.plan(orgId, tags));
      const keys = [this.#names.reservation(orgId, id), ...layout.keys, ...plans, layout.planKey];
      return this.#run(layout.settle, keys, [nonce, `[${numbers}]`, layout.tags, plan, ...others]);
    };
    let reply = await settle("", []);
    let others: readonly string[] = [];
    for (let asked = 0; Number(reply[0]) === -STATUS.unplanned; asked++) {
      if (asked === LOOKS_MAX)
        throw new ConflictError("other calls kept extending the reservation; try again");
      others = [...new Set([...others, ...reply.slice(1).map(String)])];
      reply = await settle(layout.plan, others);
    }
    return settledFrom(request, sent, reply, this.#onServerClock ? now : clock);
  }

  async read({ orgId, now, charges }: ReadQuery): Promise<Reading[]> {
    const { layout, numbers, charges: sent } = this.#encoder.encodeToRead(orgId, charges, [0, 0, 0]);
    const args = [String(this.#at(now)), `[${numbers}]`, "", layout.plan];
    const reply = await this.#run(READ_SCRIPT, [...layout.keys], args);
    const clocks = clocksFrom(reply[0], reply[1], now, this.#onServerClock);
    return [...inOrder(readingsFrom(reply, 2, sent, clocks), layout.places)];
  }

  /** The client is the caller's to close. */
  async close(): Promise<void> {}

  /**
   * One attempt at a reserve.
   *
   * @param closed id of the reservation that had the idempotency key at the last attempt and is closed by now
   */
  async #reserve(
    request: ReserveRequest,
    clock: number,
    nonce: string,
    closed: string,
  ): Promise<ReserveOutcome | Look> {
    const { id, orgId, now, ttlMs, charges, extend = false, dryRun = false } = request;
    const idempotency = extend ? undefined : request.idempotency;
    const mode = (extend ? 1 : 0) + (dryRun ? 2 : 0);
    const keptMs = ttlMs + this.#rememberMs;
    const sent = this.#encoder.encode(orgId, charges, [ttlMs, keptMs, now]);
    const { layout, numbers } = sent;
    const keys = [this.#names.reservation(orgId, id)];
    if (idempotency) keys.push(this.#names.idempotency(orgId, idempotency.key));
    keys.push(...layout.keys, layout.planKey);
    const sentAt = performance.now();
    const isKept = sentAt + keptMs <= layout.planKeptUntil;
    const args = ["", `[${numbers}]`, layout.tags, isKept ? "" : layout.plan];
    if (clock !== SERVER_CLOCK || mode !== 0 || idempotency) {
      args[0] = `[${clock},${this.#leastMs},${mode}]`;
      args.push(nonce, idempotency ? nameOf(idempotency.fingerprint) : "", closed);
    }
    let reply = await this.#run(layout.reserve, keys, args);
    if (Number(reply[0]) === STATUS.unplanned) {
      args[PLAN] = layout.plan;
      reply = await this.#run(layout.reserve, keys, args);
    }
    const status = Number(reply[0]);
    if (status === STATUS.look) return { look: String(reply[1]), layout };
    // In place of a status, the short way replies with the moment, which is also the server's time.
    const whole = status > STATUS.unplanned ? [STATUS.reserved, status, ...reply] : [...reply];
    if (extend && Array.isArray(whole.at(-1))) whole.push(await this.#planned(layout, whole.pop()));
    const outcome = outcomeFrom(request, sent, whole, this.#onServerClock);
    if (outcome.outcome === "reserved" && !dryRun && args[PLAN] !== "") {
      layout.planKeptUntil = sentAt + keptMs + PLAN_EXTRA_MS - ON_THE_WAY_MS;
    }
    return outcome;
  }

  /**
   * The answer if a reservation may already exist: one with the same idempotency key, or the very one that is asked
   * for, if the client sent the request twice. Undefined if the former was closed meanwhile, so that the idempotency
   * key is free.
   */
  async #look(
    request: ReserveRequest,
    { look, layout }: Look,
    clock: number,
  ): Promise<ReserveOutcome | undefined> {
    const { orgId, now, idempotency } = request;
    const id = look || request.id;
    const rows = layout.scopes.flatMap((scope, i) =>
      [...scope.rows.map(({ field }) => field), SINGLES].map((field) => ({
        key: layout.keys[i] ?? "",
        field,
      })),
    );
    const keys = [this.#names.reservation(orgId, id), ...rows.map(({ key }) => key)];
    const args = [String(clock), ...rows.map(({ field }) => field)];
    const [status, told] = await this.#run(LOOK_SCRIPT, keys, args);
    if (Number(status) !== STATUS.reserved) {
      return id === request.id ? { outcome: notOpenFrom(Number(status)) } : undefined;
    }
    const record = recordFrom(await this.#planned(layout, told), this.#onServerClock);
    if (idempotency && nameOf(idempotency.fingerprint) !== record.fingerprint) return { outcome: "conflict" };
    const asked = request.extend ? request.charges : record.charges;
    return replayFrom(request, id, record, await this.read({ orgId, now, charges: asked }));
  }

  /** A record as a script returns it, with the plan of each part in place of its tags; see `recordFrom`. */
  async #planned({ orgId, tags, plan }: RedisLayout, told: unknown): Promise<unknown[]> {
    const record = told as readonly unknown[]; // sound: a script tells an array here
    const isTags = (place: number) => place > 0 && place % 4 === 0;
    const plans = new Map<unknown, unknown>([[tags, plan]]);
    const others = [...new Set(record.filter((told, i) => isTags(i) && told !== tags))];
    if (others.length > 0) {
      const keys = others.map((one) => this.#names.plan(orgId, String(one)));
      const kept = await this.#run(PLANS_SCRIPT, keys, []);
      for (const [i, one] of others.entries()) plans.set(one, kept[i]);
    }
    if ([...plans.values()].includes(null))
      throw new Error("Redis has lost the limits of an open reservation");
    return record.map((told, i) => {
      if (!isTags(i)) return told;
      return i > 4 && told === record[i - 4] ? "" : plans.get(told);
    });
  }

  async #run(script: Script, keys: string[], args: string[]): Promise<Reply> {
    const reply = run(this.#connection, script, keys, args);
    this.#eviction.look(reply);
    return (await reply) as Reply; // sound: every script replies with an array
  }

  #nextNonce(): string {
    return this.#nonce + (++this.#calls).toString(36);
  }

  /** The clock as a script is given it. */
  #at(callerNow: number): number {
    return this.#onServerClock ? SERVER_CLOCK : Math.max(this.#now, callerNow);
  }

  /** The same for a call that counts, which moves the caller's clock forward. Time never runs backwards for a count. */
  #clamp(callerNow: number): number {
    if (callerNow > this.#now) this.#now = callerNow;
    return this.#at(callerNow);
  }
}
