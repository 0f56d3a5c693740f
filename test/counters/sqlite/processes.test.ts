import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sqliteCounters } from "../../../src/counters/sqlite/counters.js";
import { type Bundled, bundled } from "../../processes/bundled.js";
import { driverName, openDatabase, withFile } from "../../sqlite/drivers.js";
import { creditLimit } from "./credit.js";

const KILLS = 10;
const PLENTY = 9_000_000_000_000_000;

let script: Bundled;
beforeAll(async () => {
  script = await bundled(join(import.meta.dirname, "admitting.ts"));
});
afterAll(() => script.remove());

function start(path: string, log: string, calls: number, most: number): ChildProcess {
  const parameters = [path, log, calls, most].map(String);
  return spawn(process.execPath, [script.path, ...parameters], { stdio: ["ignore", "pipe", "inherit"] });
}

/** What is known of one call from what its process wrote down. */
interface Noted {
  estimate: number;
  admitted: boolean;
  /** What it was to be settled as, and whether that was answered. */
  actual?: number;
  settled: boolean;
}

function notes(log: string): Map<string, Noted> {
  const calls = new Map<string, Noted>();
  const text = existsSync(log) ? readFileSync(log, "utf8") : "";
  for (const line of text.split("\n")) {
    const [what, id = "", amount] = line.split(" ");
    const call = calls.get(id) ?? { estimate: Number(amount), admitted: false, settled: false };
    if (what === "reserved") call.admitted = true;
    if (what === "settling") call.actual = Number(amount);
    if (what === "settled") call.settled = true;
    if (what === "asked" || call.admitted) calls.set(id, call);
    if (what === "refused") calls.delete(id);
  }
  return calls;
}

/** The least and the most that a call can have been charged, by what its process was told before it was killed. */
function bounds({ estimate, admitted, actual, settled }: Noted): [least: number, most: number] {
  if (!admitted) return [0, estimate];
  if (actual === undefined) return [estimate, estimate];
  return settled ? [actual, actual] : [Math.min(estimate, actual), Math.max(estimate, actual)];
}

describe(`counters in a file of SQLite, on ${driverName}`, () => {
  it("after each of many kills have charged all that was acknowledged, and at most what was in flight besides", async () => {
    await withFile(async (path) => {
      const log = `${path}.log`;
      const limit = creditLimit(PLENTY);
      const settledHere = new Set<string>();
      for (let kill = 1; kill <= KILLS; kill++) {
        const child = start(path, log, Number.MAX_SAFE_INTEGER, PLENTY);
        // From the first call settled on.
        if (child.stdout) await once(child.stdout, "data");
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 150));
        child.kill("SIGKILL");
        await once(child, "close");

        const database = openDatabase(path);
        const counters = sqliteCounters({ database });
        const calls = notes(log);
        const sums = [...calls.values()].map(bounds);
        const least = sums.reduce((sum, [low]) => sum + low, 0);
        const most = sums.reduce((sum, [, high]) => sum + high, 0);
        const now = Date.now();
        const [reading] = await counters.read({ orgId: "o1", now, charges: [{ limit, amount: 0 }] });
        expect(reading?.used).toBeGreaterThanOrEqual(least);
        expect(reading?.used).toBeLessThanOrEqual(most);
        expect(sums.filter(([low, high]) => low < high).length).toBeLessThanOrEqual(8 * kill);

        const entries = [...calls].reverse();
        const [open] =
          entries.find(
            ([id, { admitted, actual }]) => admitted && actual === undefined && !settledHere.has(id),
          ) ?? [];
        const [done] = entries.find(([, { settled }]) => settled) ?? [];
        const settle = (id = "none") => counters.settle({ id, orgId: "o1", now, amounts: [] });
        expect(await settle(done)).toEqual({ outcome: "already_settled" });
        if (open !== undefined) {
          expect(await settle(open)).toMatchObject({ outcome: "settled" });
          settledHere.add(open);
        }
        database.close();
      }
      expect([...notes(log).values()].filter(({ admitted }) => admitted).length).toBeGreaterThan(KILLS * 5);
    });
  }, 240_000);

  it("that several processes make at once and share admit exactly what the limit allows", async () => {
    await withFile(async (path) => {
      const most = 700;
      const logs = [1, 2, 3, 4].map((n) => `${path}.log${n}`);
      const children = logs.map((log) => start(path, log, 150, most));
      for (const child of children) child.stdout?.resume();
      const exits = await Promise.all(children.map((child) => once(child, "close")));
      expect(exits.map(([code]) => code)).toEqual([0, 0, 0, 0]);

      const admitted = logs.flatMap((log) => [...notes(log).values()]);
      const charged = admitted.reduce((sum, call) => sum + bounds(call)[0], 0);
      const database = openDatabase(path);
      const counters = sqliteCounters({ database });
      const limit = creditLimit(most);
      const [reading] = await counters.read({
        orgId: "o1",
        now: Date.now(),
        charges: [{ limit, amount: 1 }],
      });
      expect(reading?.used).toBe(charged);
      expect(charged).toBeGreaterThan(most - 9);
      // What was settled above its estimate is an overdraft; by estimates nothing was admitted beyond the max.
      const kept = admitted.reduce(
        (sum, { estimate, actual }) => sum + Math.min(estimate, actual ?? estimate),
        0,
      );
      expect(kept).toBeLessThanOrEqual(most);
      database.close();
    });
  }, 120_000);
});
