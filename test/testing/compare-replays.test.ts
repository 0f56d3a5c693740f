import { describe, expect, it } from "vitest";
import { createGate } from "../../src/gate/gate.js";
import { ValidationError } from "../../src/model/errors.js";
import { priceCatalog } from "../../src/pricing/catalog.js";
import {
  aKeyChain,
  type ChainParts,
  callerOf,
  compareReplays,
  comparisonToMarkdown,
  directoryOf,
  generateTrace,
  ManualClock,
  type ReplaySetup,
  replay,
  type TraceCall,
} from "../../src/testing.js";

const START = Date.UTC(2026, 0, 14, 9);

/** A dollar per million tokens, whichever. */
const prices = priceCatalog.of({ m: { inputUsdPerMillion: 1, outputUsdPerMillion: 1 } });

/** Calls take no time, so that each is settled before the next. */
const replyTime = { firstTokenMs: 0, msPerInputToken: 0, msPerOutputToken: 0 };

/** Keys `a` and `b` of one project, calling in turn. */
function setupOf(limits: { readonly a?: ChainParts; readonly b?: ChainParts } = {}): ReplaySetup {
  const clock = new ManualClock();
  const a = aKeyChain({ ...limits.a, key: { ...limits.a?.key, id: "a" } });
  const b = aKeyChain({ ...limits.b, key: { ...limits.b?.key, id: "b" } });
  const callers = [callerOf(a), callerOf(b)] as const;
  return {
    gate: createGate({ directory: directoryOf(a, b), clock, prices }),
    clock,
    callers,
    assign: ({ inputTokens, outputTokens }, index) => ({
      caller: callers[index % 2 === 0 ? 0 : 1],
      usage: { model: "m", inputTokens, maxOutputTokens: outputTokens },
    }),
  };
}

const call = (second: number): TraceCall => ({
  at: START + second * 1000,
  inputTokens: 600,
  outputTokens: 400,
});

const keyRpm = (rpm: number): ChainParts => ({ key: { limits: { rpm } } });
const projectRpm = (rpm: number): ChainParts => ({ project: { limits: { rpm } } });

describe("compareReplays", () => {
  it("of two setups that are alike finds nothing that changed", async () => {
    const trace = generateTrace({ durationMs: 60_000 });
    const limits = {
      a: keyRpm(20),
      b: { key: { limits: { budget: { usd: "0.05", reset: "daily" } } } },
    } as const;
    const comparison = await compareReplays(setupOf(limits), setupOf(limits), trace);
    expect(comparison.before.refused).toBeGreaterThan(0);
    expect(comparison).toMatchObject({ gained: 0, lost: 0, costNanoUsd: 0, usd: 0, changes: [] });
    expect(comparison.limits.map(({ before, after }) => before?.refused === after?.refused)).toEqual([
      true,
      true,
    ]);
  });

  it("names each call that changed its answer, with both answers", async () => {
    const trace = [0, 1, 2, 3, 4].map(call);
    const { changes, gained, lost } = await compareReplays(
      setupOf({ a: keyRpm(3) }),
      setupOf({ a: keyRpm(1) }),
      trace,
    );
    expect({ gained, lost }).toEqual({ gained: 0, lost: 2 });
    expect(changes).toEqual([
      {
        index: 2,
        at: START + 2_000,
        caller: "a",
        before: { admitted: true },
        after: {
          admitted: false,
          reason: "rate_limited",
          message: expect.stringContaining("1 request per minute"),
          retryAfterMs: expect.any(Number),
        },
      },
      expect.objectContaining({ index: 4, caller: "a", before: { admitted: true } }),
    ]);
  });

  it("names a call that both refuse, by limits that differ", async () => {
    const trace = [call(0), call(1), call(2)]; // of a, of b and of a again
    const { changes } = await compareReplays(
      setupOf({ a: keyRpm(1) }),
      setupOf({ a: projectRpm(1) }),
      trace,
      { replyTime },
    );
    expect(changes).toMatchObject([
      {
        index: 2,
        before: { reason: "rate_limited", message: expect.stringContaining("key limit") },
        after: { reason: "rate_limited", message: expect.stringContaining("project limit") },
      },
    ]);
  });

  it("names a call that one limit refuses for different reasons, and takes callers in any order", async () => {
    const tpm = (max: number): ChainParts => ({ key: { limits: { tpm: max } } });
    const [before, after] = [setupOf({ a: tpm(1_000) }), setupOf({ a: tpm(999) })];
    const turned: ReplaySetup = { ...after, callers: [...after.callers].reverse() };
    const { changes } = await compareReplays(before, turned, [call(0), call(1), call(2)]);
    expect(changes).toMatchObject([
      { index: 0, before: { admitted: true }, after: { reason: "too_large" } },
      { index: 2, before: { reason: "rate_limited" }, after: { reason: "too_large" } },
    ]);
    expect(changes[1]?.after).not.toHaveProperty("retryAfterMs");
  });

  it("finds the calls that pass because others were kept out, and what it all costs", async () => {
    // Two calls a minute for the whole project: without a limit of its own, `a` takes one of them, `b` the other.
    const trace = [0, 1, 2, 3].map(call);
    const both = { a: projectRpm(2), b: projectRpm(2) };
    const after = setupOf({ ...both, a: { ...projectRpm(2), key: { limits: { rpm: 0 } } } });
    const comparison = await compareReplays(setupOf(both), after, trace, { replyTime });
    expect(
      comparison.changes.map(({ index, before, after }) => [index, before.admitted, after.admitted]),
    ).toEqual([
      [0, true, false],
      [2, false, false], // refused by the project before, by its own limit after
      [3, false, true],
    ]);
    expect(comparison).toMatchObject({ gained: 1, lost: 1, costNanoUsd: 0 });
    expect(comparison.callers).toMatchObject([
      { name: "a", gained: 0, lost: 1, costNanoUsd: -1_000_000, usd: -0.001 },
      { name: "b", gained: 1, lost: 0, costNanoUsd: 1_000_000, usd: 0.001 },
    ]);
  });

  it("puts the two states of a limit side by side, whatever its max, and tells which only one setup has", async () => {
    const before = setupOf({ a: keyRpm(2), b: { key: { limits: { tpm: 5_000 } } } });
    const after = setupOf({ a: keyRpm(1), b: { project: { limits: { rpm: 9 } } } });
    const { limits } = await compareReplays(before, after, [0, 1, 2, 3, 4].map(call));
    const told = limits.map(({ before, after }) => [
      (before ?? after)?.reading.scope,
      before && [before.reading.max, before.refused],
      after && [after.reading.max, after.refused],
    ]);
    expect(told).toEqual([
      ["project", undefined, [9, 0]],
      ["key", [2, 1], [1, 2]],
      ["key", [5_000, 0], undefined],
    ]);
  });

  it("on an hour of made-up traffic names exactly the calls that a limit would have refused", async () => {
    const trace = generateTrace({ seed: 7, load: 0.1 });
    const rpm = [5, 8];
    const tight = () => setupOf({ a: keyRpm(5), b: keyRpm(8) });
    const comparison = await compareReplays(setupOf(), tight(), trace);

    // The rule in its own words: a second's calls and those of the 60 seconds before it.
    const admitted: number[][] = [[], []];
    const expected = trace.flatMap(({ at }, index) => {
      const second = Math.floor(at / 1000);
      const mine = admitted[index % 2] ?? [];
      if (mine.filter((one) => one >= second - 60).length >= (rpm[index % 2] ?? 0)) return [index];
      mine.push(second);
      return [];
    });
    expect(expected.length).toBeGreaterThan(500);
    expect(comparison.changes.map(({ index }) => index)).toEqual(expected);
    expect(comparison).toMatchObject({ gained: 0, lost: expected.length, before: { refused: 0 } });
    const lost = [0, 1].map((which) => expected.filter((index) => index % 2 === which).length);
    expect(comparison.callers.map((one) => one.lost)).toEqual(lost);
    expect(comparison.limits.map(({ before, after }) => [before, after?.refused])).toEqual([
      [undefined, lost[0]],
      [undefined, lost[1]],
    ]);

    const alone = await replay(tight(), trace);
    const { elapsedMs: _, callsPerSecond: __, ...same } = comparison.after;
    expect(alone).toMatchObject(same);
    const tokens = trace.map(({ inputTokens, outputTokens }) => inputTokens + outputTokens);
    const saved = expected.reduce((sum, index) => sum + (tokens[index] ?? 0), 0);
    expect(comparison.costNanoUsd).toBe(-1000 * saved);
  });

  it("refuses setups that cannot be compared", async () => {
    const one = setupOf();
    await expect(compareReplays(one, { ...setupOf(), gate: one.gate }, [])).rejects.toThrow(/after\.gate/);
    const renamed = setupOf();
    const others = renamed.callers.map((caller) => ({ ...caller, name: `new ${caller.name}` }));
    await expect(compareReplays(one, { ...renamed, callers: others }, [])).rejects.toThrow(/after\.callers/);
    const swapped: ReplaySetup = { ...renamed, assign: (each, index) => renamed.assign(each, index + 1) };
    const compared = compareReplays(setupOf(), swapped, [call(0)]);
    await expect(compared).rejects.toThrow(ValidationError);
    await expect(compared).rejects.toThrow(/trace\[0\]/);
  });
});

describe("comparisonToMarkdown", () => {
  it("says the sums, the callers, the limits and the first calls that changed", async () => {
    const trace = [0, 1, 2, 3, 4].map(call);
    const a: ChainParts = { key: { limits: { rpm: 1, budget: { usd: 5, reset: "daily" } } } };
    const comparison = await compareReplays(setupOf({ a: keyRpm(3) }), setupOf({ a }), trace);
    expect(comparisonToMarkdown(comparison, 1)).toBe(`\
Of 5 calls, 5 are admitted before and 3 after: 2 are refused that were admitted, 0 admitted that were refused. \
The cost changes by -0.002 USD.

| caller | calls | admitted before | after | gained | lost | USD before | after | change |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
| a | 3 | 3 | 1 | 0 | 2 | 0.003 | 0.001 | -0.002 |
| b | 2 | 2 | 2 | 0 | 0 | 0.002 | 0.002 | 0 |

| limit | max before | after | refused before | after | peak before | after |
|---|---:|---:|---:|---:|---:|---:|
| key a: requests, minute | 3 | 1 | 0 | 2 | 100 % | 100 % |
| key a: cost, daily | none | 5 USD |  | 0 |  | 0 % |

| call | at | caller | before | after |
|---|---|---|---|---|
| 2 | 2026-01-14T09:00:02.000Z | a | admitted | rate_limited: The key limit of 1 request per minute (key a) \
is used up to 1 request, and this call needs 1 request; there is room in 59 s. |

and 1 more call whose answer changes.`);
  });

  it("tells a budget as it was written, and a change of less than a hundredth of a cent as none", async () => {
    const budget = (usd: number): ChainParts => ({ key: { limits: { budget: { usd, reset: "daily" } } } });
    const cheap = { at: START, inputTokens: 1, outputTokens: 0 };
    const [before, after] = [setupOf({ a: budget(0.000001) }), setupOf({ a: budget(0.000002) })];
    const free = setupOf({ a: budget(0) });
    const text = comparisonToMarkdown(await compareReplays(before, after, [cheap]));
    expect(text).toContain("| key a: cost, daily | 0.000001 USD | 0.000002 USD | 0 | 0 |");
    const more = comparisonToMarkdown(await compareReplays(free, setupOf(), [cheap]));
    expect(more).toContain("1 admitted that were refused. The cost changes by 0 USD.");
  });

  it("tells a limit that only refused before, and which limits are per model or in shadow mode", async () => {
    const shared = { project: { limits: { rpm: 2 } } };
    const before = setupOf({ a: shared, b: shared });
    const after = setupOf({
      a: { ...shared, key: { limits: { rpm: 0 } } },
      b: { ...shared, key: { limits: { perModel: { m: { rpm: 9 } }, mode: "shadow" } } },
    });
    const comparison = await compareReplays(before, after, [0, 1, 2, 3].map(call), { replyTime });
    const text = comparisonToMarkdown(comparison, 0);
    expect(text).toContain("| project web: requests, minute | 2 | 2 | 2 | 0 | 100 % | 100 % |");
    expect(text).toContain("| key b: requests, minute, m | none | 9 (shadow) |");
    expect(text).not.toContain("more call");
  });

  it("tells the limits of a member of two projects apart", async () => {
    const ofTwo = (rpm: number): ReplaySetup => {
      const [web, ads] = ["web", "ads"].map((id) =>
        aKeyChain({ project: { id }, holder: { limits: { rpm } }, key: { id: `of ${id}` } }),
      );
      if (web === undefined || ads === undefined) throw new Error("two chains");
      const clock = new ManualClock();
      const gate = createGate({ directory: directoryOf(web, ads), clock, prices });
      return { ...setupOf(), gate, clock, callers: [callerOf(web), callerOf(ads)] };
    };
    const text = comparisonToMarkdown(await compareReplays(ofTwo(1), ofTwo(2), []));
    expect(text).toContain("| member pam of web: requests, minute | 1 | 2 |");
    expect(text).toContain("| member pam of ads: requests, minute | 1 | 2 |");
  });

  it.each([-1, Number.NaN])("refuses to list %s calls", async (shown) => {
    const comparison = await compareReplays(setupOf(), setupOf(), []);
    expect(() => comparisonToMarkdown(comparison, shown)).toThrow(ValidationError);
  });

  it("of setups that are alike has no table of calls", async () => {
    const text = comparisonToMarkdown(await compareReplays(setupOf(), setupOf(), [call(0)]));
    expect(text).toContain("Of 1 call, 1 are admitted before and 1 after");
    expect(text).not.toContain("| call |");
  });

  it.each([
    ["a|\nb", "a\\| b"],
    ["a\\|b", "a\\\\\\|b"],
    ["a\\", "a\\\\"],
    ["a\r\nb\rc\u2028d\u0085e", "a b c d e"],
  ])("keeps the name %j of a caller from breaking a table", async (name, cell) => {
    const named = (setup: ReplaySetup): ReplaySetup => {
      const [first, ...rest] = setup.callers;
      if (first === undefined) throw new Error("a setup has callers");
      const odd = { ...first, name };
      return {
        ...setup,
        callers: [odd, ...rest],
        assign: (each, i) => ({ ...setup.assign(each, i), caller: odd }),
      };
    };
    const text = comparisonToMarkdown(await compareReplays(named(setupOf()), named(setupOf()), [call(0)]));
    expect(text).toContain(`| ${cell} | 1 |`);
  });
});
