import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LimitReading } from "../../src/admission/limit-reading.js";
import { REFUSAL_REASONS, type RefusalReason } from "../../src/admission/reasons.js";
import { memoryCounters } from "../../src/counters/memory.js";
import type { Admission } from "../../src/gate/admission.js";
import type { GateOptions } from "../../src/gate/options.js";
import type { KeyChain } from "../../src/model/chain.js";
import { ConflictError, NotFoundError, ValidationError } from "../../src/model/errors.js";
import type { Limits } from "../../src/model/limits.js";
import type { Usage } from "../../src/model/usage.js";
import { passed, readingOf, refusedBy, settled } from "../scenarios/answers.js";
import { aChain, type ChainParts, limited, NOON, type World, world } from "./world.js";

const KEY = { keyId: "k1" };
const CALL: Usage = { model: "gpt-4o", inputTokens: 100, maxOutputTokens: 100 };
const HOUR_MS = 3_600_000;

/** A world whose counts can be looked at; chains are looked up afresh after a millisecond. */
function countedWorld(chain: KeyChain, options: GateOptions = {}): World & { dump(): unknown } {
  const counters = memoryCounters();
  const made = world(chain, { counters, cache: { maxAgeMs: 1, maxKeys: 10 }, ...options });
  return { ...made, dump: () => structuredClone(counters.dump()) };
}

/** Every way for a call to fail, in the order of the checks. What is not said of a chain is in order. */
interface Faulty {
  parts: { org: object; project: object; holder: object; key: Partial<KeyChain["key"]> };
  usage: Usage;
}

const FAULTS: readonly (readonly [reason: RefusalReason, spoil: (faulty: Faulty) => void])[] = [
  ["key_revoked", ({ parts: { key } }) => Object.assign(key, { status: "revoked" })],
  ["key_disabled", ({ parts: { key } }) => Object.assign(key, { status: key.status ?? "disabled" })],
  ["key_expired", ({ parts: { key } }) => Object.assign(key, { expiresAt: NOON })],
  ["org_inactive", ({ parts: { org } }) => Object.assign(org, { status: "suspended" })],
  ["project_inactive", ({ parts: { project } }) => Object.assign(project, { status: "archived" })],
  ["holder_removed", ({ parts: { holder } }) => Object.assign(holder, { active: false })],
  ["model_not_allowed", ({ parts: { key } }) => Object.assign(key, { models: [] })],
  [
    "model_unpriced",
    (faulty) => {
      faulty.usage = { ...CALL, model: "unheard-of" };
    },
  ],
  ["too_large", ({ parts: { key } }) => Object.assign(key, { limits: { tpm: 1 } })],
];

/** Limits that one call with a cost of a dollar uses up, of every kind. */
const SPENT: ChainParts = {
  org: { creditsNanoUsd: 1e9 },
  project: { limits: { rpm: 1 } },
  holder: { limits: { inFlight: 1, budget: { usd: 1, reset: "monthly" } } },
};

describe("the first check that fails answers", () => {
  const names = FAULTS.map(([reason]) => reason);

  it("in the order that REFUSAL_REASONS lists", () => {
    const listed = REFUSAL_REASONS.filter((reason) => names.includes(reason));
    expect(names).toEqual(listed);
  });

  it.each(names)("%s, where every later check would fail too", async (reason) => {
    const faulty: Faulty = { parts: { org: {}, project: {}, holder: {}, key: {} }, usage: CALL };
    for (const [, spoil] of FAULTS.slice(names.indexOf(reason))) spoil(faulty);
    const { parts } = faulty;
    const { gate, put, clock, dump } = countedWorld(aChain(SPENT));
    passed(await gate.admit(KEY, { ...CALL, costUsd: 1 }));
    put(
      aChain({
        org: { ...SPENT.org, ...parts.org },
        project: { ...SPENT.project, ...parts.project },
        holder: { ...SPENT.holder, ...parts.holder },
        key: parts.key,
      }),
    );
    clock.at += 1;
    const before = dump();
    expect(refusedBy(await gate.admit(KEY, faulty.usage)).reason).toBe(reason);
    expect(refusedBy(await gate.check(KEY, faulty.usage)).reason).toBe(reason);
    expect(dump()).toEqual(before);
  });

  it("invalid_key before all, for a token that nobody holds and for an id", async () => {
    const { gate, dump } = countedWorld(aChain());
    const before = dump();
    for (const key of ["sk-tg-nonsense", "", "x".repeat(100_000), { keyId: "nobody" }]) {
      const refusal = refusedBy(await gate.admit(key, { model: "unheard-of" }));
      expect(refusal.reason).toBe("invalid_key");
      expect(refusal.limits).toEqual([]);
    }
    expect(dump()).toEqual(before);
  });

  it("mcp_server_not_allowed at the project's list and at the key's", async () => {
    for (const scope of ["project", "key"] as const) {
      const { gate } = countedWorld(aChain({ [scope]: { mcpServers: ["git/*"], models: [] } }));
      expect(refusedBy(await gate.admit(KEY, { mcpServer: "gitlab/x" })).reason).toBe(
        "mcp_server_not_allowed",
      );
      passed(await gate.admit(KEY, { mcpServer: "git/hub" }));
    }
  });

  it("holder_removed also for a membership that has ended, from that millisecond on", async () => {
    const { gate, clock } = countedWorld(aChain({ holder: { expiresAt: NOON + 5 } }));
    clock.at = NOON + 4;
    passed(await gate.admit(KEY, CALL));
    clock.at = NOON + 5;
    expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("holder_removed");
  });

  it("counters_unavailable last of all", async () => {
    const down = () => Promise.reject(new Error("down"));
    const counters = { reserve: down, settle: down, read: down, close: async () => {} };
    const { gate } = world(limited({ key: { rpm: 5 } }), { counters });
    expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("counters_unavailable");
  });
});

/** For each reason that names a limit, limits and a history after which the call is refused for it. */
const BY_LIMIT: readonly (readonly [RefusalReason, KeyChain])[] = [
  ["too_large", limited({ key: { rpm: 9, outputTpm: 99 } })],
  ["rate_limited", limited({ org: { rpm: 1 }, key: { tpm: 9_000 } })],
  ["in_flight_limited", limited({ project: { inFlight: 1 }, key: { tpm: 9_000 } })],
  ["budget_exceeded", limited({ member: { budget: { usd: 0.002, reset: "daily" } }, key: { tpm: 9_000 } })],
  ["credits_exhausted", aChain({ org: { creditsNanoUsd: 2_000_000 }, key: { limits: { tpm: 9_000 } } })],
];

describe("a refused call leaves every counter as it was", () => {
  it.each(BY_LIMIT)("for %s", async (reason, chain) => {
    const { gate, dump } = countedWorld(chain);
    if (reason !== "too_large") passed(await gate.admit(KEY, CALL));
    const before = dump();
    expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe(reason);
    expect(dump()).toEqual(before);
  });

  it("for a usage that is wrong, and for a request id that stands for another call", async () => {
    const { gate, dump } = countedWorld(limited({ key: { tpm: 9_000 } }));
    passed(await gate.admit(KEY, { ...CALL, requestId: "r" }));
    const before = dump();
    await expect(gate.admit(KEY, { model: "gpt-4o" })).rejects.toThrow(ValidationError);
    await expect(gate.admit(KEY, { ...CALL, inputTokens: -1 })).rejects.toThrow(ValidationError);
    await expect(gate.admit(KEY, { ...CALL, inputTokens: 1, requestId: "r" })).rejects.toThrow(ConflictError);
    expect(dump()).toEqual(before);
  });
});

const smallBudget = fc.record(
  {
    usd: fc.constantFrom(0.001, 0.002, 0.004, 0),
    reset: fc.constantFrom("daily", "weekly", "monthly", "never"),
    countByok: fc.boolean(),
  },
  { requiredKeys: ["usd", "reset"] },
);

const budgets = fc.uniqueArray(smallBudget, { minLength: 1, maxLength: 2, selector: ({ reset }) => reset });

/** A limit of which a few calls fit, and now and then none. */
const few = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 6 }) }, fc.constant(0));
const tokens = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 150, max: 900 }) }, fc.nat(150));

const oneLimit: fc.Arbitrary<Limits> = fc.oneof(
  few.map((rpm) => ({ rpm })),
  few.map((rpd) => ({ rpd })),
  few.map((inFlight) => ({ inFlight })),
  tokens.map((tpm) => ({ tpm })),
  tokens.map((inputTpm) => ({ inputTpm })),
  tokens.map((outputTpm) => ({ outputTpm })),
  tokens.map((tpd) => ({ tpd })),
  budgets.map((budget) => ({ budget })),
);

const modelLimits = fc
  .tuple(fc.array(oneLimit, { maxLength: 2 }), fc.constantFrom("enforce", "enforce", "shadow", undefined))
  .map(([parts, mode]): Limits => Object.assign({}, ...parts, mode && { mode }));

const limits: fc.Arbitrary<Limits> = fc.oneof(
  { weight: 3, arbitrary: modelLimits },
  {
    weight: 1,
    arbitrary: fc
      .tuple(modelLimits, fc.dictionary(fc.constantFrom("gpt-4o", "free", "smart", "*"), modelLimits))
      .map(([all, perModel]) => ({ ...all, perModel })),
  },
);

const anyChain: fc.Arbitrary<KeyChain> = fc
  .record({
    org: limits,
    project: limits,
    member: limits,
    key: limits,
    credits: fc.option(fc.nat(20_000_000)),
  })
  .map(({ org, project, member, key, credits }) =>
    aChain({
      org: {
        limits: org,
        virtualModels: { smart: ["gpt-4o", "unheard-of", "gpt-4o-mini"] },
        ...(credits !== null && { creditsNanoUsd: credits }),
      },
      project: { limits: project },
      holder: { limits: member },
      key: { limits: key },
    }),
  );

const anyUsage: fc.Arbitrary<Usage> = fc
  .record(
    {
      inputTokens: fc.nat(120),
      maxOutputTokens: fc.nat(120),
      costUsd: fc.constantFrom(0, 0.0001, 0.001),
      byok: fc.boolean(),
      named: fc.constantFrom(
        { model: "gpt-4o" },
        { model: "gpt-4o-mini" },
        { model: "free" },
        { model: "smart" },
        { model: "unheard-of" },
        { mcpServer: "github" },
      ),
    },
    { requiredKeys: ["inputTokens", "named"] },
  )
  .map(({ named, ...rest }) => ({ ...rest, ...named }));

/** One step of a history: a call, settled at once, later or never, and time that passes. */
const history = fc.array(
  fc.record({
    usage: anyUsage,
    settle: fc.option(fc.record({ outputTokens: fc.nat(200) })),
    stepMs: fc.oneof({ weight: 8, arbitrary: fc.nat(2_000) }, fc.nat(90_000), fc.nat(30 * HOUR_MS)),
  }),
  { maxLength: 8 },
);

const anyUnpriced = fc.constantFrom<GateOptions["unpriced"]>("deny", "free", { usd: "0.0007" });

/** Runs a history through a gate, by itself. */
async function live({ gate, clock }: World, steps: typeof history extends fc.Arbitrary<infer T> ? T : never) {
  for (const { usage, settle, stepMs } of steps) {
    const admission = await gate.admit(KEY, usage);
    if (admission.admitted && settle !== null) await gate.settle(admission.reservation, settle);
    clock.at += stepMs;
  }
}

/** An answer as data, without the reservation's own id. */
function dataOf(admission: Admission, without: "limits" | "nothing" = "nothing") {
  const data = JSON.parse(JSON.stringify(admission));
  if (admission.admitted) {
    delete data.reservation.id;
    if (without === "limits") delete data.limits;
  }
  return data;
}

describe("check", () => {
  it("answers as admit does a moment later, for any limits, history and call, and charges nothing", async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(anyChain, history, anyUsage, anyUnpriced, async (chain, steps, usage, unpriced) => {
        const made = countedWorld(chain, { unpriced });
        await live(made, steps);
        const before = made.dump();
        const checked = await made.gate.check(KEY, usage);
        expect(made.dump()).toEqual(before);
        const admission = await made.gate.admit(KEY, usage);
        expect(dataOf(checked, "limits")).toEqual(dataOf(admission, "limits"));
        const outcome = admission.admitted ? "admitted" : admission.reason;
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
        if (!admission.admitted) expect(made.dump()).toEqual(before);
      }),
      { numRuns: 1_000 },
    );
    for (const outcome of ["admitted", "too_large", "rate_limited", "budget_exceeded"]) {
      expect(seen.get(outcome), outcome).toBeGreaterThan(2);
    }
  });

  it("shows the limits as admit would, with the call itself counted", async () => {
    const { gate } = countedWorld(limited({ key: { rpm: 5, tpm: 900, budget: { usd: 1, reset: "daily" } } }));
    passed(await gate.admit(KEY, CALL));
    const { limits } = passed(await gate.check(KEY, CALL));
    expect(limits).toEqual(passed(await gate.admit(KEY, CALL)).limits);
  });

  it("answers as admit does for a request id: with the open reservation, though the limit is used up by it", async () => {
    const { gate } = countedWorld(limited({ key: { rpm: 1 } }));
    const usage = { ...CALL, requestId: "r" };
    passed(await gate.admit(KEY, usage));
    passed(await gate.admit(KEY, usage));
    passed(await gate.check(KEY, usage));
  });

  it("makes no reservation that could be settled", async () => {
    const { gate } = countedWorld(limited({ key: { rpm: 1 } }));
    const { reservation } = passed(await gate.check(KEY, CALL));
    expect(await gate.settle(reservation, {})).toEqual({ settled: false, reason: "unknown_reservation" });
  });

  it("tells no listener of a refusal, as no call was refused", async () => {
    const { gate } = countedWorld(limited({ key: { rpm: 0 } }));
    const heard: unknown[] = [];
    gate.on("refusal", (event) => heard.push(event));
    refusedBy(await gate.check(KEY, CALL));
    refusedBy(await gate.check({ keyId: "nobody" }, CALL));
    refusedBy(await gate.check("sk-tg-nonsense", CALL));
    expect(heard).toEqual([]);
  });
});

describe("an amount of zero", () => {
  it("is refused by no limit on tokens or money, whatever was used before", async () => {
    const counted = fc
      .record(
        {
          tpm: fc.nat(2_000),
          inputTpm: fc.nat(2_000),
          outputTpm: fc.nat(2_000),
          tpd: fc.nat(2_000),
          budget: fc.uniqueArray(smallBudget, { maxLength: 3, selector: ({ reset }) => reset }),
        },
        { requiredKeys: [] },
      )
      .map((all): Limits => ({ ...all, perModel: { "*": all } }));
    await fc.assert(
      fc.asyncProperty(counted, counted, history, async (org, key, steps) => {
        const made = countedWorld(
          aChain({ org: { limits: org, creditsNanoUsd: 1_000_000 }, key: { limits: key } }),
          { unpriced: "free" },
        );
        await live(made, steps);
        passed(await made.gate.admit(KEY, { model: "free", inputTokens: 0, maxOutputTokens: 0 }));
        passed(await made.gate.admit(KEY, { ...CALL, inputTokens: 0, maxOutputTokens: 0, costUsd: 0 }));
      }),
      { numRuns: 200 },
    );
  });

  it("is not short of a limit on input when only output is used up", async () => {
    const { gate } = countedWorld(limited({ key: { inputTpm: 100, outputTpm: 100 } }));
    passed(await gate.admit(KEY, { ...CALL, inputTokens: 0 }));
    passed(await gate.admit(KEY, { ...CALL, maxOutputTokens: 0 }));
    refusedBy(await gate.admit(KEY, { ...CALL, inputTokens: 1, maxOutputTokens: 0 }));
  });
});

describe("of several limits that are short", () => {
  /** Uses up each of the limits with one call and asks for another. */
  async function secondCall(chain: KeyChain) {
    const { gate } = countedWorld(chain);
    passed(await gate.admit(KEY, { ...CALL, costUsd: 1 }));
    return refusedBy(await gate.admit(KEY, { ...CALL, costUsd: 1 }));
  }
  const monthMs = Date.UTC(2026, 5, 1) - NOON;

  it("the one with the longest wait is named, whatever its scope", async () => {
    expect(
      await secondCall(limited({ org: { rpm: 1 }, key: { budget: { usd: 1, reset: "daily" } } })),
    ).toMatchObject({ reason: "budget_exceeded", scope: "key", retryAfterMs: 12 * HOUR_MS });
    expect(
      await secondCall(
        limited({
          org: { budget: { usd: 1, reset: "monthly" } },
          key: { budget: { usd: 1, reset: "daily" } },
        }),
      ),
    ).toMatchObject({ reason: "budget_exceeded", scope: "org", retryAfterMs: monthMs });
    expect(await secondCall(limited({ member: { inFlight: 1 }, key: { rpm: 1, rpd: 1 } }))).toMatchObject({
      reason: "rate_limited",
      limit: { window: "day" },
    });
  });

  it("one that waiting never helps is named before all waits, and no wait is told", async () => {
    const refusal = await secondCall(
      limited({ org: { budget: { usd: 1, reset: "monthly" } }, key: { budget: { usd: 1, reset: "never" } } }),
    );
    expect(refusal).toMatchObject({ reason: "budget_exceeded", scope: "key" });
    expect("retryAfterMs" in refusal).toBe(false);
  });

  it("one that the call alone is above is named before all others", async () => {
    const { gate, put, clock } = countedWorld(limited({ org: { budget: { usd: 1, reset: "never" } } }));
    passed(await gate.admit(KEY, { ...CALL, costUsd: 1 }));
    put(limited({ org: { budget: { usd: 1, reset: "never" } }, key: { outputTpm: 99 } }));
    clock.at += 1;
    expect(refusedBy(await gate.admit(KEY, { ...CALL, costUsd: 1 }))).toMatchObject({
      reason: "too_large",
      scope: "key",
      limit: { meter: "outputTokens" },
    });
  });

  it("the widest scope is named where the waits are the same", async () => {
    expect(await secondCall(limited({ project: { rpm: 1 }, key: { rpm: 1 } }))).toMatchObject({
      scope: "project",
    });
  });

  it("all are listed, those with room too, in the order org, project, member, key", async () => {
    const { limits } = await secondCall(
      limited({ org: { rpm: 9 }, project: { rpm: 1, tpm: 900 }, member: { inFlight: 9 }, key: { rpm: 1 } }),
    );
    expect(limits.map(({ scope, meter, used }) => `${scope} ${meter} ${used}`)).toEqual([
      "org requests 1",
      "project requests 1",
      "project tokens 200",
      "member inFlight 1",
      "key requests 1",
    ]);
  });

  it("retryAfterMs is exact over all of them together", async () => {
    await fc.assert(
      fc.asyncProperty(anyChain, history, anyUsage, async (chain, steps, usage) => {
        const made = countedWorld(chain, { unpriced: "free" });
        await live(made, steps);
        const answer = await made.gate.check(KEY, usage);
        if (answer.admitted) return;
        const { retryAfterMs } = answer;
        if (retryAfterMs === undefined) {
          made.clock.at += 40 * 24 * HOUR_MS;
          refusedBy(await made.gate.check(KEY, usage));
          return;
        }
        made.clock.at += retryAfterMs - 1;
        refusedBy(await made.gate.check(KEY, usage));
        made.clock.at += 1;
        passed(await made.gate.check(KEY, usage));
      }),
      { numRuns: 400 },
    );
  });
});

describe("a clock that goes back over a reset", () => {
  it("gets a refusal from the spent day that it is back in, and no error", async () => {
    const midnight = Date.UTC(2026, 4, 16);
    const { gate, clock } = countedWorld(limited({ key: { budget: { usd: 1, reset: "daily" } } }));
    const dollar = { model: "gpt-4o", costUsd: 1 };
    clock.at = midnight - 10;
    passed(await gate.admit(KEY, dollar));
    for (const aheadMs of [0, 1, 90_000]) {
      clock.at = midnight + aheadMs;
      await gate.admit(KEY, dollar);
      clock.at = midnight - 1;
      expect(refusedBy(await gate.admit(KEY, dollar)).reason).toBe("budget_exceeded");
      expect(refusedBy(await gate.check(KEY, dollar)).reason).toBe("budget_exceeded");
    }
  });
});

describe("limits of one model", () => {
  const perModel = { "gpt-4o": { rpm: 1 }, "gpt-4o-mini": { rpm: 2, tpm: 1_000 }, "bedrock/*": { rpm: 1 } };

  it("count that model alone, and beside the limits of all models", async () => {
    const { gate } = countedWorld(limited({ key: { rpm: 4, perModel } }));
    const call = (model: string) => gate.admit(KEY, { ...CALL, model });
    passed(await call("gpt-4o"));
    expect(refusedBy(await call("gpt-4o")).limit).toMatchObject({ perModel: "gpt-4o", used: 1 });
    passed(await call("gpt-4o-mini"));
    passed(await call("gpt-4o-mini"));
    expect(refusedBy(await call("gpt-4o-mini")).limit?.perModel).toBe("gpt-4o-mini");
    passed(await call("free"));
    const last = refusedBy(await call("free"));
    expect(last.limit).toMatchObject({ meter: "requests", max: 4 });
    expect(last.limit?.perModel).toBeUndefined();
  });

  it("by a pattern count all that it matches together", async () => {
    const { gate } = countedWorld(limited({ key: { perModel } }));
    passed(await gate.admit(KEY, { model: "bedrock/claude" }));
    refusedBy(await gate.admit(KEY, { model: "bedrock/us/llama" }));
    passed(await gate.admit(KEY, { model: "bedrockz/claude" }));
  });

  it("of an MCP server's name say nothing about the server", async () => {
    const { gate } = countedWorld(limited({ key: { perModel: { github: { rpm: 0 }, "*": { rpm: 0 } } } }));
    passed(await gate.admit(KEY, { mcpServer: "github" }));
  });
});

describe("a virtual model", () => {
  const perModel = {
    smart: { rpm: 9 },
    "gpt-4o": { rpm: 9, budget: { usd: 1, reset: "daily" as const } },
    "gpt-4o-mini": { rpm: 9, budget: { usd: 1, reset: "daily" as const } },
  };
  const chain = (limits: Limits = { perModel }) =>
    aChain({
      org: { virtualModels: { smart: ["gpt-4o", "gpt-4o-mini"], cheap: ["gpt-4o-mini", "gpt-4o"] } },
      key: { limits },
    });

  const usedBy = async ({ gate }: World, meter: LimitReading["meter"] = "requests") => {
    const readings = await gate.usage({ orgId: "o1", keyId: "k1" });
    return Object.fromEntries(
      readings.filter((one) => one.meter === meter).map(({ perModel, used }) => [perModel, used]),
    );
  };

  it("counts against the limits of its name and of its first permitted target", async () => {
    const made = countedWorld(chain());
    passed(await made.gate.admit(KEY, { ...CALL, model: "smart" }));
    expect(await usedBy(made)).toEqual({ smart: 1, "gpt-4o": 1, "gpt-4o-mini": 0 });
  });

  it("moves its charges to the model that answered, and keeps those of its own name", async () => {
    const made = countedWorld(chain());
    const { reservation } = passed(await made.gate.admit(KEY, { ...CALL, model: "smart" }));
    settled(await made.gate.settle(reservation, { model: "gpt-4o-mini", outputTokens: 50 }));
    expect(await usedBy(made)).toEqual({ smart: 1, "gpt-4o": 0, "gpt-4o-mini": 1 });
    expect(await usedBy(made, "cost")).toEqual({ "gpt-4o": 0, "gpt-4o-mini": 100 * 150 + 50 * 600 });
  });

  it("moves them in the other process too, which has only the reservation's JSON", async () => {
    const counters = memoryCounters();
    const here = world(chain(), { counters });
    const there = world(chain(), { counters });
    const { reservation } = passed(await here.gate.admit(KEY, { ...CALL, model: "smart" }));
    settled(await there.gate.settle(JSON.stringify(reservation), { model: "gpt-4o-mini" }));
    expect(await usedBy(here)).toEqual({ smart: 1, "gpt-4o": 0, "gpt-4o-mini": 1 });
  });

  it("that was never sent is given back everywhere", async () => {
    const made = countedWorld(chain());
    const { reservation } = passed(await made.gate.admit(KEY, { ...CALL, model: "smart" }));
    settled(await made.gate.release(reservation));
    expect(await usedBy(made)).toEqual({ smart: 0, "gpt-4o": 0, "gpt-4o-mini": 0 });
    expect(await usedBy(made, "cost")).toEqual({ "gpt-4o": 0, "gpt-4o-mini": 0 });
  });

  it("puts the model that answered above its max, as recorded overdraft, where that had no room left", async () => {
    const made = countedWorld(chain({ perModel: { "gpt-4o-mini": { rpm: 1 } } }));
    passed(await made.gate.admit(KEY, { ...CALL, model: "gpt-4o-mini" }));
    const { reservation } = passed(await made.gate.admit(KEY, { ...CALL, model: "smart" }));
    const { overdraft } = settled(await made.gate.settle(reservation, { model: "gpt-4o-mini" }));
    expect(overdraft).toMatchObject([{ perModel: "gpt-4o-mini", used: 2, max: 1 }]);
  });

  it("whose first target has no price counts against the limits of the next, when it is extended too", async () => {
    const { gate } = countedWorld(
      aChain({
        org: { virtualModels: { smart: ["unheard-of", "gpt-4o"] } },
        key: {
          limits: {
            budget: { usd: 1, reset: "daily" },
            perModel: {
              smart: { outputTpm: 900 },
              "unheard-of": { outputTpm: 900 },
              "gpt-4o": { outputTpm: 900 },
            },
          },
        },
      }),
    );
    const { reservation, models } = passed(await gate.admit(KEY, { ...CALL, model: "smart" }));
    expect(models).toEqual(["gpt-4o"]);
    const extended = passed(await gate.extend(reservation, { maxOutputTokens: 50 }));
    expect(extended.models).toEqual(["gpt-4o"]);
    const readings = await gate.usage({ orgId: "o1", keyId: "k1" });
    const tokens = readings.filter(({ meter }) => meter === "outputTokens");
    expect(tokens.map(({ perModel, used }) => [perModel, used])).toEqual([
      ["smart", 150],
      ["unheard-of", 0],
      ["gpt-4o", 150],
    ]);
  });

  it("is reserved at the price of its dearest permitted target, whichever is first", async () => {
    const made = countedWorld(chain({ budget: { usd: 1, reset: "daily" } }));
    for (const model of ["smart", "cheap"]) {
      const { reservation } = passed(await made.gate.admit(KEY, { ...CALL, model }));
      expect(reservation.costNanoUsd, model).toBe(100 * 2_500 + 100 * 10_000);
    }
  });

  it("is extended at the price of its dearest permitted target as well", async () => {
    const { gate } = countedWorld(chain({ budget: { usd: 1, reset: "daily" } }));
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, model: "cheap" }));
    passed(await gate.extend(reservation, { maxOutputTokens: 100 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 100 * 2_500 + 200 * 10_000 });
  });
});

describe("a limit in shadow mode", () => {
  it("refuses nothing, counts everything and says what it would have refused", async () => {
    const { gate } = countedWorld(limited({ org: { rpm: 9 }, key: { rpm: 1, tpm: 150, mode: "shadow" } }));
    const first = passed(await gate.admit(KEY, CALL));
    expect(first.shadow).toMatchObject([{ reason: "too_large", scope: "key", limit: { meter: "tokens" } }]);
    const second = passed(await gate.admit(KEY, CALL));
    expect(second.shadow.map(({ reason }) => reason)).toEqual(["rate_limited", "too_large"]);
    expect(second.shadow[0]).toMatchObject({
      scope: "key",
      limit: { mode: "shadow", used: 1, max: 1 },
      retryAfterMs: 61_000,
    });
    expect(await readingOf(gate, "requests")).toMatchObject({ used: 2, max: 1, mode: "shadow" });
  });

  it("tells an extension, too, what it would have refused", async () => {
    const { gate } = countedWorld(limited({ key: { tpm: 250, mode: "shadow" } }));
    const { reservation, shadow } = passed(await gate.admit(KEY, CALL));
    expect(shadow).toEqual([]);
    const extended = passed(await gate.extend(reservation, { maxOutputTokens: 100 }));
    expect(extended.shadow).toMatchObject([{ reason: "rate_limited", limit: { used: 200, max: 250 } }]);
  });

  it("says nothing where it had room, and does not hide what an enforced limit refuses", async () => {
    const { gate } = countedWorld(limited({ project: { rpm: 1 }, key: { rpm: 1, mode: "shadow" } }));
    expect(passed(await gate.admit(KEY, CALL)).shadow).toEqual([]);
    expect(refusedBy(await gate.admit(KEY, CALL))).toMatchObject({ scope: "project" });
  });

  it("passes its mode on to the limits of its models, unless they say otherwise", async () => {
    const perModel: Limits["perModel"] = { free: { rpm: 0 }, "gpt-4o": { rpm: 0, mode: "enforce" } };
    const { gate } = countedWorld(limited({ key: { mode: "shadow", perModel } }));
    passed(await gate.admit(KEY, { model: "free" }));
    refusedBy(await gate.admit(KEY, { model: "gpt-4o" }));
  });

  it("does not make a model without a price a refusal", async () => {
    const { gate } = countedWorld(limited({ key: { budget: { usd: 1, reset: "daily" }, mode: "shadow" } }));
    passed(await gate.admit(KEY, { ...CALL, model: "unheard-of" }));
  });

  it("is not among the overdrafts of a settle: it will refuse nothing", async () => {
    const { gate } = countedWorld(limited({ key: { tpm: 300, mode: "shadow" } }));
    const { reservation } = passed(await gate.admit(KEY, CALL));
    expect(settled(await gate.settle(reservation, { outputTokens: 900 })).overdraft).toEqual([]);
  });
});

describe("a call on the customer's own provider key", () => {
  const budgets: Limits = {
    rpm: 9,
    budget: [
      { usd: 1, reset: "daily" },
      { usd: 1, reset: "monthly", countByok: true },
    ],
  };

  it("costs the org nothing, but for budgets that count it, and counts as a request", async () => {
    const { gate } = countedWorld(aChain({ org: { creditsNanoUsd: 1e9 }, key: { limits: budgets } }));
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, byok: true, costUsd: 0.7 }));
    await gate.settle(reservation, { costUsd: 0.6 });
    const readings = await gate.usage({ orgId: "o1", keyId: "k1" });
    expect(readings.map(({ meter, window, used }) => [meter, window, used])).toEqual([
      ["cost", "credits", 0],
      ["requests", "minute", 1],
      ["cost", "daily", 0],
      ["cost", "monthly", 0.6e9],
    ]);
    expect(refusedBy(await gate.admit(KEY, { ...CALL, byok: true, costUsd: 0.7 }))).toMatchObject({
      reason: "budget_exceeded",
      limit: { window: "monthly" },
    });
  });

  it("needs no price where no budget counts it", async () => {
    const { gate } = countedWorld(limited({ key: { budget: { usd: 1, reset: "daily" } } }));
    passed(await gate.admit(KEY, { ...CALL, model: "unheard-of", byok: true }));
    expect(refusedBy(await gate.admit(KEY, { ...CALL, model: "unheard-of" })).reason).toBe("model_unpriced");
  });

  it("needs one where a budget does", async () => {
    const { gate } = countedWorld(limited({ key: budgets }));
    expect(refusedBy(await gate.admit(KEY, { ...CALL, model: "unheard-of", byok: true })).reason).toBe(
      "model_unpriced",
    );
  });
});

describe("credits", () => {
  it("bind over all projects of the org until more are granted, and keep what was spent", async () => {
    const chains = (creditsNanoUsd: number) => [
      aChain({ org: { creditsNanoUsd } }),
      aChain({ org: { creditsNanoUsd }, project: { id: "p2" }, key: { id: "k2" } }),
    ];
    const { gate, put, clock } = world(chains(2e9), { cache: { maxAgeMs: 1 } });
    const dollar = { model: "gpt-4o", costUsd: 1 };
    passed(await gate.admit(KEY, dollar));
    passed(await gate.admit({ keyId: "k2" }, dollar));
    const refusal = refusedBy(await gate.admit({ keyId: "k2" }, dollar));
    expect(refusal).toMatchObject({ reason: "credits_exhausted", scope: "org" });
    expect(refusal.retryAfterMs).toBeUndefined();
    for (const chain of chains(3e9)) put(chain);
    clock.at += 1;
    passed(await gate.admit({ keyId: "k2" }, dollar));
    refusedBy(await gate.admit(KEY, dollar));
  });
});

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
