/**
 * A process that calls as fast as it can, until it is killed: `hammer.ts STORE NAME FILE`. What is admitted is on record in
 * the file before anything else happens, so that a kill at any moment loses no admission from the record.
 */
import { appendFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { createGate, type KeyChain } from "tollgate";
import { HAMMER_CHAIN, HAMMER_USAGE } from "./hammer-traffic.js";
import { connect, type StoreName } from "./stores.js";

const [store, name = "", file = ""] = process.argv.slice(2);
const { counters } = await connect(store as StoreName, name); // sound: the test that starts it gives one
const chain: KeyChain = HAMMER_CHAIN;
const gate = createGate({
  counters,
  countersTimeoutMs: 10_000,
  directory: { key: async () => chain, principal: async () => undefined },
});
process.send?.("ready");

/** So that the limits are reached after seconds, while processes come and go. */
const PAUSE_MAX_MS = 200;

/** One caller after the other: every third call goes on when the process ends, the rest are settled as they were reserved. */
async function call(): Promise<void> {
  for (let turn = 0; ; turn++) {
    await setTimeout(Math.random() * PAUSE_MAX_MS);
    const admission = await gate.admit({ keyId: chain.key.id }, HAMMER_USAGE);
    appendFileSync(file, admission.admitted ? `${admission.reservation.reservedAt}\n` : "refused\n");
    if (admission.admitted && turn % 3 !== 0) await gate.settle(admission.reservation, {});
  }
}

await Promise.all(Array.from({ length: 8 }, call));
