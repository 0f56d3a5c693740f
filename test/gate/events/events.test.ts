import { afterEach, describe, expect, it, vi } from "vitest";
import { BudgetAlerts } from "../../../src/gate/events/budget-alerts.js";
import { GATE_EVENTS, type GateEvents } from "../../../src/gate/events/events.js";
import type { Gate } from "../../../src/gate/gate.js";
import type { KeyChain } from "../../../src/model/chain.js";
import { EventHub } from "../../../src/model/event-hub.js";
import type { Budget, Limits } from "../../../src/model/limits.js";
import { passed, refusedBy, settled } from "../../scenarios/answers.js";
import { aChain, limited, NOON, world } from "../world.js";

const KEY = { keyId: "k1" };
const CONTEXT = { orgId: "o1", projectId: "p1", userId: "u1", keyId: "k1" };

/** Everything that is told of one event from now on. */
function hear<E extends keyof GateEvents>(gate: Gate, event: E): GateEvents[E][] {
  const heard: GateEvents[E][] = [];
  gate.on(event, (one) => heard.push(one));
  return heard;
}

/** A call that costs so many dollars. */
const dollars = (costUsd: number | string) => ({ model: "gpt-4o", costUsd });

afterEach(() => {
  vi.restoreAllMocks();
});

describe("budgetThreshold", () => {
  const budget = (over: Partial<Budget> = {}): Limits => ({
    budget: { usd: 10, reset: "daily", alertAt: [0.8, 1], ...over },
  });

  function setUp(limits: Limits = budget(), scope: "org" | "project" | "member" | "key" = "project") {
    const made = world(limited({ [scope]: limits }));
    const heard = hear(made.gate, "budgetThreshold");
    return { ...made, heard, told: () => heard.map(({ threshold }) => threshold) };
  }

  it("is told once when a call reaches it, with the limit as it stands and whose call it was", async () => {
    const { gate, heard } = setUp();
    passed(await gate.admit(KEY, dollars(7.99)));
    expect(heard).toEqual([]);
    passed(await gate.admit(KEY, dollars(0.01)));
    passed(await gate.admit(KEY, dollars(0.5)));
    expect(heard).toHaveLength(1);
    expect(heard[0]).toMatchObject({
      at: NOON,
      threshold: 0.8,
      limit: { scope: "project", scopeId: "p1", usd: { used: 8, max: 10 }, resetsAt: Date.UTC(2026, 4, 16) },
      context: CONTEXT,
    });
  });

  it("says of the call whose it was and nothing else, whether an admission or a settle reached it", async () => {
    const { gate, heard } = setUp();
    passed(await gate.admit(KEY, dollars(8)));
    const { reservation } = passed(await gate.admit(KEY, dollars(1)));
    settled(await gate.settle(reservation, { costUsd: 2 }));
    expect(heard.map(({ context }) => context)).toStrictEqual([CONTEXT, CONTEXT]);
    expect(Object.keys(JSON.parse(JSON.stringify(heard[0])))).toEqual([
      "at",
      "threshold",
      "limit",
      "context",
    ]);
  });

  it("is told for each threshold that one call passes, the lowest first", async () => {
    const { gate, told } = setUp(budget({ alertAt: [1, 0.25, 0.5] }));
    passed(await gate.admit(KEY, dollars(10)));
    expect(told()).toEqual([0.25, 0.5, 1]);
  });

  it("is told anew of a budget that was raised", async () => {
    const { gate, told, put, clock } = setUp();
    passed(await gate.admit(KEY, dollars(9)));
    put(limited({ project: budget({ usd: 100 }) }));
    clock.at += 60_000;
    passed(await gate.admit(KEY, dollars(70)));
    expect(told()).toEqual([0.8]);
    passed(await gate.admit(KEY, dollars(1)));
    expect(told()).toEqual([0.8, 0.8]);
  });

  it("of a budget that was raised is not told of the old max by the settle of a call that was admitted under it", async () => {
    const { gate, heard, put, clock } = setUp();
    const { reservation } = passed(await gate.admit(KEY, dollars(1)));
    const late = passed(await gate.admit(KEY, dollars(1))).reservation;
    put(limited({ project: budget({ usd: 100 }) }));
    clock.at += 60_000;
    passed(await gate.admit(KEY, dollars(30)));
    settled(await gate.settle(reservation, { costUsd: 2 }));
    expect(heard).toEqual([]);
    settled(await gate.settle(late, { costUsd: 60 }));
    expect(heard.map(({ threshold, limit }) => [threshold, limit.usd])).toEqual([
      [0.8, { max: 100, used: 92, remaining: 8 }],
    ]);
  });

  it("is told once however often estimates go above it and come back", async () => {
    const { gate, told } = setUp();
    for (let i = 0; i < 5; i++) {
      const { reservation } = passed(await gate.admit(KEY, dollars(9)));
      settled(await gate.settle(reservation, { costUsd: 0.1 }));
    }
    for (let i = 0; i < 5; i++)
      settled(await gate.release(passed(await gate.admit(KEY, dollars(9))).reservation));
    expect(told()).toEqual([0.8]);
  });

  it("is told again in the next period, and once there", async () => {
    const { gate, clock, heard } = setUp();
    for (let day = 0; day < 3; day++) {
      passed(await gate.admit(KEY, dollars(9)));
      passed(await gate.admit(KEY, dollars(0.5)));
      clock.at += 86_400_000;
    }
    expect(heard.map(({ at, threshold }) => [at, threshold])).toEqual([
      [NOON, 0.8],
      [NOON + 86_400_000, 0.8],
      [NOON + 2 * 86_400_000, 0.8],
    ]);
  });

  it("is told once for ever of a budget that never resets", async () => {
    const { gate, clock, told } = setUp(budget({ reset: "never" }));
    for (let day = 0; day < 400; day += 50) {
      const { reservation } = passed(await gate.admit(KEY, dollars(9)));
      await gate.settle(reservation, { costUsd: 0 });
      clock.at += 50 * 86_400_000;
    }
    expect(told()).toEqual([0.8]);
  });

  it("is told by the settle or the extension that reaches it as well", async () => {
    const { gate, told } = setUp();
    const { reservation } = passed(await gate.admit(KEY, dollars(5)));
    passed(await gate.extend(reservation, { costUsd: 3 }));
    expect(told()).toEqual([0.8]);
    settled(await gate.settle(reservation, { costUsd: 11 }));
    expect(told()).toEqual([0.8, 1]);
  });

  it("above the whole is told when the overdraft reaches it", async () => {
    const { gate, told } = setUp(budget({ alertAt: [1.5] }));
    const { reservation } = passed(await gate.admit(KEY, dollars(10)));
    expect(told()).toEqual([]);
    settled(await gate.settle(reservation, { costUsd: 15 }));
    expect(told()).toEqual([1.5]);
  });

  it("is told for each budget by itself: of each scope, period, model and key", async () => {
    const each: Limits = {
      budget: [
        { usd: 10, reset: "daily", alertAt: [0.5] },
        { usd: 10, reset: "monthly", alertAt: [0.5] },
      ],
      perModel: { "gpt-4o": { budget: { usd: 10, reset: "daily", alertAt: [0.5] } } },
    };
    const chains = ["k1", "k2"].map((id) => aChain({ org: { limits: each }, key: { id, limits: each } }));
    const { gate } = world(chains);
    const heard = hear(gate, "budgetThreshold");
    passed(await gate.admit({ keyId: "k1" }, dollars(5)));
    passed(await gate.admit({ keyId: "k2" }, dollars(5)));
    expect(heard.map(({ limit }) => `${limit.scopeId} ${limit.window} ${limit.perModel ?? "all"}`)).toEqual([
      "o1 daily all",
      "o1 monthly all",
      "o1 daily gpt-4o",
      "k1 daily all",
      "k1 monthly all",
      "k1 daily gpt-4o",
      "k2 daily all",
      "k2 monthly all",
      "k2 daily gpt-4o",
    ]);
  });

  it("is told at the exact share, though its float product lies just above", async () => {
    expect(0.07 * 50e9).toBeGreaterThan(3.5e9);
    const { gate, told } = setUp(budget({ usd: 50, alertAt: [0.07] }));
    passed(await gate.admit(KEY, dollars("3.499999999")));
    expect(told()).toEqual([]);
    passed(await gate.admit(KEY, dollars("0.000000001")));
    expect(told()).toEqual([0.07]);
  });

  it("of yesterday is told though today's was told already, when a late settle reaches it", async () => {
    const { gate, clock, heard } = setUp(budget({ alertAt: [0.8] }));
    clock.at = Date.UTC(2026, 4, 15, 23, 59);
    const { reservation } = passed(await gate.admit(KEY, dollars(5)));
    clock.at = Date.UTC(2026, 4, 16);
    passed(await gate.admit(KEY, dollars(9)));
    settled(await gate.settle(reservation, { costUsd: 9 }));
    expect(heard.map(({ limit }) => limit.resetsAt)).toEqual([Date.UTC(2026, 4, 17), Date.UTC(2026, 4, 16)]);
  });

  it("is not told of a refused call, which spends nothing", async () => {
    const { gate, told } = setUp();
    refusedBy(await gate.admit(KEY, dollars(11)));
    passed(await gate.check(KEY, dollars(9)));
    expect(told()).toEqual([]);
  });

  it("is told once of each budget also where those of 10,001 keys have reached it", async () => {
    const keys = Array.from({ length: 10_001 }, (_, i) => aChain({ key: { id: `k${i}`, limits: budget() } }));
    const { gate } = world(keys);
    const heard = hear(gate, "budgetThreshold");
    for (const costUsd of [8, 0.1]) {
      for (const { key } of keys) passed(await gate.admit({ keyId: key.id }, dollars(costUsd)));
    }
    expect(heard).toHaveLength(keys.length);
  });

  it("is told once of as many budgets as `cache.maxKeys` says where those are more than 40,000", async () => {
    const { gate } = world(limited({ key: budget() }));
    const { charges } = passed(await gate.admit(KEY, dollars(8))).reservation;
    const events = new EventHub<GateEvents>(GATE_EVENTS, () => {});
    let told = 0;
    events.on("budgetThreshold", () => told++);
    const keys = 40_001;
    const alerts = new BudgetAlerts(events, keys);
    for (const used of [8e9, 8.1e9]) {
      for (let key = 0; key < keys; key++) {
        const limits = charges.limits.map((limit) => ({ ...limit, scopeKey: `key ${key}` }));
        alerts.look({ ...charges, limits }, [used], NOON, CONTEXT);
      }
    }
    expect(told).toBe(keys);
  });

  it("that was reached while nobody listened is told at the next call", async () => {
    const { gate } = world(limited({ key: budget() }));
    passed(await gate.admit(KEY, dollars(9)));
    const heard = hear(gate, "budgetThreshold");
    passed(await gate.admit(KEY, dollars(0.01)));
    expect(heard.map(({ threshold }) => threshold)).toEqual([0.8]);
  });
});

describe("refusal", () => {
  it("is told with the answer that the caller gets, and whose call it was", async () => {
    const { gate } = world(limited({ key: { rpm: 1 } }));
    const heard = hear(gate, "refusal");
    passed(await gate.admit(KEY, { model: "free" }));
    expect(heard).toEqual([]);
    const refusal = refusedBy(await gate.admit(KEY, { model: "free" }));
    expect(heard).toEqual([{ at: NOON, refusal, context: CONTEXT }]);
    expect(heard[0]?.refusal).toBe(refusal);
  });

  it("is told for every kind of refusal", async () => {
    const cases: readonly (readonly [string, KeyChain, object])[] = [
      ["key_revoked", aChain({ key: { status: "revoked" } }), { model: "free" }],
      ["org_inactive", aChain({ org: { status: "suspended" } }), { model: "free" }],
      ["model_not_allowed", aChain({ key: { models: [] } }), { model: "free" }],
      ["mcp_server_not_allowed", aChain({ key: { mcpServers: [] } }), { mcpServer: "github" }],
      [
        "model_unpriced",
        limited({ key: { budget: { usd: 1, reset: "daily" } } }),
        { model: "unheard-of", inputTokens: 1 },
      ],
      ["too_large", limited({ key: { rpm: 0 } }), { model: "free" }],
    ];
    for (const [reason, chain, usage] of cases) {
      const { gate } = world(chain);
      const heard = hear(gate, "refusal");
      refusedBy(await gate.admit(KEY, usage));
      expect(heard).toMatchObject([{ at: NOON, refusal: { reason }, context: CONTEXT }]);
    }
  });

  it("of a token that nobody holds is told without anybody's name", async () => {
    const { gate } = world();
    const heard = hear(gate, "refusal");
    refusedBy(await gate.admit("sk-tg-nonsense", { model: "free" }));
    refusedBy(await gate.admit({ keyId: "nobody" }, { model: "free" }));
    expect(heard.map((event) => Object.keys(event).sort())).toEqual([
      ["at", "refusal"],
      ["at", "refusal"],
    ]);
  });

  it("is told of an extension that is refused", async () => {
    const { gate } = world(limited({ key: { outputTpm: 100 } }));
    const heard = hear(gate, "refusal");
    const { reservation } = passed(await gate.admit(KEY, { model: "free", maxOutputTokens: 60 }));
    refusedBy(await gate.extend(reservation, { maxOutputTokens: 60 }));
    expect(heard).toMatchObject([{ refusal: { reason: "rate_limited" }, context: CONTEXT }]);
  });
});

describe("overdraft", () => {
  it("is told by the settle that puts a count above its max, with every such limit", async () => {
    const { gate } = world(
      limited({
        org: { budget: { usd: 100, reset: "daily" } },
        project: { budget: { usd: 10, reset: "daily" } },
        key: { outputTpm: 100, budget: { usd: 5, reset: "never" } },
      }),
    );
    const heard = hear(gate, "overdraft");
    const call = { model: "gpt-4o", maxOutputTokens: 50, costUsd: 4 };
    const { reservation } = passed(await gate.admit(KEY, call));
    const { overdraft } = settled(await gate.settle(reservation, { outputTokens: 150, costUsd: 12 }));
    expect(overdraft.map(({ scope, meter, used, max }) => [scope, meter, used, max])).toEqual([
      ["project", "cost", 12e9, 10e9],
      ["key", "outputTokens", 150, 100],
      ["key", "cost", 12e9, 5e9],
    ]);
    expect(heard).toEqual([{ at: NOON, limits: overdraft, context: CONTEXT }]);
  });

  it("is not told by a settle within the limits, one that gives back, or a second one", async () => {
    const { gate } = world(limited({ key: { budget: { usd: 10, reset: "daily" } } }));
    const heard = hear(gate, "overdraft");
    const [first, second, third] = await Promise.all([4, 4, 1].map((usd) => gate.admit(KEY, dollars(usd))));
    if (!first?.admitted || !second?.admitted || !third?.admitted) throw new Error("three admissions");
    settled(await gate.settle(first.reservation, { costUsd: 5 }));
    expect(heard).toHaveLength(0);
    settled(await gate.settle(second.reservation, { costUsd: 9 }));
    expect(heard).toHaveLength(1);
    await gate.settle(second.reservation, { costUsd: 90 });
    settled(await gate.settle(third.reservation, { costUsd: 0.5 }));
    expect(heard).toHaveLength(1);
  });
});

describe("settlement", () => {
  it("is told with what the caller said was used, also where a class has it in getters", async () => {
    class Used {
      get model() {
        return "gpt-4o-mini";
      }
      get outputTokens() {
        return 4;
      }
    }
    const { gate } = world(aChain({ org: { virtualModels: { smart: ["gpt-4o", "gpt-4o-mini"] } } }));
    const heard = hear(gate, "settlement");
    const call = { model: "smart", inputTokens: 1, maxOutputTokens: 9 };
    settled(await gate.settle(passed(await gate.admit(KEY, call)).reservation, new Used()));
    expect(heard).toMatchObject([{ actual: { model: "gpt-4o-mini", outputTokens: 4 } }]);
  });
});

describe("a listener", () => {
  const refuse = async (gate: Gate) => refusedBy(await gate.admit("sk-tg-nonsense", { model: "free" }));

  it("that throws breaks neither the call nor the listeners after it, and is warned of", async () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const { gate } = world();
    const heard: string[] = [];
    gate.on("refusal", () => {
      heard.push("first");
      throw new Error("secret of the listener");
    });
    gate.on("refusal", () => {
      heard.push("second");
      throw "not even an error";
    });
    gate.on("refusal", () => heard.push("third"));
    expect((await refuse(gate)).reason).toBe("invalid_key");
    expect(heard).toEqual(["first", "second", "third"]);
    expect(warn).toHaveBeenCalled();
    expect(JSON.stringify(warn.mock.calls)).not.toContain("secret");
  });

  it("that throws at every event of a settle leaves the settle as it is", async () => {
    vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const { gate } = world(limited({ key: { budget: { usd: 1, reset: "daily", alertAt: [0.5] } } }));
    for (const event of ["overdraft", "budgetThreshold"] as const) {
      gate.on(event, () => {
        throw new Error("down");
      });
    }
    const { reservation } = passed(await gate.admit(KEY, dollars(1)));
    const settlement = settled(await gate.settle(reservation, { costUsd: 2 }));
    expect(settlement.overdraft).toMatchObject([{ used: 2e9 }]);
  });

  it("that is async and rejects is warned of like one that throws, and ends no process", async () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const unhandled: unknown[] = [];
    const others = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", (reason) => unhandled.push(reason));
    try {
      const { gate } = world();
      gate.on("refusal", async () => {
        throw new Error("the webhook is down");
      });
      await refuse(gate);
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.removeAllListeners("unhandledRejection");
      for (const other of others) process.on("unhandledRejection", other);
    }
    expect(unhandled).toEqual([]);
    expect(warn).toHaveBeenCalled();
  });

  it("hears nothing after it was taken off, and taking it off twice is no harm", async () => {
    const { gate } = world();
    const heard: string[] = [];
    const off = gate.on("refusal", () => heard.push("one"));
    gate.on("refusal", () => heard.push("other"));
    await refuse(gate);
    off();
    off();
    await refuse(gate);
    expect(heard).toEqual(["one", "other", "other"]);
  });

  it("may take itself off while it is told", async () => {
    const { gate } = world();
    const heard: string[] = [];
    const off = gate.on("refusal", () => {
      heard.push("once");
      off();
    });
    gate.on("refusal", () => heard.push("always"));
    await refuse(gate);
    await refuse(gate);
    expect(heard).toEqual(["once", "always", "always"]);
  });

  it("put on while an event is told hears the next one", async () => {
    const { gate } = world();
    const heard: string[] = [];
    let off = () => {};
    const again = () => {
      heard.push("heard");
      off();
      if (heard.length < 9) off = gate.on("refusal", again);
    };
    off = gate.on("refusal", again);
    await refuse(gate);
    expect(heard).toEqual(["heard"]);
    await refuse(gate);
    expect(heard).toEqual(["heard", "heard"]);
  });

  it("put on twice is on until each of the two is taken off", async () => {
    const { gate } = world();
    const heard: string[] = [];
    const listener = () => {
      heard.push("heard");
    };
    const off = gate.on("refusal", listener);
    gate.on("refusal", listener);
    off();
    await refuse(gate);
    expect(heard).toEqual(["heard"]);
  });

  it("is refused for an event that there is not, and where it is no function", () => {
    const { gate } = world();
    const nameless = Object.create(null);
    for (const event of ["refused", "constructor", "__proto__", Symbol("refusal"), nameless])
      expect(() => gate.on(event as never, () => {})).toThrow(/^event: one of admission, /);
    expect(() => gate.on("refusal", undefined as never)).toThrow("listener: a function");
  });

  it("may ask the gate itself", async () => {
    const { gate } = world();
    const asked: Promise<unknown>[] = [];
    gate.on("refusal", () => asked.push(gate.usage({ orgId: "o1", keyId: "k1" })));
    await refuse(gate);
    expect(await Promise.all(asked)).toEqual([[]]);
  });
});
