import { describe, expect, it } from "vitest";
import { memoryCounters } from "../../../src/counters/memory.js";
import { ConflictError } from "../../../src/model/errors.js";
import type { Usage } from "../../../src/model/usage.js";
import { passed, readingOf } from "../../scenarios/answers.js";
import { aChain, elsewhere, limited, world } from "../world.js";

const KEY = { keyId: "k1" };
const CALL: Usage = { model: "gpt-4o", inputTokens: 100, maxOutputTokens: 100, requestId: "r" };
const CHAIN = limited({ key: { rpm: 50 } });

describe("the same call of the same request id", () => {
  it.each<[string, Partial<Usage>, Partial<Usage>]>([
    ["its tags in another order", { tags: { team: "a", app: "b" } }, { tags: { app: "b", team: "a" } }],
    ["no tags, said and not said", { tags: {} }, {}],
    ["no key of the customer's own, said and not said", { byok: false }, {}],
    ["a cost as a number and as text", { costUsd: 1 }, { costUsd: "1" }],
    ["a cost with zeros at its end", { costUsd: "1" }, { costUsd: "1.00" }],
    ["a cost with an exponent", { costUsd: 0.000_000_1 }, { costUsd: "1e-7" }],
    [
      "its parts in another order",
      { cacheWriteTokens: 1, searches: 2, serviceTier: "flex" },
      { serviceTier: "flex", searches: 2, cacheWriteTokens: 1 },
    ],
    ["a field that is undefined", { costUsd: undefined, byok: undefined, tags: undefined }, {}],
  ])("is the same however it is written: %s", async (_, one, other) => {
    const { gate } = world(CHAIN);
    const first = passed(await gate.admit(KEY, { ...CALL, ...one }));
    for (const parts of [other, one]) {
      const again = passed(await gate.admit(KEY, { ...CALL, ...parts }));
      expect(again).toMatchObject({ replayed: true, reservation: { id: first.reservation.id } });
    }
    expect(await readingOf(gate, "requests")).toMatchObject({ used: 1 });
  });
});

describe("another call of the same request id", () => {
  it.each<[string, Partial<Usage>, Partial<Usage>]>([
    ["another model", {}, { model: "gpt-4o-mini" }],
    ["an MCP server of the model's name", {}, { model: undefined, mcpServer: "gpt-4o" }],
    [
      "another MCP server",
      { model: undefined, mcpServer: "files" },
      { model: undefined, mcpServer: "search" },
    ],
    ["more input", {}, { inputTokens: 101 }],
    ["more output", {}, { maxOutputTokens: 101 }],
    ["another value of a tag", { tags: { team: "a" } }, { tags: { team: "b" } }],
    ["the value of a tag as its name", { tags: { a: "b" } }, { tags: { b: "a" } }],
    ["a tag more", { tags: { team: "a" } }, { tags: { team: "a", app: "b" } }],
    ["a key of the customer's own", {}, { byok: true }],
    ["another cost", { costUsd: 1 }, { costUsd: "1.000000001" }],
    ["a cost of nothing, where none was given", {}, { costUsd: 0 }],
    ["a part of another name", { audioInputTokens: 1 }, { imageInputTokens: 1 }],
    [
      "input instead of output",
      { inputTokens: 1, maxOutputTokens: 2 },
      { inputTokens: 2, maxOutputTokens: 1 },
    ],
  ])("is a conflict, and nothing is charged: %s", async (_, one, other) => {
    const { gate } = world(CHAIN);
    passed(await gate.admit(KEY, { ...CALL, ...one }));
    await expect(gate.admit(KEY, { ...CALL, ...other })).rejects.toThrow(ConflictError);
    expect(await readingOf(gate, "requests")).toMatchObject({ used: 1 });
  });
});

/** Two values of each field of a usage. A new field has to be added: the compiler says so. */
const VALUES: Readonly<Record<Exclude<keyof Usage, "requestId">, readonly [unknown, unknown]>> = {
  model: ["gpt-4o", "gpt-4o-mini"],
  mcpServer: ["files", "search"],
  inputTokens: [100, 200],
  maxOutputTokens: [100, 200],
  costUsd: [1, 2],
  byok: [false, true],
  tags: [{ team: "a" }, { team: "b" }],
  cacheWriteTokens: [1, 2],
  cacheWrite1hTokens: [1, 2],
  audioInputTokens: [1, 2],
  imageInputTokens: [1, 2],
  audioOutputTokens: [1, 2],
  imageOutputTokens: [1, 2],
  inputImages: [1, 2],
  outputImages: [1, 2],
  searches: [1, 2],
  serviceTier: ["flex", "priority"],
};

it.each(Object.entries(VALUES))("a call that differs in %s is another call", async (field, [one, other]) => {
  const { gate } = world(CHAIN);
  const call = { ...CALL, ...(field === "mcpServer" && { model: undefined }) };
  passed(await gate.admit(KEY, { ...call, [field]: one }));
  await expect(gate.admit(KEY, { ...call, [field]: other })).rejects.toThrow(ConflictError);
  passed(await gate.admit(KEY, { ...call, [field]: one }));
});

describe("a call of its own", () => {
  const limits = { rpm: 50 };
  const here = aChain({ key: { limits } });

  it.each([
    ["another request id", here, { ...CALL, requestId: "r2" }],
    ["another key of the project", aChain({ key: { id: "k2", limits } }), CALL],
    ["a key of the same id in another org", aChain({ org: { id: "o2" }, key: { limits } }), CALL],
  ])("is what comes with %s", async (_, chain, other) => {
    for (const inStore of [false, true]) {
      const kept = memoryCounters();
      const counters = inStore ? elsewhere(() => {}, kept) : kept;
      const [first, second] = [world(here, { counters }), world(chain, { counters })];
      const { reservation } = passed(await first.gate.admit(KEY, CALL));
      const answer = passed(await second.gate.admit({ keyId: chain.key.id }, other));
      expect(answer.replayed).toBeUndefined();
      expect(answer.reservation.id).not.toBe(reservation.id);
    }
  });
});

it("counters are given what a request id is known by as plain data, which an adapter may write down", async () => {
  const kept = memoryCounters();
  const asked: unknown[] = [];
  const reserve: typeof kept.reserve = (request) => {
    asked.push(JSON.parse(JSON.stringify(request)));
    return kept.reserve(request);
  };
  const { gate } = world(CHAIN, { counters: { ...elsewhere(() => {}, kept), reserve } });
  passed(await gate.admit(KEY, CALL));
  const idempotency = { key: expect.stringContaining("k1"), fingerprint: expect.stringContaining("gpt-4o") };
  expect(asked).toMatchObject([{ idempotency }]);
});
