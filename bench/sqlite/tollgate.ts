import { createGate, priceCatalog, type Reservation } from "tollgate";
import { sqliteCounters } from "tollgate/sqlite";
import { chainOf, directoryOf } from "../admit/chains.js";
import { CALLS, type Call, calls, ORDER_LENGTH, orderOf, PRICES, placeOf } from "../admit/traffic.js";
import type { Served } from "../served/served.js";
import { openFile } from "./file.js";

const KEYS = 10_000;
const DAY_MS = 86_400_000;

/** `admit` under nine limits, answered when it is on the disk. What it opens is settled between the laps. */
export async function admit(): Promise<Served> {
  const { database, close } = openFile();
  let commits = 0;
  const counting = {
    prepare: (sql: string) => database.prepare(sql),
    exec(sql: string) {
      if (sql === "COMMIT") commits++;
      return database.exec(sql);
    },
  };
  const gate = createGate({
    counters: sqliteCounters({ database: counting }),
    directory: directoryOf(chainOf),
    prices: priceCatalog.of(PRICES),
    cache: { maxKeys: KEYS, maxAgeMs: DAY_MS },
    countersTimeoutMs: 60_000,
  });
  const order = orderOf(KEYS);
  let open: Reservation[] = [];
  let at = 0;
  return {
    async call() {
      at = (at + 1) & (ORDER_LENGTH - 1);
      // Sound: both are masked, and the order holds keys.
      const { keyId } = placeOf(order[at] as number);
      const { model, inputTokens, maxOutputTokens } = calls[at & (CALLS - 1)] as Call;
      const admission = await gate.admit({ keyId }, { model, inputTokens, maxOutputTokens });
      if (!admission.admitted) throw new Error(admission.message);
      open.push(admission.reservation);
    },
    async tidy() {
      await Promise.all(open.map((reservation) => gate.settle(reservation, { outputTokens: 100 })));
      open = [];
    },
    get statements() {
      return commits;
    },
    async close() {
      await gate.close();
      close();
    },
  };
}
