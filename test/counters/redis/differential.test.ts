import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Charge } from "../../../src/admission/charge.js";
import type { Counters } from "../../../src/counters/counters.js";
import { memoryCounters } from "../../../src/counters/memory.js";
import type { Limits, ScopeKind } from "../../../src/model/limits.js";
import { redisCounters } from "../../../src/redis.js";
import { charge, clockStep, limitsAt, START } from "../limits.js";
import { describeWithRedis, ioredisClient, nodeRedisClient, ownPrefix, removeKeys } from "./server.js";

const LIMITS: Limits = {
  rpm: 8,
  tpm: 60,
  rpd: 30,
  inFlight: 4,
  budget: [
    { usd: "0.000000200", reset: "daily" },
    { usd: "0.000000500", reset: "monthly" },
    { usd: "0.000002000", reset: "never" },
  ],
  perModel: { "a/*": { tpm: 30 }, "b/*": { tpm: 20, mode: "shadow" } },
};

/** Room for more calls at once, so that there is more to settle; few enough limits for the short way of the scripts. */
const ROOMY: Limits = {
  rpm: 60,
  tpm: 2_000,
  inFlight: 30,
  budget: { usd: "0.000009000", reset: "daily" },
  perModel: {
    "a/*": { tpm: 1_000, rpd: 100 },
    "b/*": { tpm: 500, budget: { usd: "0.000003", reset: "never" } },
  },
};

/** Room for so few that most calls are refused. */
const SHORT: Limits = {
  ...ROOMY,
  rpm: 9,
  tpm: 120,
  inFlight: 5,
  budget: { usd: "0.000000400", reset: "daily" },
};

const scopes: readonly ScopeKind[] = ["org", "project", "key"];

/** Limits, and the same with a change of max: the counts stay the same. */
function limitsOf(some: Limits, tighter: Limits) {
  const all = scopes.flatMap((scope) => limitsAt(scope, some));
  return { all, tighter: scopes.flatMap((scope) => limitsAt(scope, { ...some, ...tighter })) };
}

type LimitSet = ReturnType<typeof limitsOf>;

const tight = limitsOf(LIMITS, { rpm: 5, tpm: 30, inFlight: 2 });
const roomy = limitsOf(ROOMY, { rpm: 20, inFlight: 10 });
const short = limitsOf(SHORT, { rpm: 7 });

/** What calls of one key count against, in the order of a plan: base limits of a scope, then those of its models. */
const plans = [
  roomy.all.flatMap(({ perModel }, i) => (perModel === undefined ? [i] : [])),
  roomy.all.flatMap(({ perModel, scope }, i) =>
    perModel === "a/*" || (!perModel && scope !== "org") ? [i] : [],
  ),
  roomy.all.flatMap(({ perModel, scope }, i) => (scope === "key" && perModel !== "a/*" ? [i] : [])),
];

const anyLimits = fc.uniqueArray(fc.nat(tight.all.length - 1), { maxLength: 9 });
const samePlan = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...plans) },
  { weight: 1, arbitrary: fc.uniqueArray(fc.nat(roomy.all.length - 1), { maxLength: 9 }) },
);
const fewClock = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 1_500 }) },
  { weight: 1, arbitrary: clockStep },
);

const picksOf = (picked: fc.Arbitrary<number[]>) =>
  fc.record({
    limits: picked,
    tokens: fc.oneof(fc.nat(12), fc.nat(70)),
    isTight: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.boolean() }),
  });

const stepOf = (picks: ReturnType<typeof picksOf>, others: typeof picks, clock: fc.Arbitrary<number>) =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("reserve" as const),
        clock,
        picks,
        ttlMs: fc.oneof(fc.integer({ min: 1, max: 200_000 }), fc.constant(3_600_000)),
        requestId: fc.option(fc.nat(3), { nil: undefined }),
        fingerprint: fc.constantFrom("f", "f", "f", "g"),
        dryRun: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("extend" as const), clock, picks, pick: fc.nat() }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant("settle" as const),
        clock,
        pick: fc.nat(),
        factor: fc.constantFrom(0, 0.3, 1, 1, 1.7),
        others,
        again: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("read" as const), clock, picks }) },
  );

type Step = ReturnType<typeof stepOf> extends fc.Arbitrary<infer T> ? T : never;

function chargesOf(
  { all, tighter }: LimitSet,
  { limits: places, tokens, isTight }: Picks,
  now: number,
): Charge[] {
  return places.map((place) => {
    const limit = (isTight ? tighter : all)[place];
    if (limit === undefined) throw new Error("a place of a limit");
    const one = limit.meter === "requests" || limit.meter === "inFlight";
    return charge(limit, one ? 1 : tokens, now);
  });
}

type Picks = Extract<Step, { do: "read" }>["picks"];

interface Made {
  readonly id: string;
  charges: readonly Charge[];
}

/** One answer for each step, with the same calls to whichever counters. */
async function answersOf(counters: Counters, set: LimitSet, steps: readonly Step[]): Promise<unknown[]> {
  const orgId = "o1";
  const answers: unknown[] = [];
  const made: Made[] = [];
  let now = START;
  for (const [i, one] of steps.entries()) {
    now += one.clock;
    const picked = "pick" in one ? made[one.pick % Math.max(1, made.length)] : undefined;
    if (one.do === "read") {
      answers.push(await counters.read({ orgId, now, charges: chargesOf(set, one.picks, now) }));
    } else if (one.do === "reserve") {
      const { ttlMs, requestId, fingerprint, dryRun } = one;
      const outcome = await counters.reserve({
        id: `r${i}`,
        orgId,
        now,
        ttlMs,
        charges: chargesOf(set, one.picks, now),
        idempotency: requestId === undefined ? undefined : { key: `k${requestId}`, fingerprint },
        dryRun,
      });
      if (outcome.outcome === "reserved" && !dryRun) made.push({ id: outcome.id, charges: outcome.charges });
      answers.push(outcome);
    } else if (picked && one.do === "extend") {
      const charges = chargesOf(set, one.picks, now);
      const outcome = await counters.reserve({ id: picked.id, orgId, now, ttlMs: 1, charges, extend: true });
      if (outcome.outcome === "reserved") picked.charges = outcome.charges;
      answers.push(outcome);
    } else if (picked && one.do === "settle") {
      const amounts = picked.charges.map((held) => ({
        ...held,
        amount: Math.floor(held.amount * one.factor),
      }));
      const others = chargesOf(set, one.others, now).filter(
        ({ limit }) =>
          !amounts.some((a) => a.limit.scopeKey === limit.scopeKey && a.limit.field === limit.field),
      );
      const request = { id: picked.id, orgId, now, amounts: [...amounts, ...others] };
      // When it counted is not told by a store.
      answers.push({ ...(await counters.settle(request)), at: undefined });
      if (one.again)
        answers.push({ ...(await counters.settle({ ...request, now: now + 1 })), at: undefined });
    }
  }
  return answers;
}

await describeWithRedis("counters in Redis", () => {
  const prefix = ownPrefix();
  const ioredis = ioredisClient();
  let nodeRedis: Awaited<ReturnType<typeof nodeRedisClient>>;
  beforeAll(async () => {
    nodeRedis = await nodeRedisClient();
  });
  afterAll(async () => {
    await removeKeys(ioredis, prefix);
    ioredis.disconnect();
    nodeRedis.destroy();
  });

  /** Any limits: hardly two calls have the same. Or the same ones again and again, as gateways do. */
  const any = stepOf(picksOf(anyLimits), picksOf(anyLimits), clockStep);
  const same = stepOf(
    picksOf(samePlan),
    picksOf(fc.oneof({ weight: 5, arbitrary: fc.constant<number[]>([]) }, samePlan)),
    fewClock,
  );

  let run = 0;
  it.each([
    ["ioredis", "any limits", tight, any],
    ["node-redis", "any limits", tight, any],
    ["ioredis", "the same limits again", roomy, same],
    ["node-redis", "the same limits again", roomy, same],
    ["ioredis", "the same limits, mostly short", short, same],
  ] as const)(
    "answer a random trace as those in memory do, step by step, through %s, of %s",
    async (name, _, set, step) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: "max" }), async (steps) => {
          const client = name === "ioredis" ? ioredis : nodeRedis;
          const redis = redisCounters({ client, prefix: `${prefix}${run++}:`, clock: "caller" });
          const expected = await answersOf(memoryCounters(), set, steps);
          expect(await answersOf(redis, set, steps)).toEqual(expected);
        }),
        { numRuns: 60 },
      );
    },
  );
});
