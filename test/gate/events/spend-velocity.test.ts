import { type Counters, createGate, type GateEvents, type GateOptions, ValidationError } from "tollgate";
import { describe, expect, it } from "vitest";
import { directoryOf } from "../../../src/testing/directory.js";
import { passed } from "../../scenarios/answers.js";
import { aChain, elsewhere, world } from "../world.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A key that spends, and what is told of its pace. */
function spender(options: GateOptions = {}) {
  const made = world([aChain(), aChain({ key: { id: "k2" } })], { unpriced: "free", ...options });
  const told: GateEvents["spendVelocity"][] = [];
  const stop = made.gate.on("spendVelocity", (event) => told.push(event));
  const spend = async (costUsd: number, keyId = "k1", byok = false) => {
    const { reservation } = passed(await made.gate.admit({ keyId }, { model: "m", costUsd, byok }));
    await made.gate.settle(reservation, { costUsd });
  };
  return { ...made, told, stop, spend };
}

describe("the pace at which a key spends", () => {
  it("is told of when an hour goes on at ten times the daily average of the week before", async () => {
    const { clock, told, spend } = spender();
    for (let hour = 0; hour < 7 * 24; hour++) {
      await spend(1);
      clock.at += HOUR_MS;
    }
    clock.at += HOUR_MS; // nothing of the days before is left in the window
    await spend(9.99); // an hour at 239.76 USD a day
    expect(told).toEqual([]);
    await spend(0.01);
    expect(told).toEqual([
      {
        at: clock.at,
        context: { orgId: "o1", projectId: "p1", userId: "u1", keyId: "k1" },
        spentNanoUsd: 10e9,
        windowMs: HOUR_MS,
        dailyAverageNanoUsd: 24e9,
        times: 10,
      },
    ]);
  });

  it("is told of once in a window, and again while it lasts", async () => {
    const { clock, told, spend } = spender();
    await spend(1);
    clock.at += DAY_MS;
    for (let minute = 0; minute < 180; minute++) {
      await spend(1);
      clock.at += 60_000;
    }
    const [first = 0, ...later] = told.map(({ at }) => at);
    expect(later).toEqual([first + HOUR_MS, first + 2 * HOUR_MS]);
  });

  it("is measured against the days before alone, those without spending too", async () => {
    const { clock, told, spend } = spender({ spendVelocity: { days: 3 } });
    await spend(1000);
    clock.at += DAY_MS;
    await spend(30);
    clock.at += 3 * DAY_MS; // of the last three days, one has 30 USD
    await spend(4.2);
    expect(told).toMatchObject([{ dailyAverageNanoUsd: 10e9, spentNanoUsd: 4.2e9 }]);
  });

  it("of a key that spent nothing in days is told of when it spends again", async () => {
    const { clock, told, spend } = spender();
    await spend(1);
    clock.at += 30 * DAY_MS;
    await spend(0.99);
    expect(told).toEqual([]);
    await spend(0.01);
    expect(told).toMatchObject([{ dailyAverageNanoUsd: 0, times: 24e9 }]);
    expect(JSON.parse(JSON.stringify(told))).toEqual(told);
  });

  it("is not judged before a key has a day of history, nor below what anybody cares about", async () => {
    const { clock, told, spend } = spender({ spendVelocity: { minUsd: 5 } });
    await spend(1000);
    clock.at += DAY_MS - 1;
    await spend(1000);
    clock.at += DAY_MS * 9;
    await spend(4.99);
    expect(told).toEqual([]);
  });

  it("is each key's own, and leaves out what runs on the customer's provider key", async () => {
    const { clock, told, spend } = spender();
    await spend(1);
    await spend(1000, "k2");
    clock.at += DAY_MS;
    await spend(50, "k1", true);
    expect(told).toEqual([]);
    await spend(50, "k2");
    expect(told).toEqual([]);
    await spend(50, "k1");
    expect(told.map(({ context }) => context.keyId)).toEqual(["k1"]);
  });

  it("is that of the key of one org, though another org has a key of the same id", async () => {
    const orgs = ["o1", "o2"].map((id) => directoryOf(aChain({ org: { id } })));
    const { gate, clock } = world([], {
      unpriced: "free",
      directory: {
        ...directoryOf(),
        async key(ref) {
          const found = await Promise.all(orgs.map((org) => org.key(ref)));
          return found.find((chain) => chain !== undefined);
        },
      },
    });
    const told: string[] = [];
    gate.on("spendVelocity", ({ context }) => told.push(context.orgId));
    const [first = "", second = ""] = orgs.map((org) => org.tokenOf("k1"));
    const spend = async (token: string, costUsd: number) => {
      const { reservation } = passed(await gate.admit(token, { model: "m", costUsd }));
      await gate.settle(reservation, { costUsd });
    };
    await spend(first, 1);
    clock.at += DAY_MS;
    await spend(second, 50);
    expect(told).toEqual([]);
    await spend(first, 50);
    expect(told).toEqual(["o1"]);
  });

  it("is watched while somebody listens: what was spent before is no history", async () => {
    const { clock, gate, told, stop, spend } = spender();
    stop();
    await spend(1);
    clock.at += DAY_MS;
    gate.on("spendVelocity", (event) => told.push(event));
    await spend(1000);
    expect(told).toEqual([]);
  });

  it("has the history of its days where a clock is set back into the day before", async () => {
    const { clock, told, spend } = spender();
    await spend(1);
    clock.at += DAY_MS;
    await spend(0.5);
    clock.at -= 1;
    await spend(1);
    expect(told).toMatchObject([{ dailyAverageNanoUsd: 1e9, spentNanoUsd: 1.5e9 }]);
  });

  it("begins with the first call that costs something", async () => {
    const { clock, told, spend } = spender();
    await spend(0);
    clock.at += DAY_MS;
    await spend(50);
    expect(told).toEqual([]);
    clock.at += DAY_MS;
    await spend(50);
    expect(told).toMatchObject([{ dailyAverageNanoUsd: 50e9 }]);
  });

  it("is watched for as many keys as `cache.maxKeys` keeps chains of", async () => {
    const keys = Array.from({ length: 10_001 }, (_, i) => aChain({ key: { id: `k${i}` } }));
    const { gate, clock, tokens } = world(keys, { unpriced: "free", cache: { maxKeys: keys.length } });
    const told: string[] = [];
    gate.on("spendVelocity", ({ context }) => told.push(context.keyId));
    const spend = async (keyId: string, costUsd: number) => {
      const { reservation } = passed(await gate.admit({ keyId }, { model: "m", costUsd }));
      await gate.settle(reservation, { costUsd });
    };
    for (const keyId of tokens.keys()) await spend(keyId, 1);
    clock.at += DAY_MS;
    await spend("k0", 50);
    expect(told).toEqual(["k0"]);
  });

  it("has the whole of its window, wherever in a part of it a call comes", async () => {
    for (let minute = 1; minute < 60; minute++) {
      const { clock, told, spend } = spender();
      await spend(24);
      clock.at += DAY_MS + 2 * HOUR_MS + minute * 60_000;
      await spend(9.9);
      clock.at += HOUR_MS - 60_000;
      await spend(0.1); // 10 USD in the last hour
      expect([minute, told.length]).toEqual([minute, 1]);
    }
  });

  it("forgets what is older than the window and the part of it that is kept besides", async () => {
    const { clock, told, spend } = spender({ spendVelocity: { times: 2, windowMs: 12 * 60_000 } });
    await spend(120);
    clock.at += DAY_MS; // 2 USD in a window are twice the average
    for (let minute = 0; minute < 60; minute += 13) {
      await spend(1.9);
      clock.at += 13 * 60_000;
    }
    expect(told).toEqual([]);
  });

  it("is told of no more than before after the clock was weeks ahead for a call", async () => {
    const { clock, told, spend } = spender();
    const hours = async (count: number) => {
      for (let hour = 0; hour < count; hour++) {
        await spend(1);
        clock.at += HOUR_MS;
      }
    };
    await hours(48);
    clock.at += 30 * DAY_MS;
    await spend(0.5); // of a key that seems to have rested, but too little to be told of
    clock.at -= 30 * DAY_MS;
    await hours(72);
    expect(told).toEqual([]);
    await spend(50);
    expect(told).toMatchObject([{ dailyAverageNanoUsd: 24e9 }]);
  });

  it("has a call once, where its settle was tried again before the counters answered the first time", async () => {
    const store = elsewhere();
    const answers: (() => void)[] = [];
    const counters: Counters = {
      ...store,
      async settle(request) {
        const outcome = await store.settle(request);
        if (outcome.outcome === "settled") await new Promise<void>((resolve) => answers.push(resolve));
        return outcome;
      },
    };
    const { gate, clock } = world(aChain(), {
      unpriced: "free",
      counters,
      countersTimeoutMs: 20,
      spendVelocity: { times: 2 },
    });
    const told: unknown[] = [];
    gate.on("spendVelocity", ({ spentNanoUsd, dailyAverageNanoUsd }) =>
      told.push({ spentNanoUsd, dailyAverageNanoUsd }),
    );
    const spend = async () => {
      const { reservation } = passed(await gate.admit({ keyId: "k1" }, { model: "m", costUsd: 1 }));
      await expect(gate.settle(reservation, { costUsd: 1 })).rejects.toThrow("did not answer");
      await gate.settle(reservation, { costUsd: 1 });
      for (const answer of answers.splice(0)) answer();
      await new Promise((resolve) => setImmediate(resolve));
    };
    await spend();
    clock.at += DAY_MS;
    await spend();
    expect(told).toEqual([{ spentNanoUsd: 1e9, dailyAverageNanoUsd: 1e9 }]);
  });

  it("names the option that is wrong", () => {
    for (const [spendVelocity, field] of [
      [{ times: 1 }, "options.spendVelocity.times"],
      [{ windowMs: 1 }, "options.spendVelocity.windowMs"],
      [{ days: 0 }, "options.spendVelocity.days"],
      [{ minUsd: -1 }, "options.spendVelocity.minUsd"],
      [{ perHour: 1 }, "options.spendVelocity.perHour"],
    ] as const) {
      const make = () => createGate({ spendVelocity } as GateOptions); // what a caller without types does
      expect(make).toThrow(ValidationError);
      expect(make).toThrow(field);
    }
  });
});

it("the pace of a key forgets nothing where a clock is set back for a moment", async () => {
  const told: number[] = [];
  const { gate, clock } = world(aChain(), { unpriced: "free" });
  gate.on("spendVelocity", ({ spentNanoUsd }) => told.push(spentNanoUsd));
  const spend = async (costUsd: number) => {
    const { reservation } = passed(await gate.admit({ keyId: "k1" }, { model: "m", costUsd }));
    await gate.settle(reservation, { costUsd });
  };
  await spend(1);
  clock.at += 86_400_000 + 1_800_000;
  await spend(0.4);
  clock.at -= 1_200_000;
  await spend(0.2);
  clock.at += 1_200_000;
  await spend(0.5);
  expect(told).toEqual([1.1e9]);
});
