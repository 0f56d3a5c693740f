import { describe, expect, it } from "vitest";
import { CompiledChain, scopeLimits } from "../../src/admission/compiled-chain.js";
import { keyRefusal } from "../../src/admission/key-checks.js";
import { LimitCache } from "../../src/admission/limit-cache.js";
import { LimitShapes } from "../../src/admission/limit-shape.js";
import { Calendar } from "../../src/admission/period.js";
import type { Plan } from "../../src/admission/plan.js";
import type { ChainParts } from "../../src/testing/key-chain.js";
import { aChain, NOON } from "../gate/world.js";

const shapes = new LimitShapes(new Calendar());
const compile = (parts: ChainParts = {}) => new CompiledChain(aChain(parts), shapes, new LimitCache());

/** The limits of a plan, each as its scope, count and max. */
const limitsOf = ({ limits }: Pick<Plan, "limits">) =>
  limits.map(({ scope, field, max }) => `${scope} ${field} ${max}`);

const MODEL_LIMITS = { rpm: 9, perModel: { m: { rpm: 1 }, "openai/*": { rpm: 2 }, smart: { rpm: 3 } } };

describe("a compiled chain", () => {
  it("has the ids of its parts and every limit, in the order org, project, member, key", () => {
    const chain = aChain({
      org: { limits: { rpm: 1, tpm: 2 }, creditsNanoUsd: 3 },
      project: { limits: { rpm: 4 } },
      holder: { limits: { rpm: 5 } },
      key: { limits: { rpm: 6, perModel: { m: { rpm: 7 } } } },
    });
    const compiled = new CompiledChain(chain, shapes, new LimitCache());
    expect(compiled.chain).toBe(chain);
    expect(compiled).toMatchObject({ keyId: "k1", orgId: "o1", projectId: "p1", userId: "u1" });
    expect(limitsOf(compiled)).toEqual([
      "org requests/minute 1",
      "org tokens/minute 2",
      "org cost/credits 3",
      "project requests/minute 4",
      "member requests/minute 5",
      "key requests/minute 6",
      "key requests/minute/m 7",
    ]);
    expect(compiled.limits.map(({ scopeId }) => scopeId)).toEqual(["o1", "o1", "o1", "p1", "u1", "k1", "k1"]);
    expect([...new Set(compiled.limits.map(({ scopeKey }) => scopeKey))]).toEqual([
      '["org","o1"]',
      '["project","o1","p1"]',
      '["member","o1","p1","u1"]',
      '["key","o1","k1"]',
    ]);
  });

  it("has budgets in the zone of the org, in UTC where it has none", () => {
    const budget = { limits: { budget: { usd: 1, reset: "daily" as const } } };
    const zones = (timeZone?: string) =>
      compile({ org: { ...budget, timeZone }, project: budget, holder: budget, key: budget }).limits.map(
        ({ window }) => window.kind === "calendar" && window.timeZone,
      );
    expect(zones("Asia/Tokyo")).toEqual(Array(4).fill("Asia/Tokyo"));
    expect(zones()).toEqual(Array(4).fill("UTC"));
  });

  it("logs contents unless the org, the project or the key says no", () => {
    expect(compile().contentLogging).toBe(true);
    expect(compile({ org: { contentLogging: true } }).contentLogging).toBe(true);
    for (const place of ["org", "project", "key"]) {
      expect(compile({ [place]: { contentLogging: false } }).contentLogging).toBe(false);
    }
  });

  it("refuses as keyRefusal does at any moment, and ends with the first expiry", () => {
    const expiries = [undefined, NOON, NOON + 5];
    for (const keyEnd of expiries) {
      for (const holderEnd of expiries) {
        for (const status of ["active", "disabled"] as const) {
          const compiled = compile({
            key: { expiresAt: keyEnd, status },
            holder: { expiresAt: holderEnd },
          });
          const ends = [keyEnd, holderEnd].filter((end) => end !== undefined);
          expect(compiled.endsAt).toBe(ends.length === 0 ? undefined : Math.min(...ends));
          for (const now of [NOON - 1, NOON, NOON + 4, NOON + 5]) {
            expect(compiled.refusalAt(now)).toBe(keyRefusal(compiled.chain, now));
          }
        }
      }
    }
    expect(compile({ key: { status: "disabled" } }).refusalAt(NOON)).toBe("key_disabled");
    expect(compile({ key: { expiresAt: NOON } }).refusalAt(NOON)).toBe("key_expired");
    expect(compile({ holder: { expiresAt: NOON } }).refusalAt(NOON)).toBe("holder_removed");
  });
});

describe("a plan of a chain", () => {
  it("is one for every model, where nothing is said of single models", () => {
    const compiled = compile({
      org: { virtualModels: {} },
      project: { models: null },
      key: { limits: { rpm: 9 } },
    });
    const plan = compiled.forModel("m");
    expect(plan).toMatchObject({ allowed: true, models: undefined });
    expect(limitsOf(plan)).toEqual(["key requests/minute 9"]);
    expect(compiled.forModel("other")).toBe(plan);
  });

  it("is one for each model, where a limit, a list or a virtual model is about single ones", () => {
    const parts: ChainParts[] = [
      { org: { virtualModels: { smart: ["m"] } } },
      { project: { models: ["*"] } },
      { key: { models: ["*"] } },
      { org: { limits: { perModel: { "*": { rpm: 1 } } } } },
      { org: { limits: { rpm: 1, perModel: { n: { rpm: 1 } } } } },
    ];
    for (const part of parts) {
      const compiled = compile(part);
      const plan = compiled.forModel("m");
      expect(plan).toMatchObject({ allowed: true, models: ["m"] });
      expect(compiled.forModel("m")).toBe(plan);
      expect(compiled.forModel("n")).toMatchObject({ allowed: true, models: ["n"] });
    }
  });

  it("is not allowed where a list leaves nothing, and has the limits of the model's name then", () => {
    const compiled = compile({ key: { models: [], limits: MODEL_LIMITS } });
    expect(compiled.forModel("m")).toMatchObject({ allowed: false, models: [] });
    expect(limitsOf(compiled.forModel("m"))).toEqual(["key requests/minute 9", "key requests/minute/m 1"]);
  });

  it("counts against the limits of a virtual model's name and of its first permitted target", () => {
    const compiled = compile({
      org: { virtualModels: { smart: ["denied", "m", "openai/gpt"] } },
      project: { models: ["m", "openai/*"] },
      key: { limits: MODEL_LIMITS },
    });
    const plan = compiled.forModel("smart");
    expect(plan).toMatchObject({ allowed: true, models: ["m", "openai/gpt"] });
    expect(limitsOf(plan)).toEqual([
      "key requests/minute 9",
      "key requests/minute/m 1",
      "key requests/minute/smart 3",
    ]);
  });

  it("for some of its models has the limits of the first of them", () => {
    const compiled = compile({ key: { limits: MODEL_LIMITS } });
    const plan = compiled.forTargets(["openai/gpt", "m"], "smart");
    expect(plan).toMatchObject({ allowed: true, models: ["openai/gpt", "m"] });
    expect(limitsOf(plan)).toEqual([
      "key requests/minute 9",
      "key requests/minute/openai/* 2",
      "key requests/minute/smart 3",
    ]);
    // What is asked for with each extension of a call is not made each time.
    expect(compiled.forTargets(["m"], "m")).toBe(compiled.forModel("m"));
    const none = compiled.forTargets([], "m");
    expect(none).toMatchObject({ allowed: false, models: [] });
    expect(limitsOf(none)).toEqual(["key requests/minute 9", "key requests/minute/m 1"]);
  });

  it("for an MCP server has no models and no limits of single ones, whatever its name", () => {
    const compiled = compile({
      project: { mcpServers: ["git/*", "m"] },
      key: { limits: { ...MODEL_LIMITS, perModel: { ...MODEL_LIMITS.perModel, "*": { rpm: 4 } } } },
    });
    const plan = compiled.forMcpServer("m");
    expect(plan).toMatchObject({ allowed: true, models: [] });
    expect(limitsOf(plan)).toEqual(["key requests/minute 9"]);
    expect(compiled.forMcpServer("m")).toBe(plan);
    expect(compiled.forModel("m")).not.toBe(plan);
    expect(compiled.forMcpServer("jira")).toMatchObject({ allowed: false, models: [] });
    expect(compile().forMcpServer("jira")).toMatchObject({ allowed: true });
  });

  it("is remembered for 64 models at most: names are made up as callers like", () => {
    const compiled = compile({ key: { models: ["*"] } });
    const plans = Array.from({ length: 64 }, (_, i) => compiled.forModel(`m${i}`));
    expect(compiled.forModel("m0")).toBe(plans[0]);
    compiled.forModel("m64");
    expect(compiled.forModel("m0")).not.toBe(plans[0]);
    expect(compiled.forModel("m0")).toMatchObject({ models: ["m0"] });
  });
});

describe("the limits above a key", () => {
  const chain = aChain({
    org: { limits: { rpm: 1 }, creditsNanoUsd: 0 },
    project: { limits: { rpm: 2 } },
    holder: { limits: { rpm: 3 } },
  });

  it("are those of the scopes that are given", () => {
    const { org, project, holder } = chain;
    const limits = (scopes: Parameters<typeof scopeLimits>[0]) =>
      limitsOf({ limits: scopeLimits(scopes, new LimitCache()) });
    const orgLimits = ["org requests/minute 1", "org cost/credits 0"];
    expect(limits({ org })).toEqual(orgLimits);
    expect(limits({ org, holder })).toEqual(orgLimits);
    expect(limits({ org, project })).toEqual([...orgLimits, "project requests/minute 2"]);
    expect(limits({ org, project, holder })).toEqual([
      ...orgLimits,
      "project requests/minute 2",
      "member requests/minute 3",
    ]);
  });

  it("are compiled once for all keys below", () => {
    const cache = new LimitCache();
    expect(scopeLimits(chain, cache)[0]).toBe(scopeLimits(chain, cache)[0]);
    expect(scopeLimits(chain, cache)).not.toBe(scopeLimits(chain, cache));
  });

  it("hands out lists of models that nobody can change", () => {
    const virtualModels = { v: ["a", "b"] };
    const compiled = compile({ org: { virtualModels } });
    const { models } = compiled.forModel("v");
    expect(models).toEqual(["a", "b"]);
    expect(() => (models as string[]).shift()).toThrow(TypeError);
    expect(compiled.forTargets(["a"], "v").models).toEqual(["a"]);
  });
});
