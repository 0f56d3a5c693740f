import fc from "fast-check";
import {
  createLedger,
  memoryLedgerSink,
  type ReportQuery,
  reportCsv,
  spendSvg,
  ValidationError,
} from "tollgate";
import { describe, expect, it, test } from "vitest";
import { aCall, anEnd, NOON } from "./events.js";

const DAY_MS = 86_400_000;

async function reportOf(
  calls: Parameters<typeof aCall>[0][],
  parts: Partial<ReportQuery> = {},
  end: Parameters<typeof anEnd>[0] = {},
) {
  const ledger = createLedger({ sink: memoryLedgerSink(), clock: { now: () => NOON + 60 * DAY_MS } });
  for (const [i, call] of calls.entries()) ledger.closed(aCall({ id: `r${i}`, ...call }), anEnd(end));
  await ledger.flush();
  return ledger.report({ org: "o1", from: NOON - DAY_MS, to: NOON + 3 * DAY_MS, groupBy: "model", ...parts });
}

const HEAD =
  "calls,released,disconnected,expired,inputTokens,cachedInputTokens,cacheWriteTokens,cacheWrite1hTokens,audioInputTokens,imageInputTokens,outputTokens,reasoningTokens,audioOutputTokens,imageOutputTokens,costNanoUsd,usd,byokNanoUsd";

describe("a report as CSV", () => {
  it("has a header and a line for each row, ended by CR LF", async () => {
    expect(reportCsv(await reportOf([{}, {}]))).toBe(
      `model,${HEAD}\r\ngpt-4o,2,0,0,0,2000,0,0,0,0,0,200,0,0,0,4000000,0.004,0\r\n`,
    );
  });

  it.each([
    ['a "b", c', '"a ""b"", c"'],
    ["two\nlines", '"two\nlines"'],
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-1", "'-1"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["\t=1", '"\'\t=1"'],
    ["x;=HYPERLINK(1)", '"x;=HYPERLINK(1)"'],
    ["x\t=1+1", '"x\t=1+1"'],
    ["\r=1", '"\'\r=1"'],
    ['=HYPERLINK("x")', '"\'=HYPERLINK(""x"")"'],
    ["＝1", "'＝1"],
    ["＋1", "'＋1"],
    ["－1", "'－1"],
    ["＠SUM(A1)", "'＠SUM(A1)"],
    ["x\r=1+1", '"x\r=1+1"'],
    ["\n=1", '"\'\n=1"'],
    ["gpt-4o", "gpt-4o"],
  ])("quotes by RFC 4180 and lets no text be a formula: %j", async (model, cell) => {
    const csv = reportCsv(await reportOf([{ model, models: [model] }]));
    expect(csv.slice(csv.indexOf("\r\n") + 2).startsWith(`${cell},1,`)).toBe(true);
  });
});

describe("a report", () => {
  it("is of a time that has a length", async () => {
    await expect(reportOf([], { from: NOON, to: NOON })).rejects.toThrow("report.from: a moment before to");
  });

  it("says what it was asked for", async () => {
    const asked = { project: "p1", user: "u1", key: "k1", timeZone: "Europe/Berlin" };
    expect(await reportOf([{}], asked)).toMatchObject({ ...asked, org: "o1", total: { calls: 1 } });
  });

  it("has the days of UTC if no zone is named", async () => {
    expect(await reportOf([{}], { groupBy: "day" })).toMatchObject({
      timeZone: "UTC",
      rows: [{ group: "2026-05-15", startsAt: Date.UTC(2026, 4, 15) }],
    });
  });
});

describe("a split report", () => {
  const dear = { costNanoUsd: 3_000_000 };
  const calls = [
    { model: "m1", models: ["m1"], projectId: "p1" },
    { model: "m2", models: ["m2"], projectId: "p1", reservedAt: NOON + DAY_MS },
    { model: "m2", models: ["m2"], projectId: "p2", tags: { team: "a", env: "b" } },
    { model: "m2", models: ["m2"], projectId: "p2" },
    { model: "m2", models: ["m2"], projectId: "p2", reservedAt: NOON - DAY_MS },
    { model: "m1", models: ["m1"], projectId: "p2", reservedAt: NOON + DAY_MS },
  ];
  const [before, today, after] = ["2026-05-14", "2026-05-15", "2026-05-16"];
  const rowsOf = async (parts: Partial<ReportQuery>) =>
    (await reportOf(calls, parts, dear)).rows.map(({ group, split, calls }) => [group, split, calls]);

  it("has a row for each part of each group: the dearest group first, in it the dearest part", async () => {
    expect(await rowsOf({ groupBy: "project", splitBy: "model" })).toEqual([
      ["p2", "m2", 3],
      ["p2", "m1", 1],
      ["p1", "m1", 1],
      ["p1", "m2", 1],
    ]);
  });

  it("has the days of a group in order, and the parts of a day by cost", async () => {
    expect(await rowsOf({ groupBy: "model", splitBy: "day" })).toEqual([
      ["m2", before, 1],
      ["m2", today, 2],
      ["m2", after, 1],
      ["m1", today, 1],
      ["m1", after, 1],
    ]);
    expect(await rowsOf({ groupBy: "day", splitBy: "project" })).toEqual([
      [before, "p2", 1],
      [today, "p2", 2],
      [today, "p1", 1],
      [after, "p1", 1],
      [after, "p2", 1],
    ]);
  });

  it("says by what, and where each day begins", async () => {
    const report = await reportOf(calls.slice(0, 1), { groupBy: "model", splitBy: "hour" });
    expect(report).toMatchObject({ groupBy: "model", splitBy: "hour" });
    expect(report.rows).toMatchObject([{ group: "m1", split: "2026-05-15T12:00+00:00", startsAt: NOON }]);
    expect(await reportOf(calls)).not.toHaveProperty("splitBy");
  });

  it("counts a call with two tags once in the total", async () => {
    const { rows, total } = await reportOf(calls.slice(2, 3), { groupBy: "model", splitBy: "tag" });
    expect(rows.map(({ group, split }) => [group, split])).toEqual([
      ["m2", "env=b"],
      ["m2", "team=a"],
    ]);
    expect(total.calls).toBe(1);
  });

  test("law: its rows add up to those of the report that is not split, in the same order of groups", async () => {
    const group = fc.constantFrom("model", "key", "user", "project", "tag", "day", "hour");
    const name = fc.constantFrom("", ",", '","');
    const call = fc.record({
      projectId: name,
      userId: name,
      keyId: name,
      model: name,
      models: fc.constant([]),
      tags: fc.dictionary(name, name, { maxKeys: 2 }),
      reservedAt: fc.integer({ min: NOON - DAY_MS, max: NOON + DAY_MS }),
    });
    const isTime = (group: string) => group === "day" || group === "hour";
    await fc.assert(
      fc.asyncProperty(fc.array(call), group, group, async (calls, groupBy, splitBy) => {
        fc.pre(groupBy !== splitBy && !(isTime(groupBy) && isTime(splitBy)));
        const [whole, split] = [
          await reportOf(calls, { groupBy }),
          await reportOf(calls, { groupBy, splitBy }),
        ];
        expect(split.total).toEqual(whole.total);
        expect([...new Set(split.rows.map(({ group }) => group))].toSorted()).toEqual(
          whole.rows.map(({ group }) => group).toSorted(),
        );
        const pairs = split.rows.map(({ group, split }) => JSON.stringify([group, split]));
        expect(new Set(pairs).size).toBe(pairs.length);
        if (splitBy === "tag") return; // a call is in the row of each of its tags
        const sums = new Map<string, { calls: number; costNanoUsd: number }>();
        for (const { group, calls, costNanoUsd } of split.rows) {
          const sum = sums.get(group) ?? { calls: 0, costNanoUsd: 0 };
          sums.set(group, { calls: sum.calls + calls, costNanoUsd: sum.costNanoUsd + costNanoUsd });
        }
        expect([...sums]).toEqual(
          whole.rows.map(({ group, calls, costNanoUsd }) => [group, { calls, costNanoUsd }]),
        );
      }),
    );
  });

  it.each([
    ["model", "model"],
    ["day", "hour"],
    ["hour", "day"],
  ] as const)("is not by %s and %s", async (groupBy, splitBy) => {
    await expect(reportOf([], { groupBy, splitBy })).rejects.toThrow(
      "report.splitBy: something else than groupBy, and no day or hour beside the other",
    );
  });

  it("has both names in CSV, and none is a formula", async () => {
    const odd = [{ model: "=1", models: ["=1"], projectId: "@x" }];
    const csv = reportCsv(await reportOf(odd, { groupBy: "project", splitBy: "model" }));
    const [head, row] = csv.split("\r\n");
    expect(head).toBe(`project,model,${HEAD}`);
    expect(row).toMatch(/^'@x,'=1,1,0,/);
    expect(row?.split(",").length).toBe(head?.split(",").length);
  });

  it("is no bar chart", async () => {
    const report = await reportOf([], { groupBy: "day", splitBy: "model" });
    expect(() => spendSvg(report)).toThrow("report.splitBy: absent");
  });
});

describe("a report as JSON", () => {
  it("is the report itself: plain data", async () => {
    const report = await reportOf([{}]);
    expect(JSON.parse(JSON.stringify(report))).toStrictEqual(report);
  });
});

describe("spend by day as an SVG", () => {
  it("has a bar for every day, those without calls too, and says what each was", async () => {
    const svg = spendSvg(await reportOf([{}, { reservedAt: NOON + 2 * DAY_MS }], { groupBy: "day" }));
    expect(svg.match(/<rect/g)).toHaveLength(5);
    expect(svg).toContain("<title>2026-05-15: 0.002 USD</title>");
    expect(svg).toContain("<title>2026-05-16: 0 USD</title>");
    expect(svg).toContain("o1: 0.004 USD");
    expect(svg).not.toMatch(/NaN|Infinity|undefined|href|<script/);
  });

  it.each([
    ["a day of 0.002 USD, the top of the scale itself", 2_000_000, 1, ["0.002", "0.001", "0"]],
    ["a day of 0.003 USD, under 0.005 USD", 3_000_000, 0.6, ["0.005", "0.0025", "0"]],
    ["a day of 6 USD, under 10 USD", 6_000_000_000, 0.6, ["10", "5", "0"]],
  ])("has bars as high as what was spent on their days: %s", async (_, costNanoUsd, share, scale) => {
    const [HALF, FULL] = [NOON + DAY_MS, NOON + 2 * DAY_MS];
    const calls = [{ reservedAt: HALF }, { reservedAt: FULL }, { reservedAt: FULL }];
    const svg = spendSvg(await reportOf(calls, { groupBy: "day" }, { costNanoUsd: costNanoUsd / 2 }));
    const numbers = (element: string, names: readonly string[]) =>
      [...svg.matchAll(new RegExp(`<${element} [^>]*>`, "g"))].map(([tag]) =>
        names.map((name) => Number(new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1])),
      );
    const lines = numbers("line", ["y1", "y2"]).map(([y1, y2]) => [y1, y1 === y2]);
    const [top = 0, middle = 0, bottom = 0] = lines.map(([y]) => Number(y));
    expect(lines.map(([, isLevel]) => isLevel)).toEqual([true, true, true]);
    expect([...svg.matchAll(/>([\d.]+) USD<\/text>/g)].map(([, usd]) => usd)).toEqual(scale);
    expect(middle - top).toBeCloseTo(bottom - middle);
    const bars = numbers("rect", ["x", "y", "height"]);
    const height = (bottom - top) * share;
    expect(bars.map(([, , high]) => high)).toEqual(
      [0, 0, height / 2, height, 0].map((high) => expect.closeTo(high, 1)),
    );
    for (const [, y = 0, high = 0] of bars) expect(y + high).toBeCloseTo(bottom);
    const steps = bars.slice(1).map(([x = 0], i) => x - (bars[i]?.[0] ?? 0));
    expect(steps.map((step) => step > 0 && step.toFixed(1))).toEqual(steps.map(() => steps[0]?.toFixed(1)));
    expect(svg.match(/>2026-\d\d-\d\d<\/text>/g)).toEqual([">2026-05-14</text>", ">2026-05-18</text>"]);
  });

  it("is of the smallest part that the report is of", async () => {
    const title = async (asked: Partial<ReportQuery>) =>
      /<title>(\w+):/.exec(spendSvg(await reportOf([{}], { ...asked, groupBy: "day" })))?.[1];
    const [project, user, key] = ["p1", "u1", "k1"];
    const parts = [{}, { project }, { project, user }, { project, user, key }];
    expect(await Promise.all(parts.map(title))).toEqual(["o1", "p1", "u1", "k1"]);
  });

  it.each([
    ["noon", "2026-10-24T12:00+02:00", "the morning", "2026-10-26T06:00+01:00"],
    ["midnight", "2026-10-24T00:00+02:00", "midnight", "2026-10-27T00:00+01:00"],
    ["the last hour", "2026-10-24T23:30+02:00", "the first", "2026-10-26T00:30+01:00"],
  ])(
    "has a bar for each day of a zone whose clocks change, from %s (%s) to %s (%s)",
    async (_, from, __, to) => {
      const asked = { from: Date.parse(from), to: Date.parse(to), timeZone: "Europe/Berlin" };
      const svg = spendSvg(await reportOf([], { ...asked, groupBy: "day" }));
      const days = [...svg.matchAll(/<title>(\d\S+):/g)].map(([, day]) => day);
      expect(days).toEqual(["2026-10-24", "2026-10-25", "2026-10-26"]);
    },
  );

  it("is drawn of at most 400 days", async () => {
    const drawn = async (days: number) =>
      spendSvg(await reportOf([], { from: NOON, to: NOON + days * DAY_MS, groupBy: "day" }));
    expect(await drawn(399)).toContain("<svg"); // 400 dates
    await expect(drawn(400)).rejects.toThrow("report.to: at most 400 days");
  });

  it("escapes ids, and needs nothing of another place", async () => {
    const org = `<script>alert("&")</script>\u0000`;
    const svg = spendSvg(await reportOf([{ orgId: org }], { org, groupBy: "day" }));
    expect(svg).toContain("&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;: 0.002 USD");
    expect(svg).not.toContain("\u0000");
    expect(svg.match(/https?:[^"]+/g)).toEqual(["http://www.w3.org/2000/svg"]);
  });

  it("is drawn of nothing, too, and not of another grouping", async () => {
    const svg = spendSvg(await reportOf([], { groupBy: "day" }));
    expect(svg).toContain("o1: 0 USD");
    expect(svg).not.toContain("NaN");
    const byModel = await reportOf([]);
    expect(() => spendSvg(byModel)).toThrow(ValidationError);
  });
});
