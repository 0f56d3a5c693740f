import * as z from "zod";
import { type Estimator, fixed } from "../admission/estimate.js";
import type { Counters } from "../counters/counters.js";
import { memoryCounters } from "../counters/memory.js";
import type { Ledger } from "../ledger/ledger.js";
import { ValidationError } from "../model/errors.js";
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

/** What becomes of a call that a budget applies to and whose price is not known. */
export type Unpriced = "deny" | "free" | { readonly usd: number | string };

/** What a gate is made of. Every option has a default: `createGate()` runs in memory, with the standard policy and without prices. */
export interface GateOptions<Given extends StandardPolicy = StandardPolicy> {
  /** Records at rest; in memory by default. */
  readonly storage?: Storage | undefined;
  /** Who is who, instead of `storage`, for people with tables of their own. */
  readonly directory?: Directory | undefined;
  /** Counts in motion; in memory by default. */
  readonly counters?: Counters | undefined;
  /** What was spent, call by call; it is not kept without one. See `createLedger`. */
  readonly ledger?: Ledger | undefined;
  /** The standard policy by default, or an extension of it. */
  readonly policy?: Given | undefined;
  /** What tokens cost, by model; no price is known by default. See `priceCatalog`, and `unpriced` for what it does not know. */
  readonly prices?: PriceCatalog | undefined;
  /** `deny` by default. An amount in US dollars is charged for each such call. */
  readonly unpriced?: Unpriced | undefined;
  /**
   * Output tokens to reserve for a call that does not say; 1024 by default. It is asked about every target that the call may
   * reach, and the most counts.
   */
  readonly estimate?: Estimator | undefined;
  /** Tells the time in epoch milliseconds, by which keys end and periods begin; `Date` by default. */
  readonly clock?: Clock | undefined;
  /** What tokens begin with: 1 to 32 letters, digits, `-` and `_`; `sk-tg-` by default. */
  readonly keyPrefix?: string | undefined;
  /**
   * `maxKeys`: chains kept, from 1 to 10,000,000; 10,000 by default. `maxAgeMs`: how old one may be, in milliseconds from 1 to
   * 2,147,483,647; 30,000 by default.
   */
  readonly cache?:
    | { readonly maxKeys?: number | undefined; readonly maxAgeMs?: number | undefined }
    | undefined;
  /** What to do while the counters do not answer; `deny` by default. */
  readonly onCountersDown?: "deny" | "allow" | "local" | undefined;
  /**
   * With `onCountersDown: "local"`, the part of each limit that this process may use by itself: 1 divided by the number of
   * processes that share the counters, so that together they stay within it. Above 0 and at most 1; a quarter by default.
   * A call that fits its limits and only not the share of one is refused as `counters_unavailable`.
   */
  readonly localShare?: number | undefined;
  /** How long a call waits for the counters, in milliseconds from 1 to 2,147,483,647; 1,000 by default. */
  readonly countersTimeoutMs?: number | undefined;
  /**
   * How long a reservation lives, in milliseconds from 1 to 2,147,483,647; an hour by default. Longer than the longest call: after it
   * a settle answers `expired`, and the estimate stays charged.
   */
  readonly reservationTtlMs?: number | undefined;
  /** From when on the pace at which a key spends is a `spendVelocity` event. */
  readonly spendVelocity?: SpendVelocity | undefined;
  /** Whether denied attempts to write go into the audit trail too; they do not by default. */
  readonly auditDenied?: boolean | undefined;
}

/** Options with every default in place. */
export interface GateSettings {
  readonly storage: Storage | undefined;
  readonly directory: Directory | undefined;
  readonly counters: Counters;
  readonly ledger: Ledger | undefined;
  readonly policy: StandardPolicy;
  readonly prices: PriceCatalog;
  /** Nano-USD charged for a call without a price, or `deny`. */
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

/** One of the parts of a gate, which `what` names for people. */
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

/** Whether a policy has what the control plane asks for: with another one, nobody could do anything in an org once it is made. */
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
 * The settings of a gate from its options.
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
    keyPrefix: given.keyPrefix ?? "sk-tg-",
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
 * A clock that gives whole milliseconds, or throws: with NaN, nothing would ever have expired, and no calendar has a period for
 * nanoseconds taken for milliseconds. One of a replay may run through a time before 1970.
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
