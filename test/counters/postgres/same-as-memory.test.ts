import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Charge } from "../../../src/admission/charge.js";
import type { Limit } from "../../../src/admission/limit.js";
import type { Counters } from "../../../src/counters/counters.js";
import { memoryCounters } from "../../../src/counters/memory.js";
import { postgresCounters } from "../../../src/counters/postgres/counters.js";
import type { Limits } from "../../../src/model/limits.js";
import { databases } from "../../postgres/databases.js";
import { dropSchema, newSchema } from "../../postgres/server.js";
import { charge, clockStep, limitsAt, START } from "../limits.js";

const PROJECT: Limits = {
  rpm: 6,
  tpm: 40,
  rpd: 30,
  inFlight: 4,
  budget: [
    { usd: "0.000000060", reset: "daily" },
    { usd: "0.000000500", reset: "never" },
  ],
};

const KEY: Limits = { rpm: 4, tpm: 30, inFlight: 3, budget: { usd: "0.000000090", reset: "monthly" } };

const SHADOW: Limits = { rpm: 2, tpm: 20, inFlight: 1, mode: "shadow" };

/** The limits of one of a few keys that share a project; which changes, and with it what counts together. */
function limitsOf(key: number, larger: boolean): Limit[] {
  const limits = [
    ...limitsAt("project", PROJECT),
    ...limitsAt("key", key === 2 ? SHADOW : KEY, `k${key}`),
    ...(key === 1 ? limitsAt("org", { perModel: { 'm"\\\u0000': { tpm: 25 } } }) : []),
  ];
  return larger ? limits.map((limit) => ({ ...limit, max: limit.max * 2 })) : limits;
}

function callAt(limits: readonly Limit[], tokens: number, slots: number, at: number): Charge[] {
  return limits.map((limit) => {
    const amount = limit.meter === "requests" ? 1 : limit.meter === "inFlight" ? slots : tokens;
    return charge(limit, amount, at);
  });
}

const step = fc.record({
  do: fc.constantFrom(
    "reserve",
    "reserve",
    "reserve",
    "settle",
    "settle",
    "extend",
    "check",
    "read",
    "settle again",
  ),
  clock: clockStep,
  key: fc.nat(2),
  larger: fc.boolean(),
  tokens: fc.oneof(fc.nat(30), fc.constantFrom(0, 1, 41, 100)),
  slots: fc.integer({ min: 0, max: 2 }),
  pick: fc.nat(),
  ttlMs: fc.oneof(fc.integer({ min: 1, max: 200_000 }), fc.constant(3_600_000)),
  requestId: fc.option(fc.constantFrom("a", "b"), { freq: 3 }),
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Does the steps, and gives back every answer in turn. */
async function answers(counters: Counters, steps: readonly Step[]): Promise<unknown[]> {
  const told: unknown[] = [];
  const known: { id: string; charges: readonly Charge[]; at: number }[] = [];
  let now = START;
  for (const [i, one] of steps.entries()) {
    now += one.clock;
    const at = { orgId: "o1", now, ttlMs: one.ttlMs };
    const charges = callAt(limitsOf(one.key, one.larger), one.tokens, one.slots, now);
    const picked = known[one.pick % Math.max(1, known.length)];
    if (one.do === "read") {
      told.push(await counters.read({ ...at, charges }));
    } else if (one.do === "reserve" || one.do === "check") {
      const idempotency =
        one.requestId === null ? undefined : { key: `o1 ${one.requestId}`, fingerprint: `${one.tokens % 3}` };
      const dryRun = one.do === "check";
      const outcome = await counters.reserve({ id: `r${i}`, ...at, charges, idempotency, dryRun });
      told.push(outcome);
      if (outcome.outcome === "reserved" && !dryRun) known.push({ id: `r${i}`, charges, at: now });
    } else if (picked && one.do === "extend") {
      const more = callAt(limitsOf(one.key, one.larger), one.tokens, 0, picked.at);
      const outcome = await counters.reserve({ id: picked.id, ...at, charges: more, extend: true });
      told.push(outcome);
      if (outcome.outcome === "reserved") picked.charges = outcome.charges;
    } else if (picked) {
      const amounts = picked.charges.map(({ limit, period }) => ({
        limit,
        amount: limit.meter === "requests" ? 1 : limit.meter === "inFlight" ? 0 : one.tokens,
        period,
      }));
      told.push(await counters.settle({ id: picked.id, ...at, amounts }));
    }
  }
  return told;
}

/** A step takes two statements and a millisecond or two; `TOLLGATE_RUNS` asks for more. */
const RUNS = Number(process.env.TOLLGATE_RUNS ?? 15);

describe.each(databases)("counters in %s", (_, open) => {
  const { pool, end } = open();
  const schemas: string[] = [];
  afterAll(async () => {
    for (const schema of schemas) await dropSchema(pool, schema);
    await end();
  });

  it("on the caller's clock answer every step of every trace as counters in memory do", async () => {
    const schema = newSchema();
    schemas.push(schema);
    const counters = postgresCounters({ pool, schema, clock: "caller" });
    await counters.migrate();
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 12, maxLength: 25 }), async (steps) => {
        for (const table of ["counts", "reservation", "clock"])
          await pool.query(`DELETE FROM "${schema}".${table}`);
        const expected = await answers(memoryCounters(), steps);
        const found = await answers(counters, steps);
        expect(found).toEqual(expected);
        refused += JSON.stringify(expected).split('"refused"').length - 1;
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    expect(refused).toBeGreaterThan(0);
  }, 300_000);
});
