import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type Counters, createLedger, memoryCounters, priceCatalog, type SettleRequest } from "tollgate";
import { postgresLedgerSink } from "tollgate/postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bundled, bundled } from "../../processes/bundled.js";
import { DATABASE_URL } from "../../services.js";
import { gateOver } from "../../testing/gate-over.js";
import { ownSchema } from "../database.js";

const database = await ownSchema();
let gateway: Bundled;
beforeAll(async () => {
  gateway = await bundled(join(import.meta.dirname, "gateway.ts"));
});
afterAll(() => gateway.remove());

const KILLS = 10;

const budget = { budget: { usd: 1_000_000, reset: "never" as const } };
const chains = Array.from({ length: 40 }, (_, i) => ({
  org: { id: "o", limits: budget },
  project: { id: "p" },
  holder: { userId: "u", active: true },
  key: { id: `k${i}`, limits: budget },
}));

const keyIds = chains.map(({ key }) => key.id);

/** The counters that outlive every gateway, and what they know of each call: it is what really happened. */
function observedCounters() {
  const counters = memoryCounters();
  /** Nano-USD by reservation; what is reserved, and from the settle on what it was. */
  const costs = new Map<string, { readonly keyId: string; nanoUsd: number; isSettled: boolean }>();
  const observed: Pick<Counters, "reserve" | "settle" | "read"> = {
    async reserve(request) {
      const outcome = await counters.reserve(request);
      const { limit, amount } = request.charges.at(-1) ?? {};
      if (limit) costs.set(request.id, { keyId: limit.scopeId, nanoUsd: amount ?? 0, isSettled: false });
      return outcome;
    },
    async settle(request: SettleRequest) {
      const call = costs.get(request.id);
      if (call) Object.assign(call, { nanoUsd: request.amounts.at(-1)?.amount, isSettled: true });
      return counters.settle(request);
    },
    read: (query) => counters.read(query),
  };
  return { counters, costs, observed };
}

/** Runs a gateway for a while and kills it in the middle of what it does. */
async function runAndKill(
  observed: Pick<Counters, "reserve" | "settle" | "read">,
  schema: string,
  first: number,
): Promise<void> {
  const child = fork(gateway.path, [DATABASE_URL, schema, String(first)]);
  const began = new Promise<void>((resolve) => {
    child.on("message", async ({ number, method, request }: Asked) => {
      if (method === "settle") resolve();
      const answer = await observed[method](request as never); // sound: the gateway sends the request of the method
      if (child.connected) child.send({ number, answer }, () => {});
    });
  });
  await began;
  await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 400));
  child.kill("SIGKILL");
  await once(child, "exit");
}

interface Asked {
  readonly number: number;
  readonly method: "reserve" | "settle" | "read";
  readonly request: unknown;
}

describe.skipIf(database === undefined)("ten gateways that are killed", () => {
  it("leave a ledger whose sums are the counters' to the nano-dollar, but for the calls and budgets that reconcile() names", async () => {
    if (database === undefined) throw new Error("skipped without it");
    const { pool, schema } = database;
    const sink = postgresLedgerSink({ pool, schema });
    await sink.migrate();
    const { counters, costs, observed } = observedCounters();
    for (let kill = 0; kill < KILLS; kill++) await runAndKill(observed, schema, kill * 4);

    const ledger = createLedger({ sink });
    const gate = gateOver(chains, { counters, ledger, prices: priceCatalog.of({}) });
    const { differences, unended } = await gate.reconcile({ orgId: "o", keyIds });
    const { rows } = await ledger.report({ org: "o", from: 0, to: Date.now() + 1, groupBy: "key" });
    const reported = new Map(rows.map(({ group, costNanoUsd }) => [group, costNanoUsd]));
    const openOf = new Map<string, number>();
    for (const { keyId, costNanoUsd } of unended) openOf.set(keyId, (openOf.get(keyId) ?? 0) + costNanoUsd);

    const named = new Map(differences.map((one) => [one.limit.scopeId, one.differenceNanoUsd]));
    const used = async (keyId: string) =>
      (await gate.usage({ orgId: "o", keyId })).find(({ scope }) => scope === "key")?.used ?? 0;
    for (const { key } of chains) {
      const explained = (reported.get(key.id) ?? 0) + (openOf.get(key.id) ?? 0) + (named.get(key.id) ?? 0);
      expect([key.id, explained]).toEqual([key.id, await used(key.id)]);
    }

    // What really happened: a call that ended and whose row has not, or that has none, was under way or in a last batch.
    const recorded = await pool.query(
      `select id, outcome, cost_nano_usd::text as cost from "${schema}".usage_event`,
    );
    const rowOf = new Map(
      recorded.rows.map(({ id, outcome, cost }) => [id, { outcome, cost: Number(cost) }]),
    );
    const lost = [...costs].filter(
      ([id, { isSettled }]) => !isSettled || rowOf.get(id)?.outcome !== "settled",
    );
    const wrong = [...costs].filter(([id, call]) => {
      const row = rowOf.get(id);
      return row?.outcome === "settled" && row.cost !== call.nanoUsd;
    });
    expect(wrong).toEqual([]);
    expect(costs.size).toBeGreaterThan(KILLS * 16);
    // Eight calls at a time, and those that ended while the last batch was open or being written.
    expect(lost.length).toBeLessThanOrEqual(KILLS * 8 * 4);
    const namedKeys = new Set([
      ...differences.map(({ limit }) => limit.scopeId),
      ...unended.map(({ keyId }) => keyId),
    ]);
    expect(lost.filter(([, { keyId }]) => !namedKeys.has(keyId))).toEqual([]);
    const namedIds = new Set(unended.map(({ id }) => id));
    for (const [id] of lost) expect(rowOf.has(id)).toBe(namedIds.has(id));

    const rebuilt = await gate.reconcile({ orgId: "o", keyIds, rebuild: true });
    expect(
      rebuilt.differences.every(
        ({ rebuiltNanoUsd, ledgerNanoUsd, countersNanoUsd }) =>
          rebuiltNanoUsd === Math.max(0, ledgerNanoUsd - countersNanoUsd),
      ),
    ).toBe(true);
  }, 180_000);
});
