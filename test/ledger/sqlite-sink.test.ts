import { expect, it, vi } from "vitest";
import { COLUMN_NAMES } from "../../src/ledger/columns.js";
import type { SumField } from "../../src/ledger/sink.js";
import { sqliteLedgerSink } from "../../src/ledger/sqlite-sink.js";
import { openDatabase } from "../sqlite/drivers.js";
import { NOON, settledEvent } from "./events.js";

/** How often each of the calls below is there again. */
const COPIES = 12_000;

/** A sink with three calls at noon and copies of each: a millisecond apart, or all of the same moment. */
async function filled({ apartMs }: { readonly apartMs: number }) {
  const database = openDatabase();
  const sink = sqliteLedgerSink({ database });
  await sink.write([
    settledEvent({ id: "a", keyId: "k1", projectId: "p1" }),
    settledEvent({ id: "b", keyId: "k2", projectId: "p1", byok: true }),
    settledEvent({ id: "c", keyId: "k3", projectId: "p2" }, { outcome: "released" }),
  ]);
  const changed: Record<string, string> = { id: "id || n", admitted_at: `admitted_at + n * ${apartMs}` };
  database.exec(`with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${COPIES})
    insert into tollgate_usage_event (${COLUMN_NAMES.join(", ")})
    select ${COLUMN_NAMES.map((column) => changed[column] ?? column).join(", ")} from tollgate_usage_event, numbers`);
  return { database, sink };
}

/** All of them. */
const query = (by: readonly SumField[]) => ({
  orgId: "o1",
  from: NOON,
  to: NOON + 86_400_000,
  now: NOON,
  by,
});

const ALL = COPIES + 1;

it.each([
  ["a millisecond apart", 1],
  ["all of the same moment", 0],
])("the sums of many calls, %s, are those of all of them, in each group once", async (_, apartMs) => {
  const { sink } = await filled({ apartMs });
  const byKey = await sink.sum(query(["keyId"]));
  const told = byKey.map(({ group, calls, released, costNanoUsd, byokNanoUsd }) => ({
    ...{ group, calls, released, costNanoUsd, byokNanoUsd },
  }));
  const cost = BigInt(ALL) * 2_000_000n;
  expect(told.toSorted((a, b) => (String(a.group) < String(b.group) ? -1 : 1))).toEqual([
    { group: ["k1"], calls: ALL, released: 0, costNanoUsd: cost, byokNanoUsd: 0n },
    { group: ["k2"], calls: ALL, released: 0, costNanoUsd: 0n, byokNanoUsd: cost },
    { group: ["k3"], calls: 0, released: ALL, costNanoUsd: cost, byokNanoUsd: 0n },
  ]);
  expect(await sink.sum(query([]))).toMatchObject([{ group: [], calls: 2 * ALL, inputTokens: 3_000 * ALL }]);
  expect(await sink.sumWithin?.(query([]), [{ projectId: "p2" }])).toMatchObject([{ released: ALL }]);
});

it("no statement adds up more than ten thousand calls, and between any two of them calls pass", async () => {
  const { database, sink } = await filled({ apartMs: 1 });
  const prepare = database.prepare.bind(database);
  const calls: number[] = [];
  const turns = new Set<number>();
  let turn = 0;
  vi.spyOn(database, "prepare").mockImplementation((sql) => {
    const statement = prepare(sql);
    const all = (...values: Parameters<typeof statement.all>) => {
      const rows = statement.all(...values) as Record<string, unknown>[];
      if (rows[0]?.calls !== undefined) {
        calls.push(rows.reduce((sum, row) => sum + Number(row.calls) + Number(row.released), 0));
        turns.add(turn);
      }
      return rows;
    };
    return { all, run: (...values) => statement.run(...values) };
  });
  let isDone = false;
  const summing = sink.sum(query(["keyId"])).finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve));
    turn++;
  }
  await summing;
  expect(calls.reduce((sum, some) => sum + some)).toBe(3 * ALL);
  expect(Math.max(...calls)).toBeLessThanOrEqual(10_000);
  expect(turns.size).toBe(calls.length);
});
