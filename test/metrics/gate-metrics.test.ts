import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { createQueue } from "tollgate/queue";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type GateMetricsOptions, gateMetrics, type MeteredQueue } from "../../src/metrics/gate-metrics.js";
import { METRICS } from "../../src/metrics/metrics.js";
import { eventually } from "../eventually.js";
import { aChain, limited, world } from "../gate/world.js";
import { passed, refusedBy } from "../scenarios/answers.js";

const KEY = { keyId: "k1" };
const CHAIN = limited({ project: { rpm: 4 }, key: { budget: { usd: 10, reset: "daily" } } });
const providers: MeterProvider[] = [];

/** What OpenTelemetry calls each kind of metric. */
const TYPES = {
  counter: "COUNTER",
  histogram: "HISTOGRAM",
  gauge: "OBSERVABLE_GAUGE",
  "observable counter": "OBSERVABLE_COUNTER",
} as const;

afterEach(async () => {
  for (const provider of providers.splice(0)) await provider.shutdown();
});

/** A gate that is measured by the real SDK, and a way to read what it has exported. */
function measured(chain = CHAIN, options: Partial<GateMetricsOptions> = {}, made = world(chain)) {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000_000 });
  const provider = new MeterProvider({ readers: [reader] });
  providers.push(provider);
  const stop = gateMetrics(made.gate, { meter: provider.getMeter("test"), ...options });
  /** What was exported by now: the points of each metric. */
  async function collect() {
    exporter.reset();
    await reader.forceFlush();
    const metrics = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((one) => one.metrics));
    return new Map(metrics.map((metric) => [metric.descriptor.name, metric]));
  }
  /** Attributes and value, or count and sum of a histogram, of the points of one metric. */
  async function points(name: string) {
    const metric = (await collect()).get(name);
    return metric?.dataPoints.map(({ attributes, value }) =>
      typeof value === "number"
        ? { ...attributes, value }
        : { ...attributes, count: Reflect.get(value, "count"), sum: Reflect.get(value, "sum") },
    );
  }
  return { ...made, collect, points, stop };
}

describe("metrics of a gate", () => {
  it("count admissions, and refusals by reason and scope", async () => {
    const { gate, points } = measured();
    for (let call = 0; call < 4; call++) passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
    refusedBy(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
    refusedBy(await gate.admit(KEY, { model: "gpt-4o", costUsd: 11 }));
    refusedBy(await gate.admit("sk-tg-nonsense", { model: "gpt-4o" }));
    expect(await points("tollgate.admissions")).toEqual([{ value: 4 }]);
    expect(await points("tollgate.refusals")).toEqual([
      { "tollgate.reason": "rate_limited", "tollgate.scope": "project", value: 1 },
      { "tollgate.reason": "too_large", "tollgate.scope": "key", value: 1 },
      { "tollgate.reason": "invalid_key", value: 1 },
    ]);
  });

  it("count what limits in shadow mode would have refused, each by itself, and only of calls that pass", async () => {
    const chain = limited({
      org: { rpm: 2 },
      project: { rpm: 1, mode: "shadow" },
      key: { rpm: 1, tpd: 5, mode: "shadow" },
    });
    const { gate, points } = measured(chain);
    const usage = { model: "gpt-4o", inputTokens: 4, maxOutputTokens: 0, costUsd: 0 };
    passed(await gate.admit(KEY, usage));
    expect(await points("tollgate.shadow_refusals")).toBeUndefined();
    passed(await gate.admit(KEY, { ...usage, requestId: "r" }));
    passed(await gate.admit(KEY, { ...usage, requestId: "r" }));
    refusedBy(await gate.admit(KEY, usage));
    const by = (scope: string, meter: string) => ({
      "tollgate.scope": scope,
      "tollgate.meter": meter,
      value: 1,
    });
    expect(await points("tollgate.shadow_refusals")).toEqual(
      [by("project", "requests"), by("key", "requests"), by("key", "tokens")].map((of) => ({
        "tollgate.reason": "rate_limited",
        ...of,
      })),
    );
  });

  it("count a call once that is asked for again under its request id, and tell how often that is", async () => {
    const { gate, points } = measured();
    const usage = { model: "gpt-4o", costUsd: 1, requestId: "r1" };
    for (let times = 0; times < 3; times++) passed(await gate.admit(KEY, usage));
    expect(await points("tollgate.admissions")).toEqual([{ value: 1 }]);
    expect(await points("tollgate.limit.remaining_share")).toMatchObject([{ count: 1 }, { count: 1 }]);
    expect(await points("tollgate.admit.duration")).toMatchObject([
      { "tollgate.outcome": "admitted", count: 1 },
      { "tollgate.outcome": "replayed", count: 2 },
    ]);
  });

  it("tell nothing of what may be a token where a client has written it for a model", async () => {
    const { gate, points } = measured();
    const token = `sk-tg-${"a".repeat(49)}`;
    const { reservation } = passed(await gate.admit(KEY, { model: token, inputTokens: 1, costUsd: 0.1 }));
    await gate.settle(reservation, { model: token, inputTokens: 1, outputTokens: 1, costUsd: 0.1 });
    const told = JSON.stringify([await points("tollgate.spend"), await points("gen_ai.client.token.usage")]);
    expect(told).toContain("••••aaaa");
    expect(told).not.toContain(token);
  });

  it("tell what was spent in dollars, and tokens by the conventions of OpenTelemetry", async () => {
    const { gate, points } = measured();
    const usage = { model: "gpt-4o", inputTokens: 100, maxOutputTokens: 100 };
    const { reservation } = passed(await gate.admit(KEY, usage));
    await gate.settle(JSON.stringify(reservation), { inputTokens: 100, outputTokens: 40 });
    const second = passed(await gate.admit(KEY, usage)).reservation;
    await gate.settle(second, { model: "gpt-4o-mini", inputTokens: 100, outputTokens: 10 });
    expect(await points("tollgate.spend")).toEqual([
      { "gen_ai.response.model": "gpt-4o", "tollgate.byok": false, value: 0.00065 },
      { "gen_ai.response.model": "gpt-4o-mini", "tollgate.byok": false, value: 0.000021 },
    ]);
    const of = {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "_OTHER",
      "gen_ai.request.model": "gpt-4o",
    };
    const [first, mini] = ["gpt-4o", "gpt-4o-mini"].map((model) => ({
      ...of,
      "gen_ai.response.model": model,
    }));
    expect(await points("gen_ai.client.token.usage")).toEqual([
      { ...first, "gen_ai.token.type": "input", count: 1, sum: 100 },
      { ...first, "gen_ai.token.type": "output", count: 1, sum: 40 },
      { ...mini, "gen_ai.token.type": "input", count: 1, sum: 100 },
      { ...mini, "gen_ai.token.type": "output", count: 1, sum: 10 },
    ]);
  });

  it("tell of a call to an MCP server what it has cost, and neither model nor tokens", async () => {
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const { gate, points } = measured();
    const { reservation } = passed(await gate.admit(KEY, { mcpServer: "github", costUsd: 0.5 }));
    await gate.settle(reservation, {});
    await gate.settle(reservation, {}); // counted once
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
    expect(await points("tollgate.spend")).toEqual([{ "tollgate.byok": false, value: 0.5 }]);
    expect(await points("gen_ai.client.token.usage")).toBeUndefined();
  });

  it("keep what was spent on the customer's own keys apart", async () => {
    const { gate, points } = measured();
    const usage = { model: "gpt-4o", inputTokens: 1, maxOutputTokens: 1, byok: true };
    await gate.settle(passed(await gate.admit(KEY, usage)).reservation, { costUsd: 0.5 });
    expect(await points("tollgate.spend")).toMatchObject([{ "tollgate.byok": true, value: 0.5 }]);
  });

  it("take operation and provider from the options, and the provider from a model id that names it", async () => {
    const usage = { model: "acme/large", costUsd: 0, inputTokens: 1, maxOutputTokens: 1 };
    const attributes = async (options: Partial<GateMetricsOptions>) => {
      const { gate, points } = measured(aChain(), options);
      await gate.settle(passed(await gate.admit(KEY, usage)).reservation, { costUsd: 0 });
      return (await points("gen_ai.client.token.usage"))?.[0];
    };
    expect(await attributes({})).toMatchObject({ "gen_ai.provider.name": "acme" });
    expect(await attributes({ operation: "embeddings", provider: () => "openai" })).toMatchObject({
      "gen_ai.operation.name": "embeddings",
      "gen_ai.provider.name": "openai",
    });
  });

  it("spend nothing and name no model for a call that was released", async () => {
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const { gate, points, collect } = measured();
    const { reservation } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
    await gate.release(reservation);
    await gate.release(reservation);
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
    expect(await points("tollgate.spend")).toBeUndefined();
    expect((await collect()).has("gen_ai.client.token.usage")).toBe(false);
    const ended = await points("tollgate.settle.duration");
    expect(ended?.map((one) => Reflect.get(one, "tollgate.outcome"))).toEqual([
      "released",
      "already_settled",
    ]);
  });

  it("tell the share that is left of each limit", async () => {
    const { gate, points } = measured();
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 4 }));
    const of = (scope: string, meter: string, window: string) => ({
      "tollgate.scope": scope,
      "tollgate.meter": meter,
      "tollgate.window": window,
    });
    expect(await points("tollgate.limit.remaining_share")).toEqual([
      { ...of("project", "requests", "minute"), count: 1, sum: 0.75 },
      { ...of("key", "cost", "daily"), count: 1, sum: 0.6 },
    ]);
  });

  it("tell no share of a limit that refuses nobody", async () => {
    const { gate, points } = measured(limited({ org: { rpm: 5, mode: "shadow" }, key: { rpm: 4 } }));
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
    expect(await points("tollgate.limit.remaining_share")).toMatchObject([
      { "tollgate.scope": "key", count: 1, sum: 0.75 },
    ]);
  });

  it("tell no share of a limit of nothing, and no provider of an id that begins with a slash", async () => {
    const { gate, points } = measured(limited({ key: { rpm: 5, budget: { usd: 0, reset: "daily" } } }));
    const { reservation } = passed(await gate.admit(KEY, { model: "/free", inputTokens: 1, costUsd: 0 }));
    await gate.settle(reservation, { costUsd: 0 });
    expect(await points("tollgate.limit.remaining_share")).toMatchObject([{ "tollgate.meter": "requests" }]);
    expect(await points("gen_ai.client.token.usage")).toMatchObject([
      { "gen_ai.provider.name": "_OTHER" },
      { "gen_ai.provider.name": "_OTHER" },
    ]);
  });

  it("time admit and settle in seconds, by outcome", async () => {
    const { gate, points } = measured();
    await gate.check(KEY, { model: "gpt-4o", costUsd: 4 }); // so that the chain is at hand
    let at = 0;
    const now = vi.spyOn(performance, "now").mockImplementation(() => {
      at += 250;
      return at;
    });
    const { reservation } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 4 }));
    await gate.settle(reservation, { costUsd: 4 });
    refusedBy(await gate.admit("sk-tg-nonsense", { model: "gpt-4o" }));
    now.mockRestore();
    expect(await points("tollgate.admit.duration")).toEqual([
      { "tollgate.outcome": "admitted", count: 1, sum: 0.25 },
      { "tollgate.outcome": "refused", count: 1, sum: 0.25 },
    ]);
    expect(await points("tollgate.settle.duration")).toEqual([
      { "tollgate.outcome": "settled", count: 1, sum: 0.25 },
    ]);
  });

  it("count overdrafts, and calls decided while the counters were down", async () => {
    const { gate, points } = measured();
    const { reservation } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 4 }));
    await gate.settle(reservation, { costUsd: 12 });
    expect(await points("tollgate.overdrafts")).toEqual([
      { "tollgate.scope": "key", "tollgate.meter": "cost", value: 1 },
    ]);
    const down = () => Promise.reject(new Error("down"));
    const counters = { reserve: down, settle: down, read: down, close: async () => {} };
    const broken = measured(CHAIN, {}, world(CHAIN, { counters, onCountersDown: "allow" }));
    passed(await broken.gate.admit(KEY, { model: "gpt-4o", costUsd: 4 }));
    expect(await broken.points("tollgate.degradations")).toEqual([
      { "tollgate.mode": "uncounted", value: 1 },
    ]);
  });

  it.each([
    [{}, {}],
    [{ perOrg: true }, { "tollgate.org": "o1" }],
    [{ perProject: true }, { "tollgate.org": "o1", "tollgate.project": "p1" }],
    [{ perKey: true }, { "tollgate.org": "o1", "tollgate.project": "p1", "tollgate.key": "k1" }],
  ])("are kept apart by org, project and key only where that was asked for: %o", async (options, whose) => {
    const { gate, collect } = measured(CHAIN, options);
    const first = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 4 }));
    refusedBy(await gate.admit(KEY, { model: "gpt-4o", costUsd: 11 }));
    await gate.settle(first.reservation, { costUsd: 12, inputTokens: 1 });
    const found = await collect();
    const callers = ["admissions", "refusals", "overdrafts", "spend", "limit.remaining_share"];
    for (const name of [...callers.map((one) => `tollgate.${one}`), "gen_ai.client.token.usage"]) {
      expect(found.get(name)?.dataPoints[0]?.attributes).toMatchObject(whose);
    }
    const all = [...found.values()].flatMap(({ dataPoints }) =>
      dataPoints.flatMap((one) => Object.keys(one.attributes)),
    );
    const ids = ["tollgate.org", "tollgate.project", "tollgate.key"].filter((name) => all.includes(name));
    expect(ids).toEqual(Object.keys(whose));
  });

  it("tell how deep a queue is and how long calls waited", async () => {
    const made = world(limited({ project: { inFlight: 1 } }));
    const queue = createQueue(made.gate);
    const { gate, points } = measured(CHAIN, { queue }, made);
    const usage = { model: "free", inputTokens: 1, maxOutputTokens: 1 };
    const first = passed(await queue.admit(KEY, usage));
    const second = queue.admit(KEY, usage);
    await eventually(() => expect(queue.status().waiting).toBe(1));
    expect(await points("tollgate.queue.depth")).toEqual([{ value: 1 }]);
    await gate.settle(first.reservation, {});
    passed(await second);
    expect(await points("tollgate.queue.depth")).toEqual([{ value: 0 }]);
    expect(await points("tollgate.queue.wait.duration")).toMatchObject([
      { "tollgate.outcome": "admitted", count: 1 },
    ]);
    await queue.close();
  });

  it("tell how far a ledger is behind", async () => {
    const ledger = { status: () => ({ pending: 7, lagMs: 1_500, dropped: 2 }) };
    const { points } = measured(CHAIN, { ledger });
    expect(await points("tollgate.ledger.lag")).toEqual([{ value: 1.5 }]);
    expect(await points("tollgate.ledger.pending")).toEqual([{ value: 7 }]);
    expect(await points("tollgate.ledger.dropped")).toEqual([{ value: 2 }]);
  });

  it("have the names, units and kinds that are documented, and end when they are told to", async () => {
    const made = world(
      limited({
        org: { rpm: 0, mode: "shadow" },
        project: { inFlight: 9 },
        key: { budget: { usd: 1, reset: "daily" } },
      }),
    );
    const queue = createQueue(made.gate, { maxInFlight: 1, maxWaitMs: 1 });
    const status = vi.fn(() => ({ pending: 0, lagMs: 0, dropped: 0 }));
    const { gate, collect, stop } = measured(CHAIN, { queue, ledger: { status } }, made);
    const { reservation } = passed(await queue.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
    refusedBy(await queue.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
    refusedBy(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
    await gate.settle(reservation, { costUsd: 2 });
    const found = await collect();
    const expected = Object.entries(METRICS).filter(([name]) => name !== "tollgate.degradations");
    expect([...found.keys()].sort()).toEqual(expected.map(([name]) => name).sort());
    for (const [name, { unit, description, kind }] of expected) {
      expect(found.get(name)?.descriptor).toMatchObject({ unit, description, type: TYPES[kind] });
    }
    stop();
    stop();
    status.mockClear();
    passed(await gate.admit(KEY, { model: "free", inputTokens: 1, maxOutputTokens: 1 }));
    expect((await collect()).get("tollgate.admissions")?.dataPoints).toMatchObject([{ value: 1 }]);
    expect(status).not.toHaveBeenCalled();
    await queue.close();
  });

  it("time the waits of a queue in seconds", async () => {
    const queue: MeteredQueue = {
      status: () => ({ waiting: 0 }),
      on: (_event, listener) => {
        listener({ outcome: "timeout", waitedMs: 1_500 });
        return () => {};
      },
    };
    const { points } = measured(CHAIN, { queue });
    expect(await points("tollgate.queue.wait.duration")).toEqual([
      { "tollgate.outcome": "timeout", count: 1, sum: 1.5 },
    ]);
  });

  it("take their listener off a queue once, however often they are told to end", () => {
    const off = vi.fn();
    const { stop } = measured(CHAIN, { queue: { status: () => ({ waiting: 0 }), on: () => off } });
    stop();
    stop();
    expect(off).toHaveBeenCalledTimes(1);
  });

  it("refuse options that are wrong by name", () => {
    const { gate } = world();
    expect(() => gateMetrics(gate, { meter: {} } as never)).toThrow("options.meter");
    const meter = new MeterProvider().getMeter("test");
    expect(() => gateMetrics(gate, { meter, perKeys: true } as never)).toThrow("options.perKeys");
  });
});
