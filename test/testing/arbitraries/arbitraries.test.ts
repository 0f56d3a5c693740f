import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  anyHierarchy,
  anyKeyChain,
  anyLimits,
  anyPrincipal,
  anyTrace,
  HOSTILE_IDS,
} from "../../../src/arbitraries.js";
import { createGate } from "../../../src/gate/gate.js";
import { keyChainSchema } from "../../../src/model/chain.js";
import { type Limits, limitsSchema } from "../../../src/model/limits.js";
import { standardPolicy } from "../../../src/policy/index.js";
import { priceCatalog } from "../../../src/pricing/catalog.js";
import { Audit, callerOf, directoryOf, ManualClock, replay } from "../../../src/testing.js";

const MODELS = ["openai/gpt-4o", "openai/*"];

/** Whether some of a thousand values are as a function says. */
const some = <T>(values: fc.Arbitrary<T>, is: (value: T) => boolean) =>
  fc.sample(values, { numRuns: 1_000, seed: 1 }).some(is);

describe("anyLimits", () => {
  it("gives limits that a gate takes, and nothing else", () => {
    fc.assert(
      fc.property(anyLimits(fc, { models: MODELS, shadow: true }), (limits) => {
        expect(limitsSchema.parse(limits)).toEqual(limits);
      }),
    );
  });

  it("gives none, limits of zero, one budget, several, limits per model and shadow mode", () => {
    const limits = anyLimits(fc, { models: MODELS, shadow: true });
    const kinds: Record<string, (one: Limits) => boolean> = {
      none: (one) => Object.keys(one).length === 0,
      zero: ({ rpm }) => rpm === 0,
      "one budget": ({ budget }) => budget !== undefined && !Array.isArray(budget),
      "several budgets": ({ budget }) => Array.isArray(budget),
      "per model": ({ perModel }) => Object.keys(perModel ?? {}).length > 0,
      shadow: ({ mode }) => mode === "shadow",
    };
    for (const [kind, is] of Object.entries(kinds)) expect([kind, some(limits, is)]).toEqual([kind, true]);
  });

  it("keeps to the max that is asked for, and refuses where it is not asked to watch", () => {
    fc.assert(
      fc.property(
        anyLimits(fc, { maxRequests: 3, maxTokens: 3, maxUsd: 0.01 }),
        ({ rpm = 0, tpm = 0, budget = [], mode }) => {
          expect(Math.max(rpm, tpm)).toBeLessThanOrEqual(3);
          for (const { usd } of [budget].flat()) expect(Number(usd)).toBeLessThanOrEqual(0.01);
          expect(mode).not.toBe("shadow");
        },
      ),
    );
  });
});

describe("anyHierarchy", () => {
  it("gives chains of one org that a gate takes, each key once", () => {
    fc.assert(
      fc.property(anyHierarchy(fc), (chains) => {
        for (const chain of chains) expect(keyChainSchema.parse(chain)).toEqual(chain);
        expect(new Set(chains.map(({ key }) => key.id)).size).toBe(chains.length);
        const orgs = new Set(chains.map(({ org }) => JSON.stringify(org)));
        expect(orgs.size).toBe(1);
        const projects = new Map(chains.map(({ project }) => [project.id, JSON.stringify(project)]));
        for (const { project } of chains) expect(JSON.stringify(project)).toBe(projects.get(project.id));
      }),
    );
  });

  it("gives limits at every scope, several keys of one project, and hostile ids", () => {
    const chains = anyHierarchy(fc);
    expect(some(chains, ([one]) => one?.org.limits !== undefined && one.key.limits !== undefined)).toBe(true);
    expect(
      some(chains, ([one]) => one?.project.limits !== undefined && one.holder.limits !== undefined),
    ).toBe(true);
    expect(some(chains, (all) => new Set(all.map(({ project }) => project.id)).size < all.length)).toBe(true);
    const hostile = new Set<string>(HOSTILE_IDS);
    expect(some(chains, ([one]) => one !== undefined && hostile.has(one.project.id))).toBe(true);
  });
});

it("as many keys and calls are given as may be, now and then", () => {
  expect(some(anyHierarchy(fc, { maxKeys: 15 }), (chains) => chains.length === 15)).toBe(true);
  expect(some(anyTrace(fc), (trace) => trace.length === 40)).toBe(true);
  expect(some(anyTrace(fc, { maxCalls: 60 }), (trace) => trace.length === 60)).toBe(true);
});

it("anyKeyChain gives one chain that a gate takes", () => {
  fc.assert(fc.property(anyKeyChain(fc), (chain) => void expect(keyChainSchema.parse(chain)).toEqual(chain)));
});

it("anyTrace gives calls in the order of arrival, some at the same millisecond and some over a minute apart", () => {
  fc.assert(
    fc.property(anyTrace(fc, { startsAt: 5 }), (trace) => {
      const moments = trace.map(({ at }) => at);
      expect(moments).toEqual([...moments].sort((a, b) => a - b));
      expect(Math.min(5, ...moments)).toBe(5);
    }),
  );
  const gapOf = (wanted: (gap: number) => boolean) =>
    some(anyTrace(fc), (trace) => trace.some(({ at }, i) => i > 0 && wanted(at - (trace[i - 1]?.at ?? 0))));
  expect(gapOf((gap) => gap === 0)).toBe(true);
  expect(gapOf((gap) => gap > 60_000)).toBe(true);
});

it("anyPrincipal gives people and keys, in and out of the org, with roles that are and are not the policy's", () => {
  const principals = anyPrincipal(fc, standardPolicy);
  expect(some(principals, ({ via }) => via !== undefined)).toBe(true);
  expect(some(principals, ({ orgRole }) => orgRole === undefined)).toBe(true);
  for (const role of ["owner", "member", "unheard-of"])
    expect(some(principals, ({ orgRole }) => orgRole === role)).toBe(true);
  expect(some(principals, ({ projectRoles }) => Object.hasOwn(projectRoles, "__proto__"))).toBe(true);
});

describe("law: whatever the hierarchy and the trace,", () => {
  it("no enforced limit is passed by an admission, nor in silence by a settle", async () => {
    const prices = priceCatalog.of({ "openai/gpt-4o": { inputUsdPerMillion: 50, outputUsdPerMillion: 100 } });
    let refused = 0;
    let checks = 0;
    await fc.assert(
      fc.asyncProperty(
        anyHierarchy(fc, { models: MODELS, shadow: true }),
        anyTrace(fc),
        async (chains, trace) => {
          const clock = new ManualClock();
          const gate = createGate({ directory: directoryOf(...chains), clock, prices });
          const callers = chains.map((chain) => callerOf(chain));
          const audit = new Audit();
          const result = await replay(
            {
              gate,
              clock,
              callers,
              assign({ inputTokens, outputTokens }, index) {
                const [first] = callers;
                const caller = callers[index % callers.length] ?? first;
                if (caller === undefined) throw new Error("a hierarchy has a key");
                // Half of the calls say too little, so that settles overdraw.
                const maxOutputTokens = index % 2 === 0 ? outputTokens : outputTokens + 500;
                return {
                  caller,
                  usage: { model: "openai/gpt-4o", inputTokens: inputTokens >> 1, maxOutputTokens },
                };
              },
            },
            trace,
            { onStep: audit.observe },
          );
          const report = audit.report();
          expect(report.violations).toEqual([]);
          refused += result.refused;
          checks += report.checks;
        },
      ),
      { numRuns: 100 },
    );
    expect(refused).toBeGreaterThan(50);
    expect(checks).toBeGreaterThan(200);
  });
});
