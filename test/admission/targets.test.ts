import { describe, expect, it } from "vitest";
import { mcpServerAllowed, permittedModels } from "../../src/admission/targets.js";
import type { KeyChain } from "../../src/model/chain.js";
import type { ChainParts } from "../../src/testing/key-chain.js";
import { aChain } from "../gate/world.js";

describe("the models that a call may reach", () => {
  const models = (model: string, parts: ChainParts) => permittedModels(aChain(parts), model);
  const virtualModels: KeyChain["org"]["virtualModels"] = { smart: ["a", "b", "c"], a: ["c"] };

  it("are the model itself, or the targets of a virtual one, which resolves once", () => {
    expect(models("a", {})).toEqual(["a"]);
    expect(models("smart", { org: { virtualModels } })).toEqual(["a", "b", "c"]);
    expect(models("b", { org: { virtualModels } })).toEqual(["b"]);
    expect(models("constructor", { org: { virtualModels } })).toEqual(["constructor"]);
  });

  it("are those that both lists name, by the target or by the virtual model", () => {
    const org = { virtualModels };
    expect(models("smart", { org, project: { models: ["a", "b"] }, key: { models: ["b", "c"] } })).toEqual([
      "b",
    ]);
    expect(models("smart", { org, project: { models: ["smart"] }, key: { models: ["c"] } })).toEqual(["c"]);
    expect(models("smart", { org, project: { models: ["a"] }, key: { models: ["smart"] } })).toEqual(["a"]);
    expect(models("smart", { org, project: { models: [] } })).toEqual([]);
    expect(models("a", { key: { models: ["b"] } })).toEqual([]);
  });

  it("have nothing to do with MCP servers, which pass both lists of their own", () => {
    const allowed = (parts: ChainParts) => mcpServerAllowed(aChain(parts), "git/hub");
    expect(allowed({ project: { models: [] }, key: { models: [] } })).toBe(true);
    expect(allowed({ project: { mcpServers: ["git/*"] }, key: { mcpServers: ["git/hub"] } })).toBe(true);
    expect(allowed({ project: { mcpServers: [] } })).toBe(false);
    expect(allowed({ key: { mcpServers: [] } })).toBe(false);
  });
});
