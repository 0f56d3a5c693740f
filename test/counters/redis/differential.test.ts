import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Charge } from "../../../src/admission/charge.js";
import type { Counters } from "../../../src/counters/counters.js";
import { memoryCounters } from "../../../src/counters/memory.js";
import type { Limits, ScopeKind } from "../../../src/model/limits.js";
import { redisCounters } from "../../../src/redis.js";
import { charge, clockStep, limitsAt, START } from "../limits.js";
import { ioredisClient, nodeRedisClient, ownPrefix, redisAnswers, removeKeys } from "./server.js";

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

const scopes: readonly ScopeKind[] = ["org", "project", "key"];
const limits = scopes.flatMap((scope) => limitsAt(scope, LIMITS));
/** Drawn with a change of max: the counts stay the same. */
const tighter = scopes.flatMap((scope) => limitsAt(scope, { ...LIMITS, rpm: 5, tpm: 30, inFlight: 2 }));

const picks = fc.record({
  limits: fc.uniqueArray(fc.nat(limits.length - 1), { maxLength: 9 }),
  tokens: fc.oneof(fc.nat(12), fc.nat(70)),
  isTight: fc.boolean(),
});

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("reserve" as const),
      clock: clockStep,
      picks,
      ttlMs: fc.oneof(fc.integer({ min: 1, max: 200_000 }), fc.constant(3_600_000)),
      requestId: fc.option(fc.nat(3), { nil: undefined }),
      fingerprint: fc.constantFrom("f", "f", "f", "g"),
      dryRun: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("extend" as const), clock: clockStep, picks, pick: fc.nat() }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("settle" as const),
      clock: clockStep,
      pick: fc.nat(),
      factor: fc.constantFrom(0, 0.3, 1, 1, 1.7),
      others: picks,
      again: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("read" as const), clock: clockStep, picks }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function chargesOf({ limits: places, tokens, isTight }: Picks, now: number): Charge[] {
  return places.map((place) => {
    const limit = (isTight ? tighter : limits)[place];
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
async function answersOf(counters: Counters, orgId: string, steps: readonly Step[]): Promise<unknown[]> {
  const answers: unknown[] = [];
  const made: Made[] = [];
  let now = START;
  for (const [i, one] of steps.entries()) {
    now += one.clock;
    const picked = "pick" in one ? made[one.pick % Math.max(1, made.length)] : undefined;
    if (one.do === "read") {
      answers.push(await counters.read({ orgId, now, charges: chargesOf(one.picks, now) }));
    } else if (one.do === "reserve") {
      const { ttlMs, requestId, fingerprint, dryRun } = one;
      const outcome = await counters.reserve({
        id: `r${i}`,
        orgId,
        now,
        ttlMs,
        charges: chargesOf(one.picks, now),
        idempotency: requestId === undefined ? undefined : { key: `k${requestId}`, fingerprint },
        dryRun,
      });
      if (outcome.outcome === "reserved" && !dryRun) made.push({ id: outcome.id, charges: outcome.charges });
      answers.push(outcome);
    } else if (picked && one.do === "extend") {
      const charges = chargesOf(one.picks, now);
      const outcome = await counters.reserve({ id: picked.id, orgId, now, ttlMs: 1, charges, extend: true });
      if (outcome.outcome === "reserved") picked.charges = outcome.charges;
      answers.push(outcome);
    } else if (picked && one.do === "settle") {
      const amounts = picked.charges.map((held) => ({
        ...held,
        amount: Math.floor(held.amount * one.factor),
      }));
      const others = chargesOf(one.others, now).filter(
        ({ limit }) =>
          !amounts.some((a) => a.limit.scopeKey === limit.scopeKey && a.limit.field === limit.field),
      );
      const request = { id: picked.id, orgId, now, amounts: [...amounts, ...others] };
      answers.push(await counters.settle(request));
      if (one.again) answers.push(await counters.settle({ ...request, now: now + 1 }));
    }
  }
  return answers;
}

const describeRedis = describe.skipIf(!(await redisAnswers()));

describeRedis("counters in Redis", () => {
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

  let run = 0;
  it.each(["ioredis", "node-redis"])(
    "answer a random trace as those in memory do, step by step, through %s",
    async (name) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
          const client = name === "ioredis" ? ioredis : nodeRedis;
          const redis = redisCounters({ client, prefix: `${prefix}${run++}:`, clock: "caller" });
          const expected = await answersOf(memoryCounters(), "o1", steps);
          expect(await answersOf(redis, "o1", steps)).toEqual(expected);
        }),
        { numRuns: 60 },
      );
    },
  );
});
