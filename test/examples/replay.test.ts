import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { argumentsFrom, USAGE, UsageError } from "../../examples/replay/arguments.js";
import { Observed } from "../../examples/replay/observed.js";
import { openOrg } from "../../examples/replay/open-org.js";
import { type ReportInput, report } from "../../examples/replay/report.js";
import { painter } from "../../examples/replay/table.js";
import {
  Audit,
  generateTrace,
  ManualClock,
  parseTrace,
  replay,
  type TraceCall,
  trafficMix,
} from "../../src/testing.js";
import { REAL_HOUR, realHour } from "../testing/hour.js";

const top = resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "tollgate-demo-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the demo as a process of its own. */
function demo(...args: string[]) {
  const command = ["--import", "tsx", "examples/replay/main.ts", ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: top, encoding: "utf8" });
  return { status, stdout, stderr };
}

function traceFile(name: string, lines: readonly string[]): string {
  const file = join(folder, name);
  writeFileSync(file, lines.join("\n"));
  return file;
}

/** What the report is made of, for a trace. */
async function replayed(trace: readonly TraceCall[]): Promise<ReportInput> {
  const startsAt = trace[0]?.at ?? 0;
  const clock = new ManualClock(startsAt);
  const { gate, clients, holders, alerts } = await openOrg(clock);
  const audit = new Audit();
  const observed = new Observed(startsAt);
  const result = await replay({ gate, clock, callers: clients, assign: trafficMix(clients) }, trace, {
    onStep(step) {
      audit.observe(step);
      observed.observe(step);
    },
  });
  await gate.close();
  return { source: "a trace", result, audit: audit.report(), observed, alerts, holders };
}

const plain = painter(false);

describe("the demo", () => {
  it("with --json prints one line of JSON and nothing else, and ends with 0", { timeout: 60_000 }, () => {
    const file = traceFile("good.csv", [
      "TIMESTAMP,ContextTokens,GeneratedTokens",
      "2023-11-16 18:15:46.6805900,374,44",
      "2023-11-16 18:15:50.9951690,396,109",
    ]);
    const { status, stdout, stderr } = demo("--trace", file, "--json", "--seed", "3");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.trimEnd()).not.toContain("\n");
    expect(JSON.parse(stdout)).toMatchObject({
      trace: file,
      seed: 3,
      result: { calls: 2, admitted: 2, refused: 0 },
      audit: { violations: [] },
      alerts: [],
    });
  });

  it("stops at a bad line with its number, and ends with 1", { timeout: 60_000 }, () => {
    const file = traceFile("bad.csv", ["2023-11-16 18:15:46.6805900,374,44", "2023-11-16 18:15:50,many,109"]);
    const { status, stdout, stderr } = demo("--trace", file);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toBe(
      `${file}: line 2: a whole number of tokens, at most 1000000000000, in the second field\n`,
    );
  });

  it("explains itself where an option is not known, and ends with 2", { timeout: 60_000 }, () => {
    const { status, stdout, stderr } = demo("--traces", "x.csv");
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain("--traces");
    expect(stderr).toContain(USAGE);
  });

  it("reads its command line", () => {
    expect(argumentsFrom([])).toEqual({ trace: undefined, seed: 1, json: false, help: false });
    expect(argumentsFrom(["--trace", "a.csv", "--json", "--seed", "42"])).toEqual({
      trace: "a.csv",
      seed: 42,
      json: true,
      help: false,
    });
    for (const args of [["--seed", "many"], ["--seed", "-1"], ["--seed"], ["--json=1"], ["a.csv"]]) {
      expect(() => argumentsFrom(args), args.join(" ")).toThrow(UsageError);
    }
  });
});

describe.each([
  ["of a made-up hour", () => generateTrace()],
  ["of the real hour", realHour],
])("the report %s", (_, traceOf) => {
  it("fits into 100 columns and shows refusals of many reasons, while most calls pass", {
    timeout: 60_000,
  }, async (test) => {
    const input = await replayed(traceOf(test));
    const { calls, admitted, reasons, callers, limits } = input.result;
    expect(admitted / calls).toBeGreaterThan(0.85);
    expect(Object.keys(reasons).sort()).toEqual([
      "budget_exceeded",
      "in_flight_limited",
      "key_expired",
      "model_not_allowed",
      "rate_limited",
      "too_large",
    ]);
    expect(callers).toHaveLength(6);
    expect(new Set(limits.map(({ reading }) => reading.scope))).toEqual(
      new Set(["org", "project", "member", "key"]),
    );
    expect(limits.filter(({ refused }) => refused > 0).length).toBeGreaterThan(7);
    expect(input.alerts.length).toBeGreaterThan(0);
    expect(input.audit).toMatchObject({ limits: 15, violations: [] });
    expect(input.audit.overdrafts).toBeGreaterThan(0);

    const lines = report(input, plain).split("\n");
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(100);
    expect(lines.length).toBeLessThan(110);
  });
});

describe("the report", () => {
  it("says in one line whether the limits held", async () => {
    const input = await replayed(generateTrace({ durationMs: 60_000, load: 0.2 }));
    const lastLines = (audit: ReportInput["audit"]) =>
      report({ ...input, audit }, plain)
        .trimEnd()
        .split("\n")
        .slice(-3);
    const held = { checks: 1234, limits: 5, overdrafts: 0, violations: [] };
    expect(lastLines(held)[1]).toBe("No enforced limit was passed: 1,234 counts of 5 limits checked.");
    expect(lastLines({ ...held, overdrafts: 2 })[1]).toMatch(
      /^No enforced limit was passed, but by 2 recorded overdrafts:/,
    );
    expect(lastLines({ ...held, violations: ["key k rpm"] }).join("\n")).toMatch(
      /passed in silence, 1 time:\n {2}key k rpm\n/,
    );
  });

  it("has colour only where it is asked for", async () => {
    const input = await replayed(generateTrace({ durationMs: 60_000, load: 0.2 }));
    expect(report(input, plain)).not.toContain("\u001b[");
    expect(report(input, painter(true))).toContain("\u001b[");
  });

  it("of one call is as readable as one of thousands", async () => {
    const text = report(await replayed(parseTrace("2023-11-16 18:15:46.680,374,44")), plain);
    expect(text).toContain("1 call of a trace");
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });
});

it("the real hour has 19,366 calls", (test) => {
  expect(realHour(test), REAL_HOUR).toHaveLength(19_366);
});
