import { createGate, type Gate, priceCatalog } from "tollgate";
import { postgresCounters } from "tollgate/postgres";
import { chainWith, directoryOf } from "../admit/chains.js";
import { CALLS, type Call, calls, ORDER_LENGTH, orderOf, PRICES, placeOf } from "../admit/traffic.js";
import type { Served } from "../served/served.js";
import { type CountingPool, type Durability, drop, poolWith, schemaOf } from "./server.js";

const DAY_MS = 86_400_000;
const PAGE = 10_000;

/** What a race varies. */
export interface Setting {
  /** Limits over each key: 1, 3, 6, 9 or 12. */
  readonly limits: number;
  readonly keys: number;
  readonly durability: Durability;
}

export function parameterOf({ limits, keys, durability }: Setting): string {
  return `${limits}/${keys}/${durability}`;
}

export function settingFrom(parameter: string): Setting {
  const [limits, keys, durability] = parameter.split("/");
  return { limits: Number(limits), keys: Number(keys), durability: durability === "on" ? "on" : "off" };
}

/** `admit` and `settle` of random keys, whose counts are all there. */
export async function admitAndSettle(parameter: string): Promise<Served> {
  const setting = settingFrom(parameter);
  const pool = poolWith(setting.durability);
  const schema = schemaOf("tollgate");
  const counters = postgresCounters({ pool, schema, reserveWaitMs: 60_000 });
  await drop(pool, schema);
  await counters.migrate();
  const gate = createGate({
    counters,
    directory: directoryOf((key) => chainWith(setting.limits, key)),
    prices: priceCatalog.of(PRICES),
    cache: { maxKeys: setting.keys, maxAgeMs: DAY_MS },
    countersTimeoutMs: 60_000,
  });
  await callKey(gate, 0, calls[0] as Call); // sound: there are CALLS of them
  await countEvery(pool, schema, setting.keys);
  await checkEvery(gate, setting.keys);
  const order = orderOf(setting.keys);
  let at = 0;
  return {
    async call() {
      at = (at + 1) & (ORDER_LENGTH - 1);
      // Sound: both are masked, and the order holds keys.
      await callKey(gate, order[at] as number, calls[at & (CALLS - 1)] as Call);
    },
    get statements() {
      return pool.statements;
    },
    async close() {
      await gate.close();
      await drop(pool, schema);
      await pool.end();
    },
  };
}

async function callKey(gate: Gate, key: number, call: Call): Promise<void> {
  const { model, inputTokens, maxOutputTokens, outputTokens } = call;
  const admission = await gate.admit({ keyId: placeOf(key).keyId }, { model, inputTokens, maxOutputTokens });
  if (!admission.admitted) throw new Error(admission.message);
  const settlement = await gate.settle(admission.reservation, { inputTokens, outputTokens });
  if (!settlement.settled) throw new Error(settlement.reason);
}

/** As many as are under way when it is measured. */
const AT_ONCE = 64;

/** Has the gate find every chain, as one that has been running for a while. A check charges nothing. */
async function checkEvery(gate: Gate, keys: number): Promise<void> {
  const { model, inputTokens, maxOutputTokens } = calls[0] as Call; // sound: there are CALLS of them
  let next = 0;
  const checker = async () => {
    while (next < keys)
      await gate.check({ keyId: placeOf(next++).keyId }, { model, inputTokens, maxOutputTokens });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, checker));
}

/** Makes the counts of every key as copies of those of the first, which would take a call of each otherwise. */
async function countEvery(pool: CountingPool, schema: string, keys: number): Promise<void> {
  const table = `"${schema}".counts`;
  const template = `"${schema}".template`;
  await pool.query(`CREATE TABLE ${template} AS SELECT * FROM ${table}`);
  const { rows } = await pool.query(`SELECT DISTINCT scope FROM ${template}`);
  const first = placeOf(0);
  for (let from = 1; from < keys; from += PAGE) {
    const copies = new Map<string, string>();
    for (let key = from; key < Math.min(keys, from + PAGE); key++) {
      const place = placeOf(key);
      for (const { scope } of rows as { scope: string }[]) {
        // Sound: ids stand between quotes in the name of a scope.
        const copy = scope
          .replace(`"${first.keyId}"`, `"${place.keyId}"`)
          .replace(`"${first.projectId}"`, `"${place.projectId}"`)
          .replace(`"${first.orgId}"`, `"${place.orgId}"`);
        copies.set(copy, scope);
      }
    }
    await pool.query(
      `INSERT INTO ${table} SELECT (jsonb_populate_record(c, jsonb_build_object('scope', n.copy))).*
       FROM unnest($1::text[], $2::text[]) n (copy, scope) JOIN ${template} c ON c.scope = n.scope
       ON CONFLICT DO NOTHING`,
      [[...copies.keys()], [...copies.values()]],
    );
  }
  await pool.query(`VACUUM ANALYZE ${table}`);
}
