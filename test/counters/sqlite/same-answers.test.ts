import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Charge } from "../../../src/admission/charge.js";
import type { Limit } from "../../../src/admission/limit.js";
import type { Counters } from "../../../src/counters/counters.js";
import { memoryCounters } from "../../../src/counters/memory.js";
import { sqliteCounters } from "../../../src/counters/sqlite/counters.js";
import { driverName, openDatabase } from "../../sqlite/drivers.js";
import { charge, clockStep, limitsAt, START } from "../limits.js";

const ORG = limitsAt("org", { tpd: 400, budget: { usd: "0.000000500", reset: "never" } });
const PROJECT = limitsAt("project", {
  rpm: 8,
  inFlight: 5,
  budget: [
    { usd: "0.000000200", reset: "daily" },
    { usd: "0.000000300", reset: "weekly" },
  ],
});
const KEYS = [0, 1, 2].map((i) => {
  const perModel = { "m/*": { tpm: 60 } };
  const limits = { rpm: 4, tpm: 90, mode: i === 2 ? ("shadow" as const) : ("enforce" as const), perModel };
  return limitsAt("key", limits, `key${i}`);
});

/** Which limits a call is about: those of its key, with or without those of the model. */
function limitsFor({ key, model }: { key: number; model: boolean }): Limit[] {
  const own = KEYS[key] ?? [];
  return [...ORG, ...PROJECT, ...own.filter(({ perModel }) => model || perModel === undefined)];
}

function chargesOf(call: Call, tokens: number, now: number): Charge[] {
  return limitsFor(call).map((limit) => {
    const one = limit.meter === "requests" || limit.meter === "inFlight";
    return charge({ ...limit, max: limit.max + call.raise }, one ? Math.min(1, tokens) : tokens, now);
  });
}

const call = fc.record({ key: fc.nat(2), model: fc.boolean(), raise: fc.constantFrom(0, 0, 0, 10) });
type Call = typeof call extends fc.Arbitrary<infer T> ? T : never;

const step = fc.record({
  clock: fc.oneof(
    { weight: 12, arbitrary: clockStep },
    { weight: 1, arbitrary: fc.constantFrom(3_600_000, 86_400_000, 8 * 86_400_000) },
  ),
  what: fc.constantFrom(
    "reserve",
    "reserve",
    "reserve",
    "dryRun",
    "extend",
    "extend",
    "settle",
    "settle",
    "release",
    "read",
  ),
  call,
  tokens: fc.nat(70),
  pick: fc.nat(),
  ttlMs: fc.constantFrom(1, 60_000, 3_600_000, 3_600_000, 3_600_000),
  idempotency: fc.option(
    fc.record({ key: fc.constantFrom("a", "b"), fingerprint: fc.constantFrom("x", "y") }),
    {
      nil: undefined,
      freq: 4,
    },
  ),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** One step on one kind of counters. What it is about was chosen before, the same for all. */
function ask(counters: Counters, { what, call, tokens, ttlMs, idempotency }: Step, id: string, now: number) {
  const base = { id, orgId: "o1", now };
  switch (what) {
    case "reserve":
      return counters.reserve({ ...base, ttlMs, charges: chargesOf(call, tokens, now), idempotency });
    case "dryRun":
      return counters.reserve({ ...base, ttlMs, charges: chargesOf(call, tokens, now), dryRun: true });
    case "extend":
      return counters.reserve({ ...base, ttlMs, charges: chargesOf(call, tokens, now), extend: true });
    case "settle":
      return counters.settle({ ...base, amounts: chargesOf(call, tokens, now) });
    case "release":
      return counters.settle({ ...base, amounts: chargesOf(call, 0, now) });
    default:
      return counters.read({ ...base, charges: chargesOf(call, tokens, now) });
  }
}

/** As JSON has it: what is undefined is left out. */
function plain(answer: unknown): string {
  return JSON.stringify(answer, (_, value) => (value === Number.POSITIVE_INFINITY ? "never" : value));
}

describe(`counters in SQLite, on ${driverName}`, () => {
  it("answer every step of a random trace as counters in memory do", async () => {
    const seen = new Map<string, number>();
    const run = async (steps: readonly Step[]) => {
      const memory = memoryCounters();
      const database = openDatabase();
      let sqlite = sqliteCounters({ database });
      const calls: Call[] = [];
      let now = START;
      let latest = Number.NEGATIVE_INFINITY;
      for (const [i, one] of steps.entries()) {
        now += one.clock;
        if (one.what !== "read" && one.what !== "dryRun") latest = Math.max(latest, now);
        const about = one.what === "extend" || one.what === "settle" || one.what === "release";
        const chosen = about && calls.length > 0 ? one.pick % calls.length : i;
        const call = calls[chosen] ?? one.call;
        if (!about) calls[i] = call;
        const asked = { ...one, call };
        const expected = await ask(memory, asked, `r${chosen}`, now);
        expect(plain(await ask(sqlite, asked, `r${chosen}`, now))).toBe(plain(expected));
        const outcome = "outcome" in expected ? expected.outcome : "read";
        seen.set(`${one.what} ${outcome}`, (seen.get(`${one.what} ${outcome}`) ?? 0) + 1);
        if (one.pick % 3 > 0) continue;
        // Whoever comes next finds everything in the database, but for a moment at which nothing was changed.
        sqlite = sqliteCounters({ database });
        await sqlite.settle({ id: "nobody", orgId: "o1", now: latest, amounts: [] });
      }
      database.close();
    };
    // As long as may be: of short traces, one run in twenty met no extension that is refused.
    const traces = fc.array(step, { minLength: 1, maxLength: 60, size: "max" });
    await fc.assert(fc.asyncProperty(traces, run), { numRuns: 150 });
    // Counted over the whole run: a trace that never gets so far would prove nothing.
    const rare = ["reserve replayed", "reserve conflict", "settle unknown_reservation", "extend refused"];
    const often = [
      "reserve refused",
      "settle settled",
      "settle already_settled",
      "settle expired",
      "extend reserved",
    ];
    for (const outcome of [...rare, ...often]) expect(seen.get(outcome), outcome).toBeGreaterThan(0);
  }, 120_000);
});
