import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Charge } from "../../../src/admission/charge.js";
import type { Limit } from "../../../src/admission/limit.js";
import type { Counters } from "../../../src/counters/counters.js";
import { memoryCounters } from "../../../src/counters/memory.js";
import { postgresCounters } from "../../../src/counters/postgres/counters.js";
import type { Limits } from "../../../src/model/limits.js";
import { database } from "../../postgres/databases.js";
import { dropSchema, newSchema, PATIENT } from "../../postgres/server.js";
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

/** A replay reads what is used in a statement of its own, after calls that came behind it. */
function withoutLater(outcome: unknown): unknown {
  const { outcome: kind, id } = Object(outcome);
  return kind === "replayed" ? { kind, id } : outcome;
}

/**
 * Does the steps, and gives back every answer in turn. So many that change something are made before the first of them is answered;
 * a read waits for them.
 */
async function answers(counters: Counters, steps: readonly Step[], together = 1): Promise<unknown[]> {
  const told: unknown[] = [];
  const known: { id: string; charges: readonly Charge[]; at: number }[] = [];
  const underWay: (() => Promise<void>)[] = [];
  const answered = async () => {
    for (const answer of underWay.splice(0)) await answer();
  };
  const wait = async <T>(answer: Promise<T>, then: (answer: T) => void = () => {}) => {
    underWay.push(async () => {
      const outcome = await answer;
      told.push(together > 1 ? withoutLater(outcome) : outcome);
      then(outcome);
    });
    if (underWay.length === together) await answered();
  };
  let now = START;
  for (const [i, one] of steps.entries()) {
    now += one.clock;
    const at = { orgId: "o1", now, ttlMs: one.ttlMs };
    const charges = callAt(limitsOf(one.key, one.larger), one.tokens, one.slots, now);
    if (one.do === "read" || one.do === "check") await answered();
    const picked = known[one.pick % Math.max(1, known.length)];
    if (one.do === "read") {
      told.push(await counters.read({ ...at, charges }));
    } else if (one.do === "reserve" || one.do === "check") {
      const idempotency =
        one.requestId === null ? undefined : { key: `o1 ${one.requestId}`, fingerprint: `${one.tokens % 3}` };
      const dryRun = one.do === "check";
      await wait(counters.reserve({ id: `r${i}`, ...at, charges, idempotency, dryRun }), ({ outcome }) => {
        if (outcome === "reserved" && !dryRun) known.push({ id: `r${i}`, charges, at: now });
      });
      if (dryRun) await answered();
    } else if (picked && one.do === "extend") {
      const more = callAt(limitsOf(one.key, one.larger), one.tokens, 0, picked.at);
      await wait(counters.reserve({ id: picked.id, ...at, charges: more, extend: true }), (outcome) => {
        if (outcome.outcome === "reserved") picked.charges = outcome.charges;
      });
    } else if (picked) {
      const amounts = picked.charges.map(({ limit, period }) => ({
        limit,
        amount: limit.meter === "requests" ? 1 : limit.meter === "inFlight" ? 0 : one.tokens,
        period,
      }));
      const outcome = counters.settle({ id: picked.id, ...at, amounts });
      await wait(outcome.then((settled) => ({ ...settled, at: undefined }))); // when it counted is not told by a store
    }
  }
  await answered();
  return told;
}

/** A step takes two statements and a millisecond or two; `TOLLGATE_RUNS` asks for more. */
const RUNS = Number(process.env.TOLLGATE_RUNS ?? 15);

describe.each([database])("counters in %s", async (_, open) => {
  const { pool, end } = await open();
  const schemas: string[] = [];
  afterAll(async () => {
    for (const schema of schemas) await dropSchema(pool, schema);
    await end();
  });

  it.each([
    ["one after the other", 1],
    ["many at once, which go to the database together", 9],
  ])(
    "on the caller's clock answer every step of every trace as counters in memory do: %s",
    async (_, together) => {
      const schema = newSchema();
      schemas.push(schema);
      let turn: Promise<unknown> = Promise.resolve();
      let groups = 0;
      // One statement after the other, as they were sent: over several connections none comes before another for sure.
      const inTurn = {
        query: (text: string, values?: unknown[]) => {
          if (text.includes(".count_calls($1") && JSON.parse(String(values?.[0])).length > 1) groups++;
          const answer = turn.then(() => pool.query(text, values));
          turn = answer.catch(() => {});
          return answer;
        },
      };
      const counters = postgresCounters({ pool: inTurn, schema, clock: "caller", ...PATIENT });
      await counters.migrate();
      let refused = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 12, maxLength: 25 }), async (steps) => {
          for (const table of ["counts", "reservation", "clock"])
            await pool.query(`DELETE FROM "${schema}".${table}`);
          const expected = await answers(memoryCounters(), steps, together);
          const found = await answers(counters, steps, together);
          expect(found).toEqual(expected);
          refused += JSON.stringify(expected).split('"refused"').length - 1;
        }),
        { numRuns: RUNS, endOnFailure: true },
      );
      expect(refused).toBeGreaterThan(0);
      if (together > 1) expect(groups).toBeGreaterThan(0);
      else expect(groups).toBe(0);
    },
    300_000,
  );
});
