import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLedger, priceCatalog } from "tollgate";
import { postgresLedgerSink } from "tollgate/postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateTrace } from "../../../src/testing/generate-trace.js";
import { redisAnswers } from "../../counters/redis/server.js";
import { type Bundled, bundled } from "../../processes/bundled.js";
import { cleanUp, connect, ownName } from "../../processes/stores.js";
import { gateOver } from "../../testing/gate-over.js";
import { REAL_HOUR } from "../../testing/hour.js";
import { ownSchema } from "../database.js";
import { CHAINS, PRICES } from "./chains.js";

const database = await ownSchema();
const hasRedis = await redisAnswers();

const KILLS = 10;
const AT_A_TIME = 8;

const folder = mkdtempSync(join(tmpdir(), "tollgate-kills-"));
const prefix = ownName();
let gateway: Bundled;
beforeAll(async () => {
  gateway = await bundled(join(import.meta.dirname, "gateway.ts"));
});
afterAll(async () => {
  gateway.remove();
  rmSync(folder, { recursive: true });
  if (hasRedis) await cleanUp("Redis", prefix);
});

/** The real hour where it is there, else one of its shape. */
function traceFile(): string {
  if (existsSync(REAL_HOUR)) return REAL_HOUR;
  const lines = generateTrace({ seed: 7 }).map(
    ({ at, inputTokens, outputTokens }) => `${new Date(at).toISOString()},${inputTokens},${outputTokens}`,
  );
  const path = join(folder, "trace.csv");
  writeFileSync(path, lines.join("\n"));
  return path;
}

/** Runs a gateway for a while and kills it in the middle of what it does. */
async function runAndKill(schema: string, log: string, trace: string, first: number): Promise<void> {
  const parameters = [schema, prefix, log, trace, String(first)];
  const child = spawn(process.execPath, [gateway.path, ...parameters], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data"); // a call is settled
  child.stdout.resume();
  await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 400));
  child.kill("SIGKILL");
  await once(child, "close");
}

/** What is known of one call from what its gateway wrote down. */
interface Noted {
  readonly keyId: string;
  settledNanoUsd?: number;
}

function notesOf(log: string): Map<string, Noted> {
  const calls = new Map<string, Noted>();
  for (const line of readFileSync(log, "utf8").split("\n")) {
    const [what, id = "", told = ""] = line.split(" ");
    if (what === "admitted") calls.set(id, { keyId: told });
    const call = calls.get(id);
    if (what === "settled" && call) call.settledNanoUsd = Number(told);
  }
  return calls;
}

describe.skipIf(database === undefined || !hasRedis)("ten gateways that are killed", () => {
  it("leave a ledger whose sums are the counters' to the nano-dollar, but for the calls and budgets that reconcile() names", async () => {
    if (database === undefined) throw new Error("skipped without it");
    const { pool, schema } = database;
    const sink = postgresLedgerSink({ pool, schema });
    await sink.migrate();
    const log = join(folder, "log");
    const trace = traceFile();
    for (let kill = 0; kill < KILLS; kill++) await runAndKill(schema, log, trace, kill * 1_000);

    const { counters, close } = await connect("Redis", prefix);
    const ledger = createLedger({ sink });
    const gate = gateOver(CHAINS, {
      counters,
      countersTimeoutMs: 30_000,
      ledger,
      prices: priceCatalog.of(PRICES),
    });
    const keyIds = CHAINS.map(({ key }) => key.id);
    const { differences, unended } = await gate.reconcile({ orgId: "o", keyIds });
    const { rows } = await ledger.report({ org: "o", from: 0, to: Date.now() + 1, groupBy: "key" });
    const reported = new Map(rows.map(({ group, costNanoUsd }) => [group, costNanoUsd]));
    const openOf = new Map<string, number>();
    for (const { keyId, costNanoUsd } of unended) openOf.set(keyId, (openOf.get(keyId) ?? 0) + costNanoUsd);

    const named = new Map(differences.map((one) => [one.limit.scopeId, one.differenceNanoUsd]));
    const used = async (keyId: string) =>
      (await gate.usage({ orgId: "o", keyId })).find(({ scope }) => scope === "key")?.used ?? 0;
    for (const keyId of keyIds) {
      const explained = (reported.get(keyId) ?? 0) + (openOf.get(keyId) ?? 0) + (named.get(keyId) ?? 0);
      expect([keyId, explained]).toEqual([keyId, await used(keyId)]);
    }

    // What really happened: of a call that ended and whose row has not, or that has none, the row was under way.
    const calls = notesOf(log);
    const settled = [...calls.values()].filter(({ settledNanoUsd }) => settledNanoUsd !== undefined);
    expect(settled.length).toBeGreaterThan(KILLS * AT_A_TIME);
    const recorded = await pool.query<{ id: string; outcome: string; cost: string }>(
      `select id, outcome, cost_nano_usd::text as cost from "${schema}".usage_event`,
    );
    const rowOf = new Map(recorded.rows.map((row) => [row.id, row]));
    const wrong = [...calls].filter(([id, { settledNanoUsd }]) => {
      const row = rowOf.get(id);
      return (
        row?.outcome === "settled" && settledNanoUsd !== undefined && Number(row.cost) !== settledNanoUsd
      );
    });
    expect(wrong).toEqual([]);
    const lost = [...calls].filter(([id]) => rowOf.get(id)?.outcome !== "settled");
    // Eight calls at a time, and those that ended while the last batch was open or being written.
    expect(lost.length).toBeLessThanOrEqual(KILLS * AT_A_TIME * 4);
    const namedKeys = new Set([
      ...differences.map(({ limit }) => limit.scopeId),
      ...unended.map(({ keyId }) => keyId),
    ]);
    expect(lost.filter(([, { keyId }]) => !namedKeys.has(keyId))).toEqual([]);
    const namedIds = new Set(unended.map(({ id }) => id));
    for (const [id] of lost) expect([id, rowOf.has(id)]).toEqual([id, namedIds.has(id)]);

    // The counters have lost nothing, so there is nothing to add: not now, and not when the ledger reads the calls whose
    // end it has lost as expired, at their estimates.
    const before = await Promise.all(keyIds.map(used));
    const later = gateOver(CHAINS, {
      counters,
      countersTimeoutMs: 30_000,
      ledger,
      prices: priceCatalog.of(PRICES),
      clock: { now: () => Date.now() + 2 * 3_600_000 },
    });
    for (const one of [gate, later]) {
      const rebuilt = await one.reconcile({ orgId: "o", keyIds, rebuild: true });
      expect(rebuilt.differences.filter(({ rebuiltNanoUsd }) => rebuiltNanoUsd > 0)).toEqual([]);
    }
    const found = await later.reconcile({ orgId: "o", keyIds });
    expect(found.differences.some(({ expiredNanoUsd }) => expiredNanoUsd > 0)).toBe(true);
    expect(await Promise.all(keyIds.map(used))).toEqual(before);
    await close();
  }, 180_000);
});
