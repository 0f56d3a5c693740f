import fc from "fast-check";
import { expect, test } from "vitest";
import { createGate } from "../../../src/gate/gate.js";
import type { AuditQuery } from "../../../src/model/inputs/audit.js";
import { auditEventId, type Records } from "../../../src/model/records.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import type { Storage } from "../../../src/storage/storage.js";

type AnEvent = Records["auditEvent"];

const ORG = { orgId: "acme" };
const START = 1_000_000;

/** A trail of writes at these moments of a clock, some of whose events somebody has removed, and how many events were read. */
async function trailOf(moments: readonly number[], removed: readonly number[] = []) {
  const inMemory = memoryStorage();
  let read = 0;
  let asked = 0;
  const storage: Storage = {
    ...inMemory,
    async find(kind, where, page) {
      const found = await inMemory.find(kind, where, page);
      if (kind === "auditEvent") {
        read += found.length;
        asked++;
      }
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
  const left: Pick<AnEvent, "id" | "at">[] = events.filter((event) => !gone.includes(event));
  return {
    left,
    inMemory,
    readSoFar: () => read,
    askedSoFar: () => asked,
    between: async (from: number, to: number, limit = 1_000) =>
      (await audit.list({ ...ORG, from, to, limit })).items,
    /** All pages of a list from the newest event on. */
    async backwards(query: Partial<AuditQuery>) {
      const ids: string[] = [];
      for (let after: string | undefined; ; ) {
        const { items, next } = await audit.list({ ...ORG, ...query, order: "newest", after });
        ids.push(...items.map(({ id }) => id));
        if (next === undefined) return ids;
        expect(items.at(-1)?.id).toBe(next);
        after = next;
      }
    },
    newest: (query: Partial<AuditQuery>) => audit.list({ ...ORG, ...query, order: "newest" }),
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

test("law: from the newest event on, the same events come in the other order, in pages of any length", async () => {
  const moment = fc.integer({ min: START - 5, max: START + 40 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(moment, { maxLength: 30 }),
      fc.array(fc.nat(30), { maxLength: 10 }),
      fc.option(moment, { nil: undefined }),
      fc.option(moment, { nil: undefined }),
      fc.integer({ min: 1, max: 12 }),
      async (moments, removed, from, to, limit) => {
        const { left, backwards } = await trailOf(moments, removed);
        const wanted = left.filter(({ at }) => at >= (from ?? 0) && at < (to ?? Number.POSITIVE_INFINITY));
        expect(await backwards({ from, to, limit })).toEqual(wanted.map(({ id }) => id).reverse());
      },
    ),
  );
});

test("the newest events are found without reading the trail before them, and so are those of a rare action", async () => {
  const { newest, left, readSoFar, askedSoFar } = await trailOf(
    Array.from({ length: 2_000 }, (_, i) => START + 1 + i),
  );
  const before = readSoFar();
  const { items, next } = await newest({ limit: 5 });
  expect(items.map(({ id }) => id)).toEqual(
    left
      .slice(-5)
      .reverse()
      .map(({ id }) => id),
  );
  expect((await newest({ limit: 5, after: next })).items[0]?.id).toBe(left.at(-6)?.id);
  expect((await newest({ to: START + 1_000, limit: 1 })).items).toMatchObject([{ at: START + 999 }]);
  expect((await newest({ from: START + 1_990 })).items).toHaveLength(11);
  expect(readSoFar() - before).toBeLessThan(250);
  const askedBefore = askedSoFar();
  expect((await newest({ action: "org.create" })).items).toMatchObject([{ id: left[0]?.id }]);
  expect(askedSoFar() - askedBefore).toBeLessThan(10);
});

test("of many old events that match, no more are read than about a page, however long none has matched since", async () => {
  const { newest, inMemory, readSoFar } = await trailOf(
    Array.from({ length: 1_000 }, (_, i) => START + 1 + i),
  );
  const events = await inMemory.find("auditEvent", ORG);
  await inMemory.commit(
    events.slice(-500).map((event) => ({
      kind: "auditEvent",
      id: event.id,
      expectedVersion: 1,
      record: { ...event, version: 2, action: "another" },
    })),
  );
  const before = readSoFar();
  const { items } = await newest({ action: "org.update", limit: 5 });
  expect(items.map(({ sequence }) => sequence)).toEqual([501, 500, 499, 498, 497]);
  expect(readSoFar() - before).toBeLessThan(150);
});

test("a write of many events is told part by part, the last first", async () => {
  const { left, inMemory, backwards } = await trailOf([START + 1, START + 2, START + 3]);
  const [, middle] = left;
  const parts = Array.from({ length: 30 }, (_, part) => auditEventId("acme", 2, part + 1));
  await inMemory.commit(
    parts.map((id) => ({ kind: "auditEvent", id, expectedVersion: 0, record: { ...middle, id } as AnEvent })),
  );
  const ids = (await inMemory.find("auditEvent", ORG)).map(({ id }) => id);
  expect(ids).toHaveLength(34);
  for (const limit of [1, 2, 7, 40]) expect(await backwards({ limit })).toEqual(ids.toReversed());
});

test("a page before something that is no event of the org is refused", async () => {
  const { newest } = await trailOf([]);
  for (const after of ["k1", '["other","000000000001","000000"]', '["acme","1","0"]'])
    await expect(newest({ after })).rejects.toThrow("audit.after: the `next` of the page before");
});
