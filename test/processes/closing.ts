/**
 * A process that closes a gate and then has nothing to do: `closing.ts SINK`. It prints what the gate said to that. The
 * sink of its ledger fails, hangs, or takes what it is given. Whatever it need not wait for takes an hour.
 */
import { createGate, createLedger, type LedgerSink, memoryLedgerSink } from "tollgate";
import { sqliteStorage } from "tollgate/sqlite";
import { openDatabase } from "../sqlite/drivers.js";

const HOUR_MS = 3_600_000;

const never = () => new Promise<void>(() => {});
const down = () => {
  throw new Error("down");
};

const SINKS: Readonly<Record<string, LedgerSink>> = {
  fails: { write: down, close: down },
  hangs: { write: never, close: never },
  takes: memoryLedgerSink(),
};

const sink = SINKS[process.argv[2] ?? ""] as LedgerSink; // sound: the test that starts it names one
const ledger = createLedger({
  sink,
  maxDelayMs: HOUR_MS,
  writeTimeoutMs: HOUR_MS,
  retry: { baseMs: HOUR_MS, maxMs: HOUR_MS },
  maxPending: 2,
  whenFull: "block",
  closeTimeoutMs: sink === SINKS.takes ? HOUR_MS : 50,
});
const storage = sqliteStorage({ database: openDatabase() });
const gate = createGate({ storage, ledger, unpriced: "free", countersTimeoutMs: HOUR_MS });
const olga = gate.as({ userId: "olga" });
const { id: orgId } = await olga.orgs.create({ name: "Acme" });
const { id: projectId } = await olga.projects.create({ orgId, name: "Web" });
const { token } = await olga.keys.create({ orgId, projectId });
for (let i = 0; i < 3; i++) {
  const admission = await gate.admit(token, { model: "any" });
  if (admission.admitted) gate.settle(admission.reservation, {}); // the third waits for room
}
const said = await gate.close().then(
  () => "closed",
  (error: Error) => error.message,
);
process.stdout.write(said);
