/**
 * A gateway in a process of its own, to be killed: it replays a part of a trace, as fast as it can, with its counters in
 * Redis and its ledger in PostgreSQL, and writes down what it was told, a line for each admission and for each settle.
 * Arguments: `<schema> <prefix> <log> <trace> <first call>`
 */
import { openSync, readFileSync, writeSync } from "node:fs";
import pg from "pg";
import { createGate, createLedger, priceCatalog } from "tollgate";
import { postgresLedgerSink } from "tollgate/postgres";
import { directoryOf } from "../../../src/testing/directory.js";
import { parseTrace } from "../../../src/testing/trace.js";
import { connect } from "../../processes/stores.js";
import { DATABASE_URL } from "../../services.js";
import { CHAINS, PRICES } from "./chains.js";

const AT_A_TIME = 8;

const [schema = "", prefix = "", log = "", trace = "", first = "0"] = process.argv.slice(2);
const calls = parseTrace(readFileSync(trace, "utf8"));
const file = openSync(log, "a");
let next = Number(first);

const { counters } = await connect("Redis", prefix);
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 2 });
const gate = createGate({
  counters,
  countersTimeoutMs: 30_000,
  ledger: createLedger({ sink: postgresLedgerSink({ pool, schema }), maxDelayMs: 20 }),
  prices: priceCatalog.of(PRICES),
  directory: directoryOf(...CHAINS),
});

/** A write to a file outlives the process once it is made. */
function note(...words: readonly (string | number)[]): void {
  writeSync(file, `${words.join(" ")}\n`);
}

/** One call after the other, most of them longer than a batch is open. */
async function caller(): Promise<void> {
  for (;;) {
    const number = next++ % calls.length;
    const { inputTokens = 0, outputTokens = 0 } = calls[number] ?? {};
    const keyId = `k${number % CHAINS.length}`;
    const admission = await gate.admit({ keyId }, { model: "m", inputTokens, maxOutputTokens: 2_000 });
    if (!admission.admitted) throw new Error(admission.message);
    const { id } = admission.reservation;
    note("admitted", id, keyId);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
    const settlement = await gate.settle(admission.reservation, { outputTokens });
    if (!settlement.settled) throw new Error(settlement.reason);
    note("settled", id, settlement.charged.costNanoUsd);
    process.stdout.write(".");
  }
}

await Promise.all(Array.from({ length: AT_A_TIME }, caller));
