import { createLedger, type Gate, type KeyChain, priceCatalog, type ReportGroup } from "tollgate";
import { postgresLedgerSink } from "tollgate/postgres";
import { describe, expect, it } from "vitest";
import { generateTrace } from "../../src/testing/generate-trace.js";
import { ManualClock } from "../../src/testing/manual-clock.js";
import { replay } from "../../src/testing/replay.js";
import type { Caller } from "../../src/testing/replay-step.js";
import type { TraceCall } from "../../src/testing/trace.js";
import { gateOver } from "../testing/gate-over.js";
import { realHour } from "../testing/hour.js";
import { ownSchema } from "./database.js";

const database = await ownSchema();

const MODELS = ["openai/gpt-4o", "anthropic/claude-sonnet", "google/gemini-flash"] as const;
const prices = priceCatalog.of({
  "openai/gpt-4o": { inputUsdPerMillion: 2.5, outputUsdPerMillion: 10 },
  "anthropic/claude-sonnet": { inputUsdPerMillion: 3, outputUsdPerMillion: 15 },
  "google/gemini-flash": { inputUsdPerMillion: 0.3, outputUsdPerMillion: 2.5 },
});

const budget = (usd: number) => ({ budget: { usd, reset: "never" as const } });

/** Seven keys of three users in two projects, with budgets at every scope; the last key runs out of its own. */
const CHAINS: readonly KeyChain[] = Array.from({ length: 7 }, (_, i) => ({
  org: { id: "o", limits: budget(1_000) },
  project: { id: `p${i % 2}`, limits: budget(1_000) },
  holder: { userId: `u${i % 3}`, active: true, limits: budget(1_000) },
  key: { id: `k${i}`, limits: { ...budget(i === 6 ? 0.5 : 1_000), rpm: 200 } },
}));

const CALLERS: readonly Caller[] = CHAINS.map(({ project, key }) => ({
  name: key.id,
  orgId: "o",
  projectId: project.id,
  keyId: key.id,
}));

/** What the counters hold at every scope, by its name. */
async function counted(gate: Gate): Promise<Record<string, number>> {
  const used: Record<string, number> = {};
  for (const { key, project, holder } of CHAINS) {
    for (const { scope, meter, used: nano } of await gate.usage({ orgId: "o", keyId: key.id })) {
      if (meter !== "cost") continue;
      const name = { org: "o", project: project.id, member: `${project.id} ${holder.userId}`, key: key.id };
      used[`${scope} ${name[scope]}`] = nano;
    }
  }
  return used;
}

async function replayed(trace: readonly TraceCall[], to: NonNullable<typeof database>) {
  const sink = postgresLedgerSink({ pool: to.pool, schema: to.schema });
  await sink.migrate();
  await to.pool.query(`truncate "${to.schema}".usage_event`);
  const clock = new ManualClock(trace[0]?.at);
  const ledger = createLedger({ sink, clock, maxDelayMs: 20 });
  const gate = gateOver(CHAINS, { clock, prices, ledger });
  const assign = (call: TraceCall, index: number) => ({
    caller: CALLERS[(index * 5) % CALLERS.length] as Caller, // sound: a remainder is below the length
    usage: {
      model: MODELS[index % MODELS.length] as string, // sound as above
      inputTokens: call.inputTokens,
      maxOutputTokens: 500,
      tags: { wave: String(index % 4) },
    },
  });
  const result = await replay({ gate, clock, callers: CALLERS, assign }, trace);
  await ledger.flush();

  const [from, until] = [trace[0]?.at ?? 0, (trace.at(-1)?.at ?? 0) + 1];
  const sums = async (groupBy: ReportGroup, parts = {}) => {
    const { rows, total } = await ledger.report({ org: "o", from, to: until, groupBy, ...parts });
    return { total, by: rows.map(({ group, costNanoUsd }) => [group, costNanoUsd] as const) };
  };
  const reported: Record<string, number> = { "org o": (await sums("model")).total.costNanoUsd };
  for (const [project, nano] of (await sums("project")).by) {
    reported[`project ${project}`] = nano;
    for (const [user, own] of (await sums("user", { project })).by)
      reported[`member ${project} ${user}`] = own;
  }
  for (const [key, nano] of (await sums("key")).by) reported[`key ${key}`] = nano;
  const { total } = await sums("hour");
  const tagged = (await sums("tag")).by.reduce((sum, [, nano]) => sum + nano, 0);
  return { result, reported, counters: await counted(gate), total, tagged, gate };
}

describe.skipIf(database === undefined)("a replay with the ledger on PostgreSQL", () => {
  const claims = async (trace: readonly TraceCall[]) => {
    if (database === undefined) throw new Error("skipped without it");
    const { result, reported, counters, total, tagged, gate } = await replayed(trace, database);
    expect(result.refused).toBeGreaterThan(0);
    expect(result.admitted).toBeGreaterThan(trace.length / 2);
    expect(reported).toEqual(counters);
    expect(total.calls).toBe(result.admitted);
    expect(tagged).toBe(total.costNanoUsd);
    const tokens = (of: "inputTokens" | "outputTokens") =>
      result.callers.reduce((sum, caller) => sum + caller[of], 0);
    expect([total.inputTokens, total.outputTokens]).toEqual([tokens("inputTokens"), tokens("outputTokens")]);
    expect(await gate.reconcile({ orgId: "o" })).toMatchObject({ differences: [], unended: [] });
  };

  it("gives a report whose sums are the counters' to the nano-dollar, at every scope", async () => {
    await claims(generateTrace({ seed: 7 }).slice(0, 2_000));
  }, 120_000);

  it("and so for the whole of the real hour", async (test) => {
    await claims(realHour(test));
  }, 300_000);
});
