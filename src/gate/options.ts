import * as z from "zod";
import { type Estimator, fixed } from "../admission/estimate.js";
import type { Counters } from "../counters/counters.js";
import { memoryCounters } from "../counters/memory.js";
import type { Ledger } from "../ledger/ledger.js";
import { ValidationError } from "../model/errors.js";
import { KEY_PREFIX } from "../model/key-prefix.js";
import { msSchema } from "../model/milliseconds.js";
import { nanoUsd, usdSchema } from "../model/money.js";
import { MOMENT_MAX } from "../model/text.js";
import { aFunction, having, parse, wholeNumber } from "../model/validation.js";
import { type StandardPolicy, standardPolicy } from "../policy/standard.js";
import { type PriceCatalog, priceCatalog } from "../pricing/catalog.js";
import { memoryStorage } from "../storage/memory.js";
import type { Storage } from "../storage/storage.js";
import type { Directory } from "./chain/directory.js";
import type { Clock } from "./clock.js";
import { type SpendVelocity, type Velocity, velocityFrom, velocitySchema } from "./events/spend-velocity.js";

/**
 * What happens to a call whose price is not known while a budget applies: it is refused as `model_unpriced`, it is
 * free, or it is charged a fixed amount.
 */
export type Unpriced = "deny" | "free" | { readonly usd: number | string };

/**
 * The parts and settings of a gate. All are optional: `createGate()` runs in memory, with the standard policy and no
 * prices.
 */
export interface GateOptions<Given extends StandardPolicy = StandardPolicy> {
  /** Where records are kept. Default: in memory. */
  readonly storage?: Storage | undefined;
  /** Looks up keys and people in tables of your own, instead of in `storage`. */
  readonly directory?: Directory | undefined;
  /** Where counts are kept. Default: in memory. */
  readonly counters?: Counters | undefined;
  /** Keeps what was spent, call by call. Default: nothing is kept. See {@link createLedger}. */
  readonly ledger?: Ledger | undefined;
  /** The policy: the standard one or an extension of it. Default: `standardPolicy`. */
  readonly policy?: Given | undefined;
  /**
   * What tokens cost, by model. Default: no price is known. See {@link priceCatalog}; `unpriced` says what happens to
   * models without a price.
   */
  readonly prices?: PriceCatalog | undefined;
  /**
   * What happens to a call without a known price if a budget applies. `{ usd }` charges that many US dollars, 0 to
   * 9,000,000, for each such call. Default: `deny`.
   */
  readonly unpriced?: Unpriced | undefined;
  /**
   * How many output tokens to reserve for a call that does not say. It is asked about every model that the call may
   * reach, and the largest answer counts. Default: `fixed(1024)`.
   */
  readonly estimate?: Estimator | undefined;
  /** Tells the time by which keys expire and periods begin. Default: `Date.now`. */
  readonly clock?: Clock | undefined;
  /**
   * What tokens begin with: 1 to 32 letters, digits, `-` and `_`. Default: `sk-tg-`. After a change, the tokens that were
   * made before are refused.
   */
  readonly keyPrefix?: string | undefined;
  /**
   * The cache of key chains. `maxKeys` is how many are kept, 1 to 10,000,000; default: 10,000. `maxAgeMs` is how old
   * one may get, in milliseconds from 1 to 2,147,483,647; default: 30,000.
   */
  readonly cache?:
    | { readonly maxKeys?: number | undefined; readonly maxAgeMs?: number | undefined }
    | undefined;
  /**
   * What to do while the counters do not answer: refuse calls as `counters_unavailable`, admit them uncounted, or count
   * them in this process against a share of each limit. Default: `deny`.
   */
  readonly onCountersDown?: "deny" | "allow" | "local" | undefined;
  /**
   * With `onCountersDown: "local"`, the share of each limit that this process may use by itself: above 0 and at most 1.
   * Default: 0.25.
   *
   * With 1 divided by the number of processes that share the counters, all together use at most one full limit during
   * an outage. That comes on top of what was used before it, which they cannot see. A call that would fit the limit but
   * not the share is refused as `counters_unavailable`.
   */
  readonly localShare?: number | undefined;
  /** How long a call waits for the counters, in milliseconds from 1 to 2,147,483,647. Default: 1,000. */
  readonly countersTimeoutMs?: number | undefined;
  /**
   * How long a reservation lives, in milliseconds from 1 to 2,147,483,647. Default: an hour.
   *
   * Make it longer than the longest call. After that time a settle answers `expired`, and the estimate stays charged.
   */
  readonly reservationTtlMs?: number | undefined;
  /** When a key's spending is fast enough to emit a `spendVelocity` event. */
  readonly spendVelocity?: SpendVelocity | undefined;
  /** Whether denied attempts, to read or to write, are recorded in the audit trail too. Default: `false`. */
  readonly auditDenied?: boolean | undefined;
}

/** The options with every default filled in. */
export interface GateSettings {
  readonly storage: Storage | undefined;
  readonly directory: Directory | undefined;
  readonly counters: Counters;
  readonly ledger: Ledger | undefined;
  readonly policy: StandardPolicy;
  readonly prices: PriceCatalog;
  /** Nano-USD to charge for a call without a price, or `deny`. */
  readonly unpriced: "deny" | number;
  readonly estimate: Estimator;
  readonly clock: Clock;
  readonly keyPrefix: string;
  readonly cache: { readonly maxKeys: number; readonly maxAgeMs: number };
  readonly onCountersDown: "deny" | "allow" | "local";
  readonly localShare: number;
  readonly countersTimeoutMs: number;
  readonly reservationTtlMs: number;
  readonly spendVelocity: Velocity;
  readonly auditDenied: boolean;
}

/** A part of a gate, which `what` names for people. */
function part<T>(what: string, ...methods: string[]) {
  return z.custom<T>(
    (value) =>
      typeof value === "object" &&
      value !== null &&
      methods.every((name) => typeof Reflect.get(value, name) === "function"),
    { error: `${what}: an object with ${methods.join(", ")}` },
  );
}

const UNPRICED = '"deny", "free" or an object with usd';

const EXTENSION = "an extension of the standard policy: with its permissions, and roles owner and member";

/** Whether a policy has what the control plane asks about. With any other, nobody could do anything in a new org. */
function extendsStandard({ spec }: StandardPolicy): boolean {
  const { permissions, orgRoles, projectRoles } = standardPolicy.spec;
  const has = (part: unknown, names: object) =>
    Object.keys(names).every((name) => Object.hasOwn(Object(part), name));
  const own = Object(spec);
  return (
    has(own.permissions, permissions) && has(own.orgRoles, orgRoles) && has(own.projectRoles, projectRoles)
  );
}

const SHARE = "a number above 0 and at most 1";

const optionsSchema = z.strictObject({
  storage: part<Storage>("a storage", "get", "find", "commit", "close").optional(),
  directory: part<Directory>("a directory", "key", "principal").optional(),
  counters: part<Counters>("counters", "reserve", "settle", "read", "close").optional(),
  ledger: part<Ledger>(
    "a ledger, as createLedger makes it",
    "opened",
    "closed",
    "report",
    "close",
  ).optional(),
  policy: part<StandardPolicy>("a policy", "authorize", "visible")
    .refine(extendsStandard, { error: EXTENSION })
    .optional(),
  prices: part<PriceCatalog>("a catalog, as priceCatalog.of makes it", "price").optional(),
  unpriced: z
    .union([z.enum(["deny", "free"]), z.strictObject({ usd: usdSchema })], { error: UNPRICED })
    .optional(),
  estimate: aFunction<Estimator>().optional(),
  clock: having<Clock>("now").optional(),
  keyPrefix: z
    .string()
    .regex(/^[0-9A-Za-z_-]{1,32}$/, { error: "1 to 32 letters, digits, - and _" })
    .optional(),
  cache: z
    .strictObject({ maxKeys: wholeNumber(1, 10_000_000).optional(), maxAgeMs: msSchema.optional() })
    .optional(),
  onCountersDown: z.enum(["deny", "allow", "local"]).optional(),
  localShare: z.number({ error: SHARE }).gt(0, { error: SHARE }).max(1, { error: SHARE }).optional(),
  countersTimeoutMs: msSchema.optional(),
  reservationTtlMs: msSchema.optional(),
  spendVelocity: velocitySchema.optional(),
  auditDenied: z.boolean().optional(),
});

const HOUR_MS = 3_600_000;

/**
 * Fills in the settings of a gate from its options.
 *
 * @throws ValidationError naming the option that is wrong
 */
export function settingsFrom(options: GateOptions): GateSettings {
  const given = parse(optionsSchema, options, "options");
  return {
    storage: given.storage ?? (given.directory ? undefined : memoryStorage()),
    directory: given.directory,
    counters: given.counters ?? memoryCounters(),
    ledger: given.ledger,
    policy: given.policy ?? standardPolicy,
    prices: given.prices ?? priceCatalog.of({}),
    unpriced: unpricedNanoUsd(given.unpriced ?? "deny"),
    estimate: given.estimate ?? fixed(1024),
    clock: given.clock ? checkedClock(given.clock) : { now: () => Date.now() },
    keyPrefix: given.keyPrefix ?? KEY_PREFIX,
    cache: { maxKeys: given.cache?.maxKeys ?? 10_000, maxAgeMs: given.cache?.maxAgeMs ?? 30_000 },
    onCountersDown: given.onCountersDown ?? "deny",
    localShare: given.localShare ?? 0.25,
    countersTimeoutMs: given.countersTimeoutMs ?? 1_000,
    reservationTtlMs: given.reservationTtlMs ?? HOUR_MS,
    spendVelocity: velocityFrom(given.spendVelocity ?? {}),
    auditDenied: given.auditDenied ?? false,
  };
}

/**
 * A clock that gives whole milliseconds or throws. With NaN nothing would ever expire, and there is no calendar period
 * for nanoseconds mistaken for milliseconds. A replay may run through a time before 1970.
 */
function checkedClock(clock: Clock): Clock {
  return {
    now() {
      const now = clock.now();
      if (Number.isFinite(now) && Math.abs(now) <= MOMENT_MAX) return Math.floor(now);
      throw new ValidationError([
        { field: "options.clock", expected: "a clock that gives epoch milliseconds, at most the year 9999" },
      ]);
    },
  };
}

function unpricedNanoUsd(unpriced: Unpriced): "deny" | number {
  if (unpriced === "deny") return "deny";
  return unpriced === "free" ? 0 : nanoUsd(unpriced.usd);
}
