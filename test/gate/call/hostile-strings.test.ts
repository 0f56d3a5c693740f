import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ValidationError } from "../../../src/model/errors.js";
import { anyString } from "../../any-string.js";
import { aChain, world } from "../world.js";

const hostile = fc.oneof(
  fc.constantFrom(
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "",
    " ",
    "*",
    "/",
    "a/*",
    "{}",
    "}{",
    "\u0000",
    "\ud800",
    "\udfff",
    "x".repeat(10_000),
    "__proto__/constructor",
    '["key","o1","k1"]',
  ),
  anyString({ maxLength: 30 }),
);

/** What was thrown, if anything was. */
async function thrownBy(call: () => Promise<unknown>): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("a hostile id, name or model", () => {
  it("gains nothing: a model that no list names is refused or is a ValidationError", async () => {
    const chain = aChain({ key: { models: ["gpt-4o", "openai/*"], mcpServers: ["files"] } });
    const { gate } = world(chain, { unpriced: "free" });
    await fc.assert(
      fc.asyncProperty(hostile, async (text) => {
        fc.pre(!text.startsWith("openai/"));
        for (const usage of [{ model: text }, { mcpServer: text }]) {
          const error = await thrownBy(async () => {
            const admission = await gate.admit({ keyId: "k1" }, usage);
            expect(admission.admitted).toBe(false);
          });
          if (error !== undefined) expect(error).toBeInstanceOf(ValidationError);
        }
      }),
    );
  });

  it("as a key id, token or request id throws nothing but ValidationError and finds no other key", async () => {
    const { gate } = world(aChain(), { unpriced: "free" });
    await fc.assert(
      fc.asyncProperty(hostile, async (text) => {
        for (const key of [text, { keyId: text }]) {
          const error = await thrownBy(async () => {
            expect(await gate.admit(key, { model: "gpt-4o" })).toMatchObject({
              admitted: false,
              reason: "invalid_key",
            });
          });
          if (error !== undefined) expect(error).toBeInstanceOf(ValidationError);
        }
        const usage = { model: "gpt-4o", requestId: text, tags: { [text]: text } };
        const error = await thrownBy(() => gate.admit({ keyId: "k1" }, usage));
        if (error !== undefined) expect(error).toBeInstanceOf(ValidationError);
      }),
    );
  });

  it("as ids of org, project, user and key keeps counts apart: each key has its own rpm", async () => {
    const id = hostile.filter((text) => text.length > 0 && text.length <= 200 && text.isWellFormed());
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(id, { minLength: 2, maxLength: 6 }), async (ids) => {
        const chains = ids.map((one) => ({
          org: { id: one },
          project: { id: one },
          holder: { userId: one, active: true, limits: { rpm: 1 } },
          key: { id: one, limits: { rpm: 1 } },
        }));
        const { gate } = world(chains);
        for (const keyId of ids) {
          expect(await gate.admit({ keyId }, { model: "free", inputTokens: 1 })).toMatchObject({
            admitted: true,
          });
          expect(await gate.admit({ keyId }, { model: "free", inputTokens: 1 })).toMatchObject({
            admitted: false,
          });
        }
      }),
      { numRuns: 50 },
    );
  });

  it("in a limit is no way round it: a perModel entry named __proto__ is refused, never dropped", async () => {
    const limits = JSON.parse('{ "perModel": { "__proto__": { "rpm": 1 } } }');
    const { gate } = world(aChain({ key: { limits } }));
    await expect(gate.admit({ keyId: "k1" }, { model: "gpt-4o" })).rejects.toMatchObject({
      code: "validation",
      problems: [{ field: "chain.key.limits.perModel" }],
    });
  });
});
