import fc from "fast-check";
import type { Report, ReportGroup, ReportQuery, UsageEvent } from "tollgate";
import { describe, expect, it } from "vitest";
import { memoryLedgerSink } from "../../src/ledger/memory-sink.js";
import { reportOver } from "../../src/ledger/report.js";
import type { ReadableSink, ReportScope, SumField, SumQuery } from "../../src/ledger/sink.js";
import { HOUR_MS, NOON, openEvent, settledEvent } from "./events.js";

const DAY_MS = 24 * HOUR_MS;

const SUM_FIELDS: Readonly<Record<SumField, true>> = {
  ...{ projectId: true, userId: true, keyId: true, model: true, requested: true, countedAs: true },
  ...{ mcp: true, byok: true, outcome: true, tag: true, quarter: true },
};
const NOW = NOON + 10 * DAY_MS;

const query = (parts: Partial<ReportQuery> = {}): ReportQuery => ({
  org: "o1",
  from: NOON - DAY_MS,
  to: NOON + DAY_MS,
  groupBy: "model",
  ...parts,
});

const spent = ({ rows }: Report) =>
  Object.fromEntries(rows.map(({ group, costNanoUsd }) => [group, costNanoUsd]));

/** What holds for every sink that can be read. */
export function sinkSuite(name: string, make: () => Promise<ReadableSink>): void {
  describe(`a ledger sink: ${name}`, () => {
    const filled = async (...batches: UsageEvent[][]) => {
      const sink = await make();
      for (const events of batches) await sink.write(events);
      return sink;
    };
    const report = async (sink: ReadableSink, parts: Partial<ReportQuery> = {}) =>
      reportOver(sink, query(parts), NOW);

    it("keeps one event for each reservation, however often it comes", async () => {
      const event = settledEvent();
      const sink = await filled([event], [event], [{ ...event, costNanoUsd: 9 }]);
      const { total } = await report(sink);
      expect(total).toMatchObject({ calls: 1, costNanoUsd: 2_000_000, usd: "0.002" });
    });

    it("keeps an event as it was written, whatever its writer does to it after that", async () => {
      const event = { ...settledEvent() };
      const sink = await filled([event]);
      event.costNanoUsd = 9;
      expect((await report(sink)).total.costNanoUsd).toBe(2_000_000);
    });

    it("lets the end of a call replace its beginning, whichever comes first", async () => {
      const sink = await filled(
        [openEvent({ id: "a" }), settledEvent({ id: "b" })],
        [settledEvent({ id: "a" }), openEvent({ id: "b" })],
      );
      expect((await report(sink)).total).toMatchObject({ calls: 2, expired: 0, costNanoUsd: 4_000_000 });
      expect(await sink.open({ orgId: "o1", from: 0, limit: 10 })).toEqual([]);
    });

    it.each([
      ["more input", { inputTokens: 1_001 }],
      ["more output", { outputTokens: 1_001 }],
      ["a higher cost", { costNanoUsd: 10_000_001 }],
    ])("lets an extension by %s replace the beginning, and never the other way round", async (_, more) => {
      const [first, extended] = [openEvent(), openEvent(more)];
      for (const batches of [
        [[first], [extended]],
        [[extended], [first]],
      ]) {
        const sink = await filled(...batches);
        expect(await sink.open({ orgId: "o1", from: 0, limit: 10 })).toEqual([extended]);
      }
    });

    it("counts a call that nobody settled with its estimate from the moment it expires", async () => {
      const sink = await filled([openEvent()]);
      const at = async (now: number) => (await reportOver(sink, query(), now)).total;
      expect(await at(NOON + HOUR_MS - 1)).toMatchObject({ calls: 0, expired: 0, costNanoUsd: 0 });
      expect(await at(NOON + HOUR_MS)).toMatchObject({ calls: 1, expired: 1, costNanoUsd: 10_000_000 });
    });

    it("has nothing in scopes that are not those that are asked for", async () => {
      const sink = await filled([settledEvent({ id: "a", projectId: "p1", userId: "u1" })]);
      const within = async (parts: Partial<ReportQuery>, scope: ReportScope) =>
        (await reportOver(sink, query(parts), NOW, [scope])).total.calls;
      expect(await within({ project: "p1" }, { projectId: "p1" })).toBe(1);
      expect(await within({ project: "p2" }, { projectId: "p1" })).toBe(0);
      expect(await within({ user: "z" }, { userId: "u1" })).toBe(0);
      expect(await within({ user: "u1" }, { projectId: "p1" })).toBe(1);
    });

    it("adds up each call once in parts that overlap, and nothing in a part whose id no call can have", async () => {
      const sink = await filled([
        settledEvent({ id: "a", projectId: "p1", userId: "u1" }),
        settledEvent({ id: "b", projectId: "p2", userId: "u1" }),
        settledEvent({ id: "c", projectId: "p2", userId: "u2" }),
        settledEvent({ id: "d", projectId: "p\ufffd", userId: "u3" }),
      ]);
      const all = { orgId: "o1", from: 0, to: NOW, now: NOW, by: [] } as const;
      const calls = async (within: ReportScope[], parts: Partial<SumQuery> = {}) =>
        (await sink.sumWithin?.({ ...all, ...parts }, within))?.map(({ calls }) => calls);
      expect(await calls([{ projectId: "p1" }, { userId: "u1" }, { projectId: "p2", userId: "u1" }])).toEqual(
        [2],
      );
      expect(await calls([{ projectId: "p1" }, { projectId: "p2", userId: "u2" }])).toEqual([2]);
      expect(await calls([{ projectId: "p1" }, { userId: "u2" }], { projectId: "p2" })).toEqual([1]);
      expect(await calls([{ projectId: "p1" }, {}])).toEqual([4]);
      expect(await calls([{ projectId: "p\ud800" }])).toEqual([0]);
      expect(await calls([])).toEqual([0]);
    });

    it("tells released and disconnected calls apart, and counts what was never sent as no call", async () => {
      const nothing = { outcome: "released", inputTokens: 0, outputTokens: 0, costNanoUsd: 0 } as const;
      const sink = await filled([
        settledEvent({ id: "a" }, { outcome: "disconnected" }),
        settledEvent({ id: "b" }, nothing),
      ]);
      const { total } = await report(sink);
      expect(total).toMatchObject({ calls: 1, disconnected: 1, released: 1, costNanoUsd: 2_000_000 });
    });

    it("adds up tokens by kind", async () => {
      const actual = {
        cachedInputTokens: 300,
        cacheWriteTokens: 200,
        cacheWrite1hTokens: 100,
        reasoningTokens: 40,
        audioInputTokens: 3,
        imageInputTokens: 5,
        audioOutputTokens: 7,
        imageOutputTokens: 11,
      };
      const sink = await filled([
        settledEvent({ id: "a" }, { actual }),
        settledEvent({ id: "b" }, { actual }),
      ]);
      expect((await report(sink)).total).toMatchObject({
        inputTokens: 2_000,
        cachedInputTokens: 600,
        cacheWriteTokens: 400,
        cacheWrite1hTokens: 200,
        outputTokens: 200,
        reasoningTokens: 80,
        audioInputTokens: 6,
        imageInputTokens: 10,
        audioOutputTokens: 14,
        imageOutputTokens: 22,
      });
    });

    it("keeps apart what runs on the customer's own provider key", async () => {
      const sink = await filled([
        settledEvent({ id: "a" }),
        settledEvent({ id: "b", byok: true }),
        settledEvent({ id: "c", byok: true, model: "m2", models: ["m2"] }),
      ]);
      expect((await report(sink)).total).toMatchObject({ costNanoUsd: 2_000_000, byokNanoUsd: 4_000_000 });
    });

    it("groups by model, key, user, project and tag, the dearest first", async () => {
      const sink = await filled([
        settledEvent({ id: "a", tags: { team: "red", env: "prod" } }),
        settledEvent({ id: "b", keyId: "k2", tags: { team: "blue" } }, { costNanoUsd: 5 }),
        settledEvent(
          { id: "c", projectId: "p2", userId: "u2", model: "m2", models: ["m2"] },
          { costNanoUsd: 7 },
        ),
      ]);
      const by = async (groupBy: ReportGroup) => spent(await report(sink, { groupBy }));
      expect(await by("model")).toEqual({ "gpt-4o": 2_000_005, m2: 7 });
      expect(await by("key")).toEqual({ k1: 2_000_007, k2: 5 });
      expect(await by("user")).toEqual({ u1: 2_000_005, u2: 7 });
      expect(await by("project")).toEqual({ p1: 2_000_005, p2: 7 });
      const byTag = await report(sink, { groupBy: "tag" });
      expect(spent(byTag)).toEqual({ "team=red": 2_000_000, "env=prod": 2_000_000, "team=blue": 5, "": 7 });
      expect(byTag.total.costNanoUsd).toBe(2_000_012);
      expect(byTag.rows.map(({ group }) => group)).toEqual(["env=prod", "team=red", "", "team=blue"]);
    });

    it("has rows of one cost in the order of their names", async () => {
      const models = ["m2", "m1", "m3"];
      const sink = await filled(models.map((model) => settledEvent({ id: model, model, models })));
      expect((await report(sink)).rows.map(({ group }) => group)).toEqual(["m1", "m2", "m3"]);
    });

    it("has one sum where it is not split, also of nothing", async () => {
      const sums = await (await make()).sum({ orgId: "o1", from: 0, to: NOW, now: NOW, by: [] });
      expect(sums).toMatchObject([{ group: [], calls: 0, inputTokens: 0, costNanoUsd: 0n, byokNanoUsd: 0n }]);
    });

    it("adds up only what is asked for: org, project, user, key and the time from `from` to before `to`", async () => {
      const sink = await filled([
        settledEvent({ id: "a" }, { costNanoUsd: 1 }),
        settledEvent({ id: "b", orgId: "o2" }, { costNanoUsd: 10 }),
        settledEvent({ id: "c", projectId: "p2" }, { costNanoUsd: 100 }),
        settledEvent({ id: "d", userId: "u2" }, { costNanoUsd: 1_000 }),
        settledEvent({ id: "e", keyId: "k2" }, { costNanoUsd: 10_000 }),
        settledEvent({ id: "f", reservedAt: NOON + 1 }, { costNanoUsd: 100_000 }),
      ]);
      const total = async (parts: Partial<ReportQuery>) => (await report(sink, parts)).total.costNanoUsd;
      expect(await total({})).toBe(111_101);
      expect(await total({ org: "o2" })).toBe(10);
      expect(await total({ project: "p2" })).toBe(100);
      expect(await total({ user: "u2" })).toBe(1_000);
      expect(await total({ key: "k2" })).toBe(10_000);
      expect(await total({ project: "p1", user: "u1", key: "k1" })).toBe(100_001);
      expect(await total({ from: NOON, to: NOON + 1 })).toBe(11_101);
      expect(await total({ from: NOON + 1, to: NOON + 2 })).toBe(100_000);
    });

    it("is exact where a number would not be, above nine million US dollars", async () => {
      const events = Array.from({ length: 3 }, (_, i) =>
        settledEvent({ id: `r${i}` }, { costNanoUsd: 9_000_000_000_000_000 - i }),
      );
      const { total } = await report(await filled(events));
      expect(total.usd).toBe("26999999.999999997");
    });

    it("adds up more than 64 bits hold, above nine billion US dollars", async () => {
      const events = Array.from({ length: 2_060 }, (_, i) =>
        settledEvent({ id: `r${i}`, byok: i % 2 === 1 }, { costNanoUsd: 9_000_000_000_000_001 }),
      );
      const sink = await filled(events);
      const [sums] = await sink.sum({ orgId: "o1", from: 0, to: NOW, now: NOW, by: [] });
      const half = 9_270_000_000_000_001_030n;
      expect(sums).toMatchObject({ costNanoUsd: half, byokNanoUsd: half });
    });

    it.each([
      ["the short day in Berlin", "Europe/Berlin", "2026-03-29", 23],
      ["the long day in Berlin", "Europe/Berlin", "2026-10-25", 25],
      ["a day whose midnight is skipped, in Cairo", "Africa/Cairo", "2026-04-24", 23],
      ["a day in Kathmandu, at 45 minutes", "Asia/Kathmandu", "2026-05-15", 24],
      ["the long day on Lord Howe, by half an hour", "Australia/Lord_Howe", "2026-04-05", 24.5],
    ])("has every quarter of an hour in the right day: %s", async (_, timeZone, day, hours) => {
      const around = Date.parse(`${day}T12:00:00Z`);
      const quarters = Array.from({ length: 400 }, (_, i) => around + (i - 200) * (HOUR_MS / 4));
      const events = quarters.map((reservedAt, i) => settledEvent({ id: `r${i}`, reservedAt }));
      const { rows } = await report(await filled(events), {
        ...{ from: around - 3 * DAY_MS, to: around + 3 * DAY_MS },
        ...{ groupBy: "day", timeZone },
      });
      const local = new Intl.DateTimeFormat("sv", { timeZone, dateStyle: "short" });
      const expected = quarters.filter((at) => local.format(at) === day).length;
      const row = rows.find(({ group }) => group === day);
      expect(row?.calls).toBe(expected);
      expect(expected).toBe(hours * 4);
      expect(local.format(row?.startsAt)).toBe(day);
      expect(local.format((row?.startsAt ?? 0) - 1)).not.toBe(day);
      expect(rows.map(({ group }) => group)).toEqual(rows.map(({ group }) => group).toSorted());
    });

    it("tells the hour that comes twice apart, and has none for the hour that does not come", async () => {
      const night = async (from: number) => {
        const events = Array.from({ length: 24 }, (_, i) =>
          settledEvent({ id: `r${i}`, reservedAt: from + (i * HOUR_MS) / 4 }),
        );
        const asked = { from, to: from + 6 * HOUR_MS, groupBy: "hour", timeZone: "Europe/Berlin" } as const;
        return (await report(await filled(events), asked)).rows.map(({ group, calls }) => [group, calls]);
      };
      expect(await night(Date.UTC(2026, 9, 24, 23))).toEqual([
        ["2026-10-25T01:00+02:00", 4],
        ["2026-10-25T02:00+02:00", 4],
        ["2026-10-25T02:00+01:00", 4],
        ["2026-10-25T03:00+01:00", 4],
        ["2026-10-25T04:00+01:00", 4],
        ["2026-10-25T05:00+01:00", 4],
      ]);
      expect((await night(Date.UTC(2026, 2, 28, 23))).slice(0, 4)).toEqual([
        ["2026-03-29T00:00+01:00", 4],
        ["2026-03-29T01:00+01:00", 4],
        ["2026-03-29T03:00+02:00", 4],
        ["2026-03-29T04:00+02:00", 4],
      ]);
    });

    it("names the open calls of an org, the latest first, as they were written", async () => {
      const odd = openEvent({ id: "b", reservedAt: NOON + 5, tags: { 'a"b\uE000': "c\u0000d" }, byok: true });
      const sink = await filled([openEvent({ id: "a" }), odd, openEvent({ id: "c", orgId: "o2" })]);
      expect(await sink.open({ orgId: "o1", from: 0, limit: 10 })).toEqual([odd, openEvent({ id: "a" })]);
      expect(await sink.open({ orgId: "o1", from: NOON + 5, limit: 10 })).toEqual([odd]);
      expect(await sink.open({ orgId: "o1", from: NOON + 6, limit: 10 })).toEqual([]);
      expect(await sink.open({ orgId: "o1", from: 0, limit: 1 })).toEqual([odd]);
    });

    it("names the open calls of an org and a key whose ids have characters that no database holds", async () => {
      const [orgId, projectId, keyId] = ["o\u0000", "p\uE0001\u0000", "k\u0000\uE000"];
      const event = openEvent({
        id: "\u0000",
        orgId,
        projectId,
        userId: "\uE0000",
        keyId,
        requested: "\uE000",
      });
      const sink = await filled([event, openEvent({ id: "b", orgId })]);
      expect(await sink.open({ orgId, keyIds: [keyId], from: 0, limit: 10 })).toEqual([event]);
    });

    it("names the open calls of some keys, of none where none is named", async () => {
      const [one, two] = [openEvent({ id: "a" }), openEvent({ id: "b", keyId: "'k2" })];
      const sink = await filled([two, one, openEvent({ id: "c", keyId: "k3" })]);
      const open = (keyIds: readonly string[]) => sink.open({ orgId: "o1", keyIds, from: 0, limit: 10 });
      expect(await open(["'k2"])).toEqual([two]);
      expect(await open(["'k2", "k1"])).toEqual([one, two]);
      expect(await open([])).toEqual([]);
      const many = Array.from({ length: 70_000 }, (_, i) => `another ${i}`);
      expect(await open([...many, "'k2", "k\ud800"])).toEqual([two]);
    });

    it("adds up the calls under way by themselves, and tells those that expired from those that ended", async () => {
      const sink = await filled([
        openEvent({ id: "a" }),
        openEvent({ id: "b", reservedAt: NOON + HOUR_MS }),
        openEvent({ id: "c", reservedAt: NOON + HOUR_MS, byok: true }),
        settledEvent({ id: "d" }),
      ]);
      const all = { orgId: "o1", from: 0, to: NOW, now: NOON + HOUR_MS, by: ["outcome"] } as const;
      const sums = async (underWay: boolean) =>
        (await sink.sum({ ...all, underWay }))
          .map(({ group, costNanoUsd, byokNanoUsd }) => [...group, costNanoUsd, byokNanoUsd])
          .toSorted();
      expect(await sums(true)).toEqual([["open", 10_000_000n, 10_000_000n]]);
      expect(await sums(false)).toEqual([
        ["open", 10_000_000n, 0n],
        ["settled", 2_000_000n, 0n],
      ]);
    });

    it("law: gives the sums of the definition, for any ids, tags and grouping, whatever order events come in", async () => {
      const odd = fc.constantFrom(
        "a",
        "constructor",
        "__proto__",
        "'; drop table x",
        '"',
        "\u0000",
        "\uE000",
        "\uE0000",
        "日本",
        "a=b",
        " ",
      );
      const call = fc.record({
        id: odd,
        orgId: fc.constantFrom("o1", "o1", "\u0000o"),
        projectId: odd,
        userId: odd,
        keyId: odd,
        requested: odd,
        model: fc.option(odd, { nil: undefined }),
        models: fc.constant([]),
        reservedAt: fc.integer({ min: NOON - 2 * HOUR_MS, max: NOON + 2 * HOUR_MS }),
        byok: fc.boolean(),
        tags: fc.dictionary(odd, odd, { maxKeys: 3 }),
      });
      // The moment of admission is the reservation's own: two events of one id never differ in it.
      const outcome = fc.constantFrom("open", "settled", "disconnected", "released");
      const written = fc.array(
        fc.tuple(call, outcome, fc.integer({ min: 0, max: 9e15 })).map(([one, outcome, costNanoUsd]) => {
          const fixed = { ...one, reservedAt: NOON + (one.id.codePointAt(0) ?? 0) * 1_000 };
          if (outcome === "open") return openEvent({ ...fixed, costNanoUsd });
          return settledEvent(fixed, { outcome, costNanoUsd });
        }),
        { maxLength: 12 },
      );
      /** A question about the calls that are like one of those written. */
      const asked = fc.record({
        like: fc.nat(11),
        in: fc.subarray(["projectId", "userId", "keyId"] as const),
        by: fc.subarray(Object.keys(SUM_FIELDS) as SumField[]), // sound: a literal has the keys of its type
        now: fc.constantFrom(NOON, NOW),
        underWay: fc.boolean(),
        within: fc.array(fc.record({ projectId: odd, userId: odd }, { requiredKeys: [] }), { maxLength: 4 }),
      });
      const groups: readonly ReportGroup[] = ["model", "key", "user", "project", "tag", "day", "hour"];
      await fc.assert(
        fc.asyncProperty(written, fc.constantFrom(...groups), asked, async (events, groupBy, asked) => {
          const [sink, memory] = [await make(), memoryLedgerSink()];
          for (const event of events) {
            await sink.write([event]);
            await memory.write([event]);
          }
          const rows = (of: Report) => of.rows.toSorted((a, b) => (a.group < b.group ? -1 : 1));
          const [got, wanted] = [await report(sink, { groupBy }), await report(memory, { groupBy })];
          expect(rows(got)).toEqual(rows(wanted));
          expect(got.total).toEqual(wanted.total);

          const like = events[asked.like % events.length] ?? settledEvent();
          const narrowed = Object.fromEntries(asked.in.map((field) => [field, like[field]]));
          const { by, now, underWay } = asked;
          const query = { orgId: like.orgId, ...narrowed, from: NOON, to: NOW, now, by, underWay };
          const sums = async (of: ReadableSink) =>
            (await of.sum(query)).map(({ group, ...sums }) => [JSON.stringify(group), sums]).toSorted();
          expect(await sums(sink)).toEqual(await sums(memory));

          const { within } = asked;
          const isWithin = (event: UsageEvent) =>
            within.some(
              ({ projectId = event.projectId, userId = event.userId }) =>
                projectId === event.projectId && userId === event.userId,
            );
          const parts = memoryLedgerSink();
          await parts.write(memory.events().filter(isWithin));
          const sumsWithin = await sink.sumWithin?.(query, within);
          expect(sumsWithin?.map(({ group, ...sums }) => [JSON.stringify(group), sums]).toSorted()).toEqual(
            await sums(parts),
          );
        }),
        { numRuns: 40 },
      );
    });
  });
}
