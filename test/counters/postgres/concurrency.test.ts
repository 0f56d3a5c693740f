import { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Charge } from "../../../src/admission/charge.js";
import { postgresCounters } from "../../../src/postgres.js";
import { dropSchema, newSchema, PATIENT, serverAnswers, serverPool } from "../../postgres/server.js";
import { DATABASE_URL } from "../../services.js";
import { limitsAt } from "../limits.js";

const CONNECTIONS = 16;
const CALLS = Number(process.env.TOLLGATE_CALLS ?? 2_400);

/** A pool whose transactions see nothing of what is committed after they began. */
function repeatableReads(): Pool {
  const options = "-c default_transaction_isolation=repeatable\\ read";
  return new Pool({ connectionString: DATABASE_URL, max: 3, options });
}

describe.runIf(await serverAnswers())("counters in Postgres under load", () => {
  const schema = newSchema();
  const pool = serverPool(CONNECTIONS);
  beforeAll(() => postgresCounters({ pool, schema }).migrate(), 60_000);
  afterAll(async () => {
    await dropSchema(pool, schema);
    await pool.end();
  });

  /** The pool, and the errors as the database gives them, before the adapter tries again. */
  function watch() {
    const failures: string[] = [];
    const watched = {
      query: async (text: string, values?: unknown[]) => {
        try {
          return await pool.query(text, values);
        } catch (error) {
          failures.push(String((error as { code?: unknown }).code));
          throw error;
        }
      },
    };
    return { watched, failures };
  }

  it("pass no limit and meet no deadlock, whatever scopes calls share and in whatever order they name them", async () => {
    const { watched, failures } = watch();
    // As two processes would: what one sends together locks what the other does.
    const counters = postgresCounters({ pool: watched, schema, ...PATIENT });
    const others = postgresCounters({ pool: watched, schema, ...PATIENT });
    const scopes = Array.from({ length: 8 }, (_, i) =>
      limitsAt(
        "key",
        { tpd: 900, inFlight: 40, budget: { usd: "0.000000800", reset: "never" } },
        `scope ${i}`,
      ),
    );
    const limits = scopes.flat();
    const admitted = new Map(limits.map((limit) => [limit, 0]));
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    let next = 0;
    let settled = 0;
    const caller = async () => {
      while (next < CALLS) {
        const id = `call ${next++}`;
        const mine = scopes.filter(() => random(3) === 0).flat();
        const charges = mine
          .map((limit): [number, Charge] => [
            random(1e6),
            { limit, amount: limit.meter === "inFlight" ? 1 : 1 + random(9) },
          ])
          .sort(([a], [b]) => a - b)
          .map(([, charge]) => charge);
        const now = Date.now();
        const [reserving, settling] = random(2) === 0 ? [counters, others] : [others, counters];
        const outcome = await reserving.reserve({ id, orgId: "o1", now, ttlMs: 3_600_000, charges });
        if (outcome.outcome !== "reserved") continue;
        const amounts = charges.map(({ limit, amount }) => {
          const actual = limit.meter === "inFlight" ? 0 : random(amount + 1);
          admitted.set(limit, (admitted.get(limit) ?? 0) + actual);
          return { limit, amount: actual };
        });
        await settling.settle({ id, orgId: "o1", now, amounts });
        settled++;
      }
    };
    await Promise.all(Array.from({ length: 3 * CONNECTIONS }, caller));

    // A count that was forgotten as idle just then is looked for again; nobody waits for another in a circle.
    expect(failures.filter((code) => code !== "40001")).toEqual([]);
    expect(settled).toBeGreaterThan(CALLS / 10);
    const readings = await counters.read({
      orgId: "o1",
      now: Date.now(),
      charges: limits.map((limit) => ({ limit, amount: 0 })),
    });
    expect(readings.map(({ used }) => used)).toEqual(limits.map((limit) => admitted.get(limit)));
    for (const [limit, total] of admitted) expect(total).toBeLessThanOrEqual(limit.max);
    expect(limits.filter((limit) => (admitted.get(limit) ?? 0) > limit.max - 20)).not.toEqual([]); // some were reached
  }, 300_000);

  it("meet no deadlock where calls of several processes share reservations and idempotency keys under other limits", async () => {
    const { watched, failures } = watch();
    const processes = ["a", "b"].map((name) => ({
      counters: postgresCounters({ pool: watched, schema, ...PATIENT }),
      charges: limitsAt("key", { rpd: 1e6 }, `crosswise ${name}`).map((limit) => ({ limit, amount: 1 })),
    }));
    const at = { orgId: "o1", now: Date.now() };
    for (let round = 0; round < 25; round++) {
      const ids = Array.from({ length: 12 }, (_, i) => `crosswise ${round} ${i}`);
      const outcomes = await Promise.all(
        processes.flatMap(({ counters, charges }, p) => {
          // Each in an order of its own.
          const own = p === 0 ? ids : ids.toReversed();
          return own.map((id) => {
            const idempotency = { key: id, fingerprint: "f" };
            return counters.reserve({ id: `${id} ${p}`, ...at, ttlMs: 60_000, charges, idempotency });
          });
        }),
      );
      expect(outcomes.filter(({ outcome }) => outcome === "reserved")).toHaveLength(ids.length);
      const open = outcomes.flatMap((one) => (one.outcome === "reserved" ? [one.id] : []));
      const settled = await Promise.all(
        processes.flatMap(({ counters, charges }, p) => {
          const own = p === 0 ? open : open.toReversed();
          return own.map((id) => counters.settle({ id, ...at, amounts: charges }));
        }),
      );
      expect(settled.filter(({ outcome }) => outcome === "settled")).toHaveLength(ids.length);
    }
    expect(failures).toEqual([]);
  }, 60_000);

  it("admit to the last one and never one more, from several connections on one limit", async () => {
    const counters = postgresCounters({ pool, schema, ...PATIENT });
    const [limit] = limitsAt("org", { rpd: 50 }, "one limit");
    if (!limit) throw new Error("one limit");
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        counters.reserve({
          id: `one ${i}`,
          orgId: "o1",
          now: Date.now(),
          ttlMs: 1_000,
          charges: [{ limit, amount: 1 }],
        }),
      ),
    );
    expect(outcomes.filter(({ outcome }) => outcome === "reserved")).toHaveLength(50);
    expect(outcomes.filter(({ outcome }) => outcome === "refused")).toHaveLength(150);
  }, 60_000);

  it("give an idempotency key that has expired to one of many calls, whatever their limits", async () => {
    const counters = postgresCounters({ pool, schema, ...PATIENT });
    for (let round = 0; round < 150; round++) {
      const idempotency = { key: `key ${round}`, fingerprint: "f" };
      const call = (id: string, ttlMs: number) => {
        const charges = limitsAt("key", { rpd: 9 }, id).map((limit) => ({ limit, amount: 1 }));
        return counters.reserve({ id, orgId: "o1", now: Date.now(), ttlMs, charges, idempotency });
      };
      await call(`${round} before`, 1);
      await new Promise((resolve) => setTimeout(resolve, 3));
      const outcomes = await Promise.all(Array.from({ length: 10 }, (_, i) => call(`${round} ${i}`, 60_000)));
      expect(outcomes.filter(({ outcome }) => outcome === "reserved")).toHaveLength(1);
    }
  }, 60_000);

  it("pass no limit where transactions are repeatable reads by default: who read too early tries again", async () => {
    const strict = repeatableReads();
    const counters = postgresCounters({ pool: strict, schema, ...PATIENT });
    const [limit] = limitsAt("org", { rpd: 30 }, "repeatable");
    if (!limit) throw new Error("one limit");
    let reserved = 0;
    const caller = async (name: string) => {
      for (let i = 0; i < 20; i++) {
        const call = { orgId: "o1", now: Date.now(), ttlMs: 1_000, charges: [{ limit, amount: 1 }] };
        const { outcome } = await counters.reserve({ id: `repeatable ${name} ${i}`, ...call });
        if (outcome === "reserved") reserved++;
      }
    };
    try {
      await Promise.all(["a", "b", "c"].map(caller));
      expect(reserved).toBe(30);
    } finally {
      await strict.end();
    }
  }, 60_000);

  it("make one reservation of two processes' calls with one key, also where transactions are repeatable reads", async () => {
    const strict = repeatableReads();
    const processes = ["a", "b"].map(() => postgresCounters({ pool: strict, schema, ...PATIENT }));
    try {
      for (let round = 0; round < 30; round++) {
        const idempotency = { key: `repeatable key ${round}`, fingerprint: "f" };
        const outcomes = await Promise.all(
          processes.map((counters, p) => {
            const charges = limitsAt("key", { rpd: 99 }, `repeatable ${p}`).map((limit) => ({
              limit,
              amount: 1,
            }));
            const id = `repeatable ${round} ${p}`;
            return counters.reserve({
              id,
              orgId: "o1",
              now: Date.now(),
              ttlMs: 60_000,
              charges,
              idempotency,
            });
          }),
        );
        expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(["replayed", "reserved"]);
      }
    } finally {
      await strict.end();
    }
  }, 60_000);
});
