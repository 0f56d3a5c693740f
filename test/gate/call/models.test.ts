import { describe, expect, it } from "vitest";
import type { LimitReading } from "../../../src/admission/limit-reading.js";
import { memoryCounters } from "../../../src/counters/memory.js";
import type { Limits } from "../../../src/model/limits.js";
import type { Usage } from "../../../src/model/usage.js";
import { passed, readingOf, refusedBy, settled } from "../../scenarios/answers.js";
import { aChain, countedWorld, limited, type World, world } from "../world.js";

const KEY = { keyId: "k1" };
const CALL: Usage = { model: "gpt-4o", inputTokens: 100, maxOutputTokens: 100 };

describe("limits of one model", () => {
  const perModel = { "gpt-4o": { rpm: 1 }, "gpt-4o-mini": { rpm: 2, tpm: 1_000 }, "bedrock/*": { rpm: 1 } };

  it("count that model alone, and beside the limits of all models", async () => {
    const { gate } = countedWorld(limited({ key: { rpm: 4, perModel } }));
    const call = (model: string) => gate.admit(KEY, { ...CALL, model });
    passed(await call("gpt-4o"));
    expect(refusedBy(await call("gpt-4o")).limit).toMatchObject({ perModel: "gpt-4o", used: 1 });
    passed(await call("gpt-4o-mini"));
    passed(await call("gpt-4o-mini"));
    expect(refusedBy(await call("gpt-4o-mini")).limit?.perModel).toBe("gpt-4o-mini");
    passed(await call("free"));
    const last = refusedBy(await call("free"));
    expect(last.limit).toMatchObject({ meter: "requests", max: 4 });
    expect(last.limit?.perModel).toBeUndefined();
  });

  it("by a pattern count all that it matches together", async () => {
    const { gate } = countedWorld(limited({ key: { perModel } }));
    passed(await gate.admit(KEY, { model: "bedrock/claude" }));
    refusedBy(await gate.admit(KEY, { model: "bedrock/us/llama" }));
    passed(await gate.admit(KEY, { model: "bedrockz/claude" }));
  });

  it("of an MCP server's name say nothing about the server", async () => {
    const { gate } = countedWorld(limited({ key: { perModel: { github: { rpm: 0 }, "*": { rpm: 0 } } } }));
    passed(await gate.admit(KEY, { mcpServer: "github" }));
  });
});

describe("a virtual model", () => {
  const perModel = {
    smart: { rpm: 9 },
    "gpt-4o": { rpm: 9, budget: { usd: 1, reset: "daily" as const } },
    "gpt-4o-mini": { rpm: 9, budget: { usd: 1, reset: "daily" as const } },
  };
  const chain = (limits: Limits = { perModel }) =>
    aChain({
      org: { virtualModels: { smart: ["gpt-4o", "gpt-4o-mini"], cheap: ["gpt-4o-mini", "gpt-4o"] } },
      key: { limits },
    });

  const usedBy = async ({ gate }: World, meter: LimitReading["meter"] = "requests") => {
    const readings = await gate.usage({ orgId: "o1", keyId: "k1" });
    return Object.fromEntries(
      readings.filter((one) => one.meter === meter).map(({ perModel, used }) => [perModel, used]),
    );
  };

  it("counts against the limits of its name and of its first permitted target", async () => {
    const made = countedWorld(chain());
    passed(await made.gate.admit(KEY, { ...CALL, model: "smart" }));
    expect(await usedBy(made)).toEqual({ smart: 1, "gpt-4o": 1, "gpt-4o-mini": 0 });
  });

  it("moves its charges to the model that answered, and keeps those of its own name", async () => {
    const made = countedWorld(chain());
    const { reservation } = passed(await made.gate.admit(KEY, { ...CALL, model: "smart" }));
    settled(await made.gate.settle(reservation, { model: "gpt-4o-mini", outputTokens: 50 }));
    expect(await usedBy(made)).toEqual({ smart: 1, "gpt-4o": 0, "gpt-4o-mini": 1 });
    expect(await usedBy(made, "cost")).toEqual({ "gpt-4o": 0, "gpt-4o-mini": 100 * 150 + 50 * 600 });
  });

  it("moves them in the other process too, which has only the reservation's JSON", async () => {
    const counters = memoryCounters();
    const here = world(chain(), { counters });
    const there = world(chain(), { counters });
    const { reservation } = passed(await here.gate.admit(KEY, { ...CALL, model: "smart" }));
    settled(await there.gate.settle(JSON.stringify(reservation), { model: "gpt-4o-mini" }));
    expect(await usedBy(here)).toEqual({ smart: 1, "gpt-4o": 0, "gpt-4o-mini": 1 });
  });

  it("stays charged to its first target where the provider answers under another name, such as a dated one", async () => {
    const made = countedWorld(chain());
    const { reservation } = passed(await made.gate.admit(KEY, { ...CALL, model: "smart" }));
    settled(await made.gate.settle(reservation, { model: "gpt-4o-2026-05-15", outputTokens: 50 }));
    expect(await usedBy(made)).toEqual({ smart: 1, "gpt-4o": 1, "gpt-4o-mini": 0 });
  });

  it("is charged once to a limit that its first target and the model that answered share", async () => {
    const chain = aChain({
      org: { virtualModels: { smart: ["gpt-4o", "gpt-4o-mini"] } },
      key: { limits: { perModel: { "*": { tpm: 1_000 } } } },
    });
    const { gate } = countedWorld(chain);
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, model: "smart" }));
    settled(await gate.settle(reservation, { model: "gpt-4o-mini", inputTokens: 90, outputTokens: 10 }));
    expect(await readingOf(gate, "tokens")).toMatchObject({ used: 100 });
  });

  it("that was never sent is given back everywhere", async () => {
    const made = countedWorld(chain());
    const { reservation } = passed(await made.gate.admit(KEY, { ...CALL, model: "smart" }));
    settled(await made.gate.release(reservation));
    expect(await usedBy(made)).toEqual({ smart: 0, "gpt-4o": 0, "gpt-4o-mini": 0 });
    expect(await usedBy(made, "cost")).toEqual({ "gpt-4o": 0, "gpt-4o-mini": 0 });
  });

  it("puts the model that answered above its max, as recorded overdraft, where that had no room left", async () => {
    const made = countedWorld(chain({ perModel: { "gpt-4o-mini": { rpm: 1 } } }));
    passed(await made.gate.admit(KEY, { ...CALL, model: "gpt-4o-mini" }));
    const { reservation } = passed(await made.gate.admit(KEY, { ...CALL, model: "smart" }));
    const { overdraft } = settled(await made.gate.settle(reservation, { model: "gpt-4o-mini" }));
    expect(overdraft).toMatchObject([{ perModel: "gpt-4o-mini", used: 2, max: 1 }]);
  });

  it("whose first target has no price counts against the limits of the next, when it is extended too", async () => {
    const { gate } = countedWorld(
      aChain({
        org: { virtualModels: { smart: ["unheard-of", "gpt-4o"] } },
        key: {
          limits: {
            budget: { usd: 1, reset: "daily" },
            perModel: {
              smart: { outputTpm: 900 },
              "unheard-of": { outputTpm: 900 },
              "gpt-4o": { outputTpm: 900 },
            },
          },
        },
      }),
    );
    const { reservation, models } = passed(await gate.admit(KEY, { ...CALL, model: "smart" }));
    expect(models).toEqual(["gpt-4o"]);
    const extended = passed(await gate.extend(reservation, { maxOutputTokens: 50 }));
    expect(extended.models).toEqual(["gpt-4o"]);
    const readings = await gate.usage({ orgId: "o1", keyId: "k1" });
    const tokens = readings.filter(({ meter }) => meter === "outputTokens");
    expect(tokens.map(({ perModel, used }) => [perModel, used])).toEqual([
      ["smart", 150],
      ["unheard-of", 0],
      ["gpt-4o", 150],
    ]);
  });

  it("is reserved at the price of its dearest permitted target, whichever is first", async () => {
    const made = countedWorld(chain({ budget: { usd: 1, reset: "daily" } }));
    for (const model of ["smart", "cheap"]) {
      const { reservation } = passed(await made.gate.admit(KEY, { ...CALL, model }));
      expect(reservation.costNanoUsd, model).toBe(100 * 2_500 + 100 * 10_000);
    }
  });

  it("is extended at the price of its dearest permitted target as well", async () => {
    const { gate } = countedWorld(chain({ budget: { usd: 1, reset: "daily" } }));
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, model: "cheap" }));
    passed(await gate.extend(reservation, { maxOutputTokens: 100 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 100 * 2_500 + 200 * 10_000 });
  });
});
