import { expect, it, vi } from "vitest";
import { createGate } from "../../../src/gate/gate.js";
import { createLedger } from "../../../src/ledger/ledger.js";
import { memoryLedgerSink } from "../../../src/ledger/memory-sink.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import type { Storage } from "../../../src/storage/storage.js";
import { NOON } from "../world.js";

const KEYS = 1_200;
const ORG = { orgId: "o1" };

/** A gate over a storage with many keys, each with a budget a day, and over a ledger. */
async function largeOrg(wrapped: (storage: Storage) => Storage = (storage) => storage) {
  const inMemory = memoryStorage();
  const clock = { now: () => NOON };
  const sink = memoryLedgerSink();
  const gate = createGate({ storage: wrapped(inMemory), clock, ledger: createLedger({ sink, clock }) });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "o1", name: "Acme" });
  await olga.projects.create({ ...ORG, id: "p1", name: "Web" });
  const limits = { budget: { usd: 1, reset: "daily" as const } };
  await olga.keys.create({ ...ORG, projectId: "p1", id: "k0", limits });
  const [key] = await inMemory.find("key", ORG);
  if (key === undefined) throw new Error("it was made above");
  const copies = Array.from({ length: KEYS - 1 }, (_, i) => ({
    ...key,
    id: `k${i + 1}`,
    hash: `h${i}`,
    version: 1,
  }));
  await inMemory.commit(
    copies.map((record) => ({ kind: "key" as const, id: record.id, expectedVersion: 0, record })),
  );
  return { gate, sink };
}

it("calls pass while the budgets of an org with many keys are looked up", async () => {
  let read = 0;
  const { gate } = await largeOrg((storage) => ({
    ...storage,
    async get(kind, id) {
      read++;
      return storage.get(kind, id);
    },
    async find(kind, where, page) {
      const found = await storage.find(kind, where, page);
      read += found.length;
      return found;
    },
  }));
  let [most, isDone] = [0, false];
  const reconciling = gate.reconcile(ORG).finally(() => {
    isDone = true;
  });
  while (!isDone) {
    read = 0;
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, read);
  }
  expect(await reconciling).toMatchObject({ budgets: KEYS, differences: [] });
  expect(most).toBeLessThan(2_000); // a thousand keys, or the chains of a hundred
});

it("no call from before the periods of its budgets is added up where the storage knows all keys", async () => {
  const { gate, sink } = await largeOrg();
  const sum = vi.spyOn(sink, "sum");
  await gate.reconcile(ORG);
  const today = NOON - (NOON % 86_400_000);
  expect(sum.mock.calls.map(([{ from }]) => from)).toEqual([today, today]);
});
