import { describe, expect, it } from "vitest";
import type { Limit } from "../../src/admission/limit.js";
import { memoryCounters } from "../../src/counters/memory.js";
import { RecentIds } from "../../src/counters/recent-ids.js";
import { CountersUnavailableError } from "../../src/model/errors.js";
import { limited, world } from "../gate/world.js";
import { passed } from "../scenarios/answers.js";
import { charge, limitOf, limitsAt, START } from "./limits.js";
import { shortWay } from "./short-way.js";

const TTL = 3_600_000;
const at = (now: number) => ({ orgId: "o1", now, ttlMs: TTL });

describe("a reservation in memory", () => {
  const limit = limitOf({ tpm: 100 });

  it("that nobody made is unknown", async () => {
    const outcome = await memoryCounters().settle({ id: "x", orgId: "o1", now: START, amounts: [] });
    expect(outcome).toEqual({ outcome: "unknown_reservation" });
  });

  it("ends with its TTL: its charge stays, and a settle answers expired", async () => {
    const counters = memoryCounters();
    const budget = limitOf({ budget: { usd: 1, reset: "never" } });
    await counters.reserve({ id: "a", ...at(START), charges: [charge(budget, 40, START)] });
    const settle = (now: number) =>
      counters.settle({ id: "a", orgId: "o1", now, amounts: [charge(budget, 0, now)] });
    expect(await settle(START + TTL)).toEqual({ outcome: "expired" });
    expect(await settle(START + TTL + 1)).toEqual({ outcome: "expired" });
    expect(await counters.read({ ...at(START), charges: [charge(budget, 0, START)] })).toMatchObject([
      { used: 40 },
    ]);
  });

  it("whose id was made by the counters is known by it, in whatever order the ids come", async () => {
    const counters = memoryCounters();
    const { ids } = shortWay(counters);
    const [first, second, third] = [ids.next(), ids.next(), ids.next()];
    const reserve = (id: string) =>
      counters.reserve({ id, ...at(START), charges: [charge(limit, 10, START)] });
    for (const id of [second, first]) expect(await reserve(id)).toMatchObject({ outcome: "reserved" });
    for (const id of [first, second]) {
      expect(await reserve(id)).toMatchObject({ outcome: "replayed", id, used: [20] });
      await counters.settle({ id, orgId: "o1", now: START, amounts: [charge(limit, 10, START)] });
      expect(await reserve(id)).toEqual({ outcome: "already_settled" });
    }
    expect(await reserve(third)).toMatchObject({ outcome: "reserved", used: [30] });
  });

  it("can be settled until the millisecond before its TTL, also behind one that lives longer", async () => {
    const counters = memoryCounters();
    await counters.reserve({ id: "long", ...at(START), charges: [] });
    await counters.reserve({ id: "short", ...at(START), ttlMs: 10, charges: [] });
    await counters.reserve({ id: "short2", ...at(START), ttlMs: 10, charges: [] });
    const settle = (id: string, now: number) => counters.settle({ id, orgId: "o1", now, amounts: [] });
    expect(await settle("short", START + 9)).toMatchObject({ outcome: "settled" });
    expect(await settle("short2", START + 10)).toEqual({ outcome: "expired" });
  });

  it("gives back what was charged last first, so that each part keeps min(estimate, actual) of its own moment", async () => {
    const counters = memoryCounters();
    await counters.reserve({ id: "a", ...at(START), charges: [charge(limit, 30, START)] });
    const later = START + 40_000;
    await counters.reserve({ id: "a", ...at(later), charges: [charge(limit, 50, later)], extend: true });
    await counters.settle({ id: "a", orgId: "o1", now: later, amounts: [charge(limit, 45, START)] });
    const used = async (now: number) =>
      (await counters.read({ ...at(now), charges: [charge(limit, 0, now)] }))[0]?.used;
    expect(await used(later)).toBe(45);
    expect(await used(START + 61_000)).toBe(15); // of the extension 15 of 50 were used
    expect(await used(later + 61_000)).toBe(0);
  });

  it("that nobody settles is forgotten once its TTL has passed", async () => {
    const counters = memoryCounters();
    for (let i = 0; i < 100; i++) await counters.reserve({ id: `r${i}`, ...at(START + i), charges: [] });
    await counters.reserve({ id: "half", ...at(START + TTL + 49), charges: [] });
    expect(counters.openReservations).toBe(51);
    await counters.reserve({ id: "all", ...at(START + TTL + 99), charges: [] });
    expect(counters.openReservations).toBe(2);
  });

  it("charges what it used more, also where its count was forgotten as empty meanwhile", async () => {
    const counters = memoryCounters();
    const charges = [charge(limit, 10, START)];
    await counters.reserve({ id: "a", ...at(START), charges });
    const later = START + 120_000; // its minute is over, and others make room for themselves
    for (let i = 0; i < 3; i++) {
      const other = { limit: { ...limit, scopeKey: `other${i}` }, amount: 1 };
      await counters.reserve({ id: `o${i}`, ...at(later), charges: [other] });
    }
    expect(Object.keys(counters.dump())).not.toContain(limit.scopeKey);
    await counters.settle({ id: "a", orgId: "o1", now: later, amounts: [charge(limit, 70, START)] });
    expect(await counters.read({ ...at(later), charges })).toMatchObject([{ used: 60 }]);
  });

  it("cannot be extended once it is closed", async () => {
    const counters = memoryCounters();
    const charges = [charge(limit, 1, START)];
    await counters.reserve({ id: "a", ...at(START), charges });
    await counters.settle({ id: "a", orgId: "o1", now: START, amounts: charges });
    const extend = (id: string) => counters.reserve({ id, ...at(START), charges, extend: true });
    expect(await extend("a")).toEqual({ outcome: "already_settled" });
    expect(await extend("b")).toEqual({ outcome: "unknown_reservation" });
  });

  it("settled with a limit that it did not reserve charges that one too", async () => {
    const counters = memoryCounters();
    const other = limitOf({ perModel: { other: { tpm: 10 } } });
    await counters.reserve({ id: "a", ...at(START), charges: [charge(limit, 30, START)] });
    const amounts = [charge(limit, 20, START), charge(other, 25, START)];
    expect(await counters.settle({ id: "a", orgId: "o1", now: START, amounts })).toEqual({
      outcome: "settled",
      used: [20, 25],
    });
  });
});

describe("counts in memory", () => {
  it("keep what was used when the max changes", async () => {
    const counters = memoryCounters();
    await counters.reserve({ id: "a", ...at(START), charges: [charge(limitOf({ rpm: 5 }), 1, START)] });
    const tighter = [charge(limitOf({ rpm: 1 }), 1, START)];
    expect(await counters.reserve({ id: "b", ...at(START), charges: tighter })).toMatchObject({
      outcome: "refused",
    });
  });

  it("keep a budget's use when the org moves to another time zone", async () => {
    const counters = memoryCounters();
    const limit = limitOf({ budget: { usd: "0.000000050", reset: "monthly" } });
    await counters.reserve({ id: "a", ...at(START), charges: [charge(limit, 50, START)] });
    const { compileLimits, scopeKey } = await import("../../src/admission/limit.js");
    const [moved] = compileLimits(
      { budget: { usd: "0.000000050", reset: "monthly" } },
      { kind: "key", id: "key1", key: scopeKey("key", "o1", "key1"), timeZone: "America/New_York" },
    );
    if (!moved) throw new Error("one limit");
    expect(
      await counters.reserve({ id: "b", ...at(START), charges: [charge(moved, 1, START)] }),
    ).toMatchObject({
      outcome: "refused",
      readings: [{ used: 50 }],
    });
  });

  it("keep what was spent today although the clock was days ahead for a while, also where a settle begins counts", async () => {
    const counters = memoryCounters();
    const daily = (id: string) => {
      const [limit] = limitsAt("key", { budget: { usd: 1, reset: "daily" } }, id) as [Limit]; // sound: it has one
      return charge(limit, 40, START);
    };
    await counters.reserve({ id: "before", ...at(START), charges: [daily("before")] });
    const ahead = START + 3 * 86_400_000;
    await counters.reserve({ id: "ahead", ...at(ahead), charges: [] });
    for (let i = 0; i < 3; i++) {
      await counters.reserve({ id: `r${i}`, ...at(START), charges: [] });
      const amounts = [daily(`model${i}`)];
      expect(await counters.settle({ id: `r${i}`, orgId: "o1", now: START, amounts })).toMatchObject({
        used: [40],
      });
    }
    expect(await counters.read({ ...at(START), charges: [daily("before")] })).toMatchObject([{ used: 40 }]);
  });

  it("of scopes that matter no more are forgotten, the others kept", async () => {
    const counters = memoryCounters();
    const perKey = (id: string, now: number) => [
      { limit: { ...limitOf({ rpm: 1_000 }), scopeKey: id }, amount: 1 },
      {
        ...charge(limitOf({ budget: { usd: 1, reset: "daily" } }), 1, now),
        limit: { ...limitOf({ budget: { usd: 1, reset: "daily" } }), scopeKey: id },
      },
    ];
    for (let i = 0; i < 50; i++)
      await counters.reserve({ id: `r${i}`, ...at(START), charges: perKey(`k${i}`, START) });
    expect(Object.keys(counters.dump())).toHaveLength(50);
    const nextWeek = START + 7 * 86_400_000;
    for (let i = 0; i < 60; i++) {
      await counters.reserve({ id: `s${i}`, ...at(nextWeek), charges: perKey(`fresh${i}`, nextWeek) });
    }
    const kept = Object.keys(counters.dump());
    expect(kept.filter((key) => !key.startsWith("fresh"))).toEqual([]);
    expect(kept).toHaveLength(60);
  });
});

describe("recent ids", () => {
  it("keep the latest ten thousand and never more than twice as many, whenever they are asked for", () => {
    const ids = new RecentIds<string, number>();
    for (let i = 0; i < 30_000; i++) ids.add(`id${i}`, i);
    expect(ids.get("id29999")).toBe(29_999);
    for (let i = 30_000; i < 35_000; i++) ids.add(`id${i}`, i);
    expect(ids.get("id34999")).toBe(34_999);
    expect(ids.get("id25001")).toBe(25_001);
    expect(ids.get("id14999")).toBeUndefined();
  });
});

describe("counters in memory with a step of somebody's own", () => {
  it("have no short way past it, and are none that answer at once", () => {
    const counters = memoryCounters();
    expect(counters).toMatchObject({ inProcess: true, direct: expect.anything() });
    for (const step of ["reserve", "settle", "read"] as const) {
      const own = Object.assign(memoryCounters(), { [step]: async () => {} });
      expect(own.inProcess).toBe(false);
      expect(own.direct).toBeUndefined();
    }
    expect({ ...counters }).not.toHaveProperty("inProcess");
  });

  it("that never answers are waited for as long as any, on warm counts too", async () => {
    const counters = memoryCounters();
    const { gate } = world(limited({ key: { rpm: 3 } }), { counters, countersTimeoutMs: 20 });
    const call = { model: "gpt-4o", inputTokens: 1 };
    const first = passed(await gate.admit({ keyId: "k1" }, call));
    counters.reserve = () => new Promise(() => {});
    expect(await gate.admit({ keyId: "k1" }, call)).toMatchObject({ reason: "counters_unavailable" });
    counters.settle = async () => {
      throw new Error("down");
    };
    await expect(gate.settle(first.reservation, {})).rejects.toThrow(CountersUnavailableError);
  });
});
