import { describe, expect, it } from "vitest";
import { createGate } from "../../../src/gate/gate.js";
import type { Limits } from "../../../src/model/limits.js";
import { passed, readingOf, settled } from "../../scenarios/answers.js";
import { aChain, NOON, PRICES, world } from "../world.js";

const DAY_MS = 86_400_000;

it("a fallback is settled though the directory does not answer, against the limits that were charged", async () => {
  const clock = { at: NOON, now: () => clock.at };
  let isDown = false;
  const chain = aChain({
    org: { virtualModels: { smart: ["gpt-4o-mini", "gpt-4o"] } },
    key: { limits: { budget: { usd: 1, reset: "daily" } } },
  });
  const gate = createGate({
    clock,
    prices: PRICES,
    cache: { maxAgeMs: 1_000 },
    directory: {
      async key() {
        if (isDown) throw new Error("the directory is down");
        return chain;
      },
      principal: async () => undefined,
    },
  });
  const call = { model: "smart", inputTokens: 1_000, maxOutputTokens: 0 };
  const { reservation } = passed(await gate.admit({ keyId: "k1" }, call));
  isDown = true;
  clock.at += 2_000;
  settled(await gate.settle(reservation, { model: "gpt-4o", inputTokens: 1_000, outputTokens: 0 }));
  isDown = false;
  expect(await readingOf(gate, "cost")).toMatchObject({ usd: { used: 0.0025 } });
});

describe("a call whose day is another one by the counters' clock", () => {
  const budget = { usd: 1, reset: "daily" as const };
  const perModel = { "gpt-4o": { budget } };
  const call = { model: "smart", inputTokens: 1_000, maxOutputTokens: 0 };

  /** The counters' clock is a day ahead, since one call was. */
  async function setUp(limits: Limits) {
    const chain = (limits: Limits) =>
      aChain({ org: { virtualModels: { smart: ["gpt-4o-mini", "gpt-4o"] } }, key: { limits } });
    const { gate, clock, put } = world(chain(limits), { cache: { maxAgeMs: 1 } });
    clock.at += DAY_MS;
    passed(await gate.admit({ keyId: "k1" }, call));
    clock.at -= DAY_MS;
    const { reservation } = passed(await gate.admit({ keyId: "k1" }, call));
    const ofModel = async () => {
      const readings = await gate.usage({ orgId: "o1", keyId: "k1" });
      return readings.find(({ perModel }) => perModel !== undefined)?.usd?.used;
    };
    return { gate, clock, reservation, ofModel, put: (limits: Limits) => put(chain(limits)) };
  }

  it("is charged for the model that it fell back to in its own day", async () => {
    const { gate, clock, reservation, ofModel } = await setUp({ budget, perModel });
    settled(await gate.settle(reservation, { model: "gpt-4o", inputTokens: 1_000, outputTokens: 0 }));
    expect(await ofModel()).toBe(0.0025);
    clock.at += DAY_MS;
    expect(await ofModel()).toBe(0);
  });

  it("is extended in its own day, also under a limit that is new", async () => {
    const { gate, clock, reservation, ofModel, put } = await setUp({ budget });
    put({ budget, perModel: { "gpt-4o-mini": { budget } } });
    clock.at += 2;
    passed(await gate.extend(reservation, { maxOutputTokens: 1_000 }));
    expect(await ofModel()).toBeGreaterThan(0);
    clock.at += DAY_MS;
    expect(await ofModel()).toBe(0);
  });
});
