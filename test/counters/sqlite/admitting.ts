/**
 * A process that admits calls on a database file and writes down what it was told: before each request what it asks, after
 * the answer that it was answered, and a dot on its output for each call settled.
 * Arguments: `<database> <log> <calls> <most nano-USD>`
 */
import { openSync, writeSync } from "node:fs";
import { sqliteCounters } from "../../../src/counters/sqlite/counters.js";
import { openDatabase } from "../../sqlite/drivers.js";
import { creditLimit } from "./credit.js";

const AT_A_TIME = 8;
const TTL_MS = 3_600_000;

const [path = "", log = "", calls = "", most = ""] = process.argv.slice(2);
const database = openDatabase(path);
database.exec("PRAGMA busy_timeout = 60000"); // for as long as a busy machine's disk may need
const counters = sqliteCounters({ database });
const limit = creditLimit(Number(most));
const file = openSync(log, "a");
let left = Number(calls);

/** A write to a file outlives the process once it is made. */
function note(...words: readonly (string | number)[]): void {
  writeSync(file, `${words.join(" ")}\n`);
}

async function call(): Promise<void> {
  const id = crypto.randomUUID();
  const estimate = 1 + Math.floor(Math.random() * 9);
  const base = { id, orgId: "o1", now: Date.now() };
  note("asked", id, estimate);
  const { outcome } = await counters.reserve({
    ...base,
    ttlMs: TTL_MS,
    charges: [{ limit, amount: estimate }],
  });
  note(outcome, id, estimate);
  if (outcome !== "reserved" || Math.random() < 0.3) return;
  const actual = Math.floor(Math.random() * 2 * estimate);
  note("settling", id, actual);
  await counters.settle({ ...base, now: Date.now(), amounts: [{ limit, amount: actual }] });
  note("settled", id, actual);
  process.stdout.write(".");
}

async function callAfterCall(): Promise<void> {
  while (left-- > 0) {
    await call();
  }
}

await Promise.all(Array.from({ length: AT_A_TIME }, callAfterCall));
