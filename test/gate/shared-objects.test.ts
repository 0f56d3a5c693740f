import { describe, expect, it } from "vitest";
import { passed, refusedBy } from "../scenarios/answers.js";
import { elsewhere, limited, world } from "./world.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 1, maxOutputTokens: 1 };

/** Changes whatever can be changed in something and in all that it holds. */
function vandalize(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  Object.values(value).forEach(vandalize);
  for (const field of Object.keys(value)) Reflect.set(value, field, undefined);
  if (Array.isArray(value)) Reflect.set(value, "length", 0);
}

describe("what an admission has in common with later calls", () => {
  it.each([
    ["the short way of counters in memory", {}],
    ["the ordinary way of counters", { counters: elsewhere() }],
  ])("is not changed by whoever holds it, on %s", async (_, options) => {
    const chain = limited({
      org: { budget: { usd: 9, reset: "monthly" } },
      key: { rpm: 5, perModel: { "gpt-4o": { rpm: 3 } } },
    });
    const { gate } = world(chain, options);
    for (let calls = 0; calls < 3; calls++) vandalize(passed(await gate.admit(KEY, CALL)));
    const refused = refusedBy(await gate.admit(KEY, CALL));
    expect(refused).toMatchObject({ reason: "rate_limited", limit: { used: 3, max: 3 } });
    expect((await gate.usage({ orgId: "o1" })).map(({ usd }) => usd?.max)).toEqual([9]);
  });
});
