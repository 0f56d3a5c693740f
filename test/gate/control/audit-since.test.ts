import fc from "fast-check";
import { expect, test } from "vitest";
import { createGate } from "../../../src/gate/gate.js";
import type { Records } from "../../../src/model/records.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import type { Storage } from "../../../src/storage/storage.js";

const ORG = { orgId: "acme" };
const START = 1_000_000;

/** A trail of writes at these moments of a clock, some of whose events somebody has removed, and how many events were read. */
async function trailOf(moments: readonly number[], removed: readonly number[] = []) {
  const inMemory = memoryStorage();
  let read = 0;
  const storage: Storage = {
    ...inMemory,
    async find(kind, where, page) {
      const found = await inMemory.find(kind, where, page);
      if (kind === "auditEvent") read += found.length;
      return found;
    },
  };
  let now = START;
  const gate = createGate({ storage, clock: { now: () => now } });
  const { orgs, audit } = gate.as({ userId: "olga" });
  await orgs.create({ id: "acme", name: "0" });
  for (const [i, moment] of moments.entries()) {
    now = moment;
    await orgs.update({ ...ORG, name: `${i + 1}` });
  }
  const events = await inMemory.find("auditEvent", ORG);
  const gone = events.filter((_, i) => removed.includes(i));
  await inMemory.commit(
    gone.map(({ id }) => ({ kind: "auditEvent", id, expectedVersion: 1, record: undefined })),
  );
  const left: Pick<Records["auditEvent"], "id" | "at">[] = events.filter((event) => !gone.includes(event));
  return {
    left,
    readSoFar: () => read,
    between: async (from: number, to: number, limit = 1_000) =>
      (await audit.list({ ...ORG, from, to, limit })).items,
  };
}

test("law: the trail between two moments has every event of that time, wherever clocks have stood and whatever was removed", async () => {
  const moment = fc.integer({ min: START - 5, max: START + 40 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(moment, { maxLength: 30 }),
      fc.array(fc.nat(30), { maxLength: 10 }),
      moment,
      moment,
      async (moments, removed, from, to) => {
        const { left, between } = await trailOf(moments, removed);
        const wanted = left.filter(({ at }) => at >= from && at < to).map(({ id }) => id);
        expect((await between(from, to)).map(({ id }) => id)).toEqual(wanted);
      },
    ),
  );
});

test.each([
  ["the end", 1_998, 2_001, 0],
  ["the middle", 1_000, 1_003, 0],
  ["the middle, where a clock once went back a little,", 1_000, 1_003, 5],
])("%s of a long trail is found without reading the rest of it", async (_, from, to, backMs) => {
  const moments = Array.from({ length: 2_000 }, (_, i) => START + 1 + i);
  const { between, readSoFar } = await trailOf([
    ...moments.slice(0, 500),
    START + 500 - backMs,
    ...moments.slice(500),
  ]);
  const before = readSoFar();
  expect(await between(START + from, START + to, 5)).toHaveLength(3);
  expect(readSoFar() - before).toBeLessThan(40);
});
