import { describe, expect, it } from "vitest";
import { aChain, world } from "../gate/world.js";

const KEY = { keyId: "k1" };

const CASES: readonly (readonly [pattern: string, model: string, allowed: boolean])[] = [
  ["bedrock/*", "bedrock/claude", true],
  ["bedrock/*", "bedrock/us/claude", true],
  ["bedrock/*", "bedrockz/claude", false],
  ["bedrock/*", "bedrockz/*", false],
  ["bedrock/*", "bedrock", false],
  ["bedrock/*", "bedrock.evil/claude", false],
  ["bedrock/*", "x/bedrock/claude", false],
  ["bedrock/*", "Bedrock/claude", false],
  ["*/claude", "bedrock/claude", true],
  ["*/claude", "bedrock/us/claude", false],
  ["bedrock/*/claude", "bedrock/us/claude", true],
  ["bedrock/*/claude", "bedrock/us/claudette", false],
  ["bedrock/us", "bedrock/us/claude", false],
  ["gpt-4o", "gpt-4o-mini", false],
  ["gpt.4o", "gpt-4o", false],
  ["*", "any/thing", true],
];

describe("a pattern in a list of models (litellm#33030)", () => {
  it.each(CASES)("%s does with %s what a reader expects: %s", async (pattern, model, allowed) => {
    for (const scope of ["project", "key"] as const) {
      const { gate } = world(aChain({ [scope]: { models: [pattern] } }));
      expect((await gate.admit(KEY, { model })).admitted, scope).toBe(allowed);
    }
  });

  it.each(CASES)("%s does the same with the MCP server %s: %s", async (pattern, mcpServer, allowed) => {
    const { gate } = world(aChain({ key: { mcpServers: [pattern] } }));
    expect((await gate.admit(KEY, { mcpServer })).admitted).toBe(allowed);
  });

  it.each(CASES)("%s as the model of a limit counts %s: %s", async (pattern, model, counted) => {
    const { gate } = world(aChain({ key: { limits: { perModel: { [pattern]: { rpm: 0 } } } } }));
    expect((await gate.admit(KEY, { model })).admitted).toBe(!counted);
  });

  it.each(["gpt-*", "bedrock*/x", "**", "a/b*"])(
    "with half a segment, as in %s, is refused when it is read and matches nothing by accident",
    async (pattern) => {
      const { gate } = world(aChain({ key: { models: [pattern] } }));
      await expect(gate.admit(KEY, { model: "gpt-4o" })).rejects.toMatchObject({
        code: "validation",
        field: "chain.key.models[0]",
      });
    },
  );
});
