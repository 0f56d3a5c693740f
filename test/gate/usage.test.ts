import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LimitReading } from "../../src/admission/limit-reading.js";
import { createGate } from "../../src/gate/gate.js";
import { NotFoundError, ValidationError } from "../../src/model/errors.js";
import type { Usage } from "../../src/model/usage.js";
import { directoryOf } from "../../src/testing/directory.js";
import { passed, readingOf, settled } from "../scenarios/answers.js";
import { anyChain, anyUsage, history, live } from "./call/histories.js";
import { aChain, countedWorld, limited, NOON, type World } from "./world.js";

const KEY = { keyId: "k1" };
const CALL: Usage = { model: "gpt-4o", inputTokens: 100, maxOutputTokens: 100 };

describe("input tokens that a call does not name", () => {
  it.each([
    ["tpm", { tpm: 9_000 }],
    ["inputTpm", { inputTpm: 9_000 }],
    ["tpd", { tpd: 9_000 }],
    ["a budget", { budget: { usd: 1, reset: "daily" as const } }],
    ["the tokens of this model", { perModel: { "gpt-4o": { tpm: 9_000 } } }],
  ])(
    "are a ValidationError that names usage.inputTokens, where a limit needs them: %s",
    async (_, needing) => {
      const { gate } = countedWorld(limited({ project: needing }));
      for (const ask of [gate.admit, gate.check]) {
        const error = await ask(KEY, { model: "gpt-4o" }).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(ValidationError);
        expect(error).toMatchObject({ field: "usage.inputTokens" });
      }
    },
  );

  it.each([
    ["requests and output", { rpm: 9, outputTpm: 9_000, inFlight: 9 }, { model: "gpt-4o" }],
    [
      "a cost that the caller names",
      { budget: { usd: 1, reset: "daily" as const } },
      { model: "gpt-4o", costUsd: 1 },
    ],
    ["the tokens of another model", { perModel: { free: { tpm: 9_000 } } }, { model: "gpt-4o" }],
    ["an MCP server", { tpm: 9_000 }, { mcpServer: "github" }],
    ["nothing at all", {}, { model: "gpt-4o" }],
  ])("are not needed for %s", async (_, limits, usage) => {
    const { gate } = countedWorld(limited({ key: limits }));
    passed(await gate.admit(KEY, usage));
  });
});

describe("a usage or an actual that is wrong", () => {
  it.each([
    ["an unknown field", { ...CALL, max_tokens: 5 }, "usage.max_tokens"],
    ["neither model nor MCP server", {}, "usage.model"],
    ["both", { model: "a", mcpServer: "b" }, "usage.model"],
    ["half a token", { ...CALL, inputTokens: 0.5 }, "usage.inputTokens"],
    ["a negative number of tokens", { ...CALL, maxOutputTokens: -1 }, "usage.maxOutputTokens"],
    ["NaN dollars", { ...CALL, costUsd: Number.NaN }, "usage.costUsd"],
    ["a negative cost", { ...CALL, costUsd: "-1" }, "usage.costUsd"],
    ["an empty model", { model: "" }, "usage.model"],
    ["half a surrogate pair", { model: "\ud800" }, "usage.model"],
    ["nothing", undefined, "usage"],
  ])("is a ValidationError that names the field: %s", async (_, usage, field) => {
    const { gate } = countedWorld(aChain());
    await expect(gate.admit(KEY, usage as Usage)).rejects.toMatchObject({ code: "validation", field });
  });

  it("of a settle leaves the reservation open", async () => {
    const { gate } = countedWorld(limited({ key: { tpm: 900 } }));
    const { reservation } = passed(await gate.admit(KEY, CALL));
    const wrong = { promptTokens: 5 } as never;
    await expect(gate.settle(reservation, wrong)).rejects.toMatchObject({ field: "actual.promptTokens" });
    settled(await gate.settle(reservation, { inputTokens: 5 }));
  });

  it("is a key that is neither a token nor { keyId }, whether or not the key is cached", async () => {
    const { gate } = countedWorld(aChain(), { cache: {} });
    const keys = [undefined, 5, null, {}, { keyId: 5 }, { keyId: "" }, { keyId: "k1", role: "owner" }];
    for (let round = 0; round < 2; round++) {
      for (const key of keys) {
        await expect(gate.admit(key as never, CALL), JSON.stringify(key)).rejects.toThrow(ValidationError);
      }
      passed(await gate.admit(KEY, CALL));
    }
  });
});

describe("contentLogging", () => {
  it("is off as soon as the org, the project or the key says so", async () => {
    for (const org of [undefined, true, false]) {
      for (const project of [undefined, true, false]) {
        for (const key of [undefined, true, false]) {
          const said = (contentLogging: boolean | undefined) =>
            contentLogging !== undefined && { contentLogging };
          const { gate } = countedWorld(
            aChain({ org: { ...said(org) }, project: { ...said(project) }, key: { ...said(key) } }),
          );
          const { contentLogging } = passed(await gate.admit(KEY, { model: "free" }));
          expect(contentLogging).toBe(![org, project, key].includes(false));
        }
      }
    }
  });
});

describe("usage", () => {
  /** A reading as a person is shown it. */
  function sentence({ usd, window, resetsAt }: LimitReading, timeZone = "UTC"): string {
    if (!usd || resetsAt === undefined || window !== "monthly") throw new Error("a monthly budget");
    const count = (value: number) => new Intl.NumberFormat("en").format(value);
    const day = new Intl.DateTimeFormat("en", { day: "numeric", timeZone }).format(resetsAt);
    return `${count(usd.used)} of ${count(usd.max)} USD this month, resets on the ${day}st`;
  }

  it("can be shown to a person: 1,240 of 2,000 USD this month, resets on the 1st", async () => {
    const timeZone = "America/Los_Angeles";
    const { gate } = countedWorld(
      aChain({ org: { timeZone }, project: { limits: { budget: { usd: 2_000, reset: "monthly" } } } }),
    );
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1_240 }));
    const reading = await readingOf(gate, "cost", "project", { orgId: "o1", projectId: "p1" });
    expect(sentence(reading, timeZone)).toBe("1,240 of 2,000 USD this month, resets on the 1st");
    expect(reading).toEqual({
      scope: "project",
      scopeId: "p1",
      meter: "cost",
      max: 2_000e9,
      used: 1_240e9,
      remaining: 760e9,
      usd: { max: 2_000, used: 1_240, remaining: 760 },
      window: "monthly",
      resetsAt: Date.parse("2026-06-01T07:00:00Z"),
      mode: "enforce",
    });
  });

  const rpm = { rpm: 5 };
  const everywhere = () => countedWorld(limited({ org: rpm, project: rpm, member: rpm, key: rpm }));
  const scopesOf = async ({ gate }: World, query: Parameters<World["gate"]["usage"]>[0]) =>
    (await gate.usage(query)).map(({ scope }) => scope);

  it("is that of the scopes that are named, and of no others", async () => {
    const made = everywhere();
    expect(await scopesOf(made, { orgId: "o1" })).toEqual(["org"]);
    expect(await scopesOf(made, { orgId: "o1", projectId: "p1" })).toEqual(["org", "project"]);
    expect(await scopesOf(made, { orgId: "o1", projectId: "p1", userId: "u1" })).toEqual([
      "org",
      "project",
      "member",
    ]);
  });

  it("of a key brings its project and its holder along", async () => {
    expect(await scopesOf(everywhere(), { orgId: "o1", keyId: "k1" })).toEqual([
      "org",
      "project",
      "member",
      "key",
    ]);
  });

  it("of a key is not found under another org, project or holder, nor where there is none", async () => {
    const { gate } = everywhere();
    for (const query of [
      { orgId: "o2", keyId: "k1" },
      { orgId: "o1", projectId: "p2", keyId: "k1" },
      { orgId: "o1", userId: "u2", keyId: "k1" },
      { orgId: "o1", keyId: "k2" },
      { orgId: "o2" },
    ]) {
      await expect(gate.usage(query), JSON.stringify(query)).rejects.toThrow(NotFoundError);
    }
  });

  it("of a userId is a ValidationError without the project of which that user is a member", async () => {
    const { gate } = everywhere();
    await expect(gate.usage({ orgId: "o1", userId: "u1" })).rejects.toMatchObject({
      code: "validation",
      field: "query.projectId",
    });
  });

  it("over a directory without `scope` is that of keys, and a ValidationError for anything else", async () => {
    const { key, principal } = directoryOf(limited({ key: rpm }));
    const gate = createGate({ directory: { key, principal } });
    expect(await gate.usage({ orgId: "o1", keyId: "k1" })).toMatchObject([{ scope: "key", max: 5 }]);
    await expect(gate.usage({ orgId: "o1" })).rejects.toMatchObject({
      code: "validation",
      field: "query.keyId",
    });
  });

  it("counts the limits of every model, a lifetime and slots, and reads without changing", async () => {
    const { gate, dump } = countedWorld(
      limited({
        key: {
          inFlight: 3,
          budget: { usd: 5, reset: "never" },
          perModel: { free: { rpm: 7 }, "gpt-4o": { tpm: 900 } },
        },
      }),
    );
    passed(await gate.admit(KEY, CALL));
    const before = dump();
    const readings = await gate.usage({ orgId: "o1", keyId: "k1" });
    expect(readings.map(({ meter, window, perModel, used }) => [meter, window, perModel, used])).toEqual([
      ["inFlight", "in-flight", undefined, 1],
      ["cost", "lifetime", undefined, 1_250_000],
      ["requests", "minute", "free", 0],
      ["tokens", "minute", "gpt-4o", 200],
    ]);
    for (const window of ["in-flight", "lifetime"]) {
      expect(readings.find((one) => one.window === window)).not.toHaveProperty("resetsAt");
    }
    expect(dump()).toEqual(before);
  });

  it("of a call that adds nothing to a count leaves the count's reset where it was", async () => {
    const { gate, clock } = countedWorld(limited({ key: { outputTpm: 900 } }));
    passed(await gate.admit(KEY, CALL));
    clock.at += 30_000;
    const { limits } = passed(await gate.admit(KEY, { ...CALL, maxOutputTokens: 0 }));
    expect(limits).toMatchObject([{ used: 100, resetsAt: NOON + 61_000 }]);
    expect(limits).toEqual(await gate.usage({ orgId: "o1", keyId: "k1" }));
  });

  it("agrees with the limits that an admission shows, and both with when the count is zero", async () => {
    await fc.assert(
      fc.asyncProperty(anyChain, history, anyUsage, async (chain, steps, usage) => {
        const made = countedWorld(chain, { unpriced: "free" });
        await live(made, steps);
        const admission = await made.gate.admit(KEY, usage);
        if (!admission.admitted) return;
        const readings = await made.gate.usage({ orgId: "o1", keyId: "k1" });
        const shown = admission.limits.map((one) => JSON.stringify(one));
        expect(readings.map((one) => JSON.stringify(one))).toEqual(expect.arrayContaining(shown));
      }),
      { numRuns: 200 },
    );
  });
});
