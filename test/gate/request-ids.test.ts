import { describe, expect, it } from "vitest";
import { ConflictError } from "../../src/model/errors.js";
import type { Usage } from "../../src/model/usage.js";
import { passed, readingOf } from "../scenarios/answers.js";
import { limited, world } from "./world.js";

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
