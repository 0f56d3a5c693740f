import type { Pool } from "pg";
import {
  CALLS,
  calls,
  costsMicroUsd,
  MAX_REQUESTS,
  MAX_TOKENS,
  ORDER_LENGTH,
  orderOf,
  placeOf,
} from "../admit/traffic.js";
import { type FlexibleLimiter, flexible } from "../peers.js";
import type { Served } from "../served/served.js";
import { drop, poolWith, schemaOf } from "./server.js";
import { settingFrom } from "./tollgate.js";

const MINUTE_S = 60;
const MONTH_S = 30 * 86_400;

/** Nine consumes of one call, one after the other. */
export function consumeInTurn(parameter: string): Promise<Served> {
  return contender(parameter, "in_turn", async (consumes) => {
    for (const consume of consumes) await consume();
  });
}

/** The same nine at once, over as many connections as are free. */
export function consumeAtOnce(parameter: string): Promise<Served> {
  return contender(parameter, "at_once", async (consumes) => {
    await Promise.all(consumes.map((consume) => consume()));
  });
}

async function contender(
  parameter: string,
  name: string,
  all: (consumes: readonly (() => Promise<unknown>)[]) => Promise<void>,
): Promise<Served> {
  const { keys, durability } = settingFrom(parameter);
  const pool = poolWith(durability);
  const schema = schemaOf(name);
  await drop(pool, schema);
  await pool.query(`CREATE SCHEMA "${schema}"`);
  const requests = await limiterOf(pool, schema, "requests", MAX_REQUESTS, MINUTE_S);
  const tokens = await limiterOf(pool, schema, "tokens", MAX_TOKENS, MINUTE_S);
  const cost = await limiterOf(pool, schema, "cost", MAX_TOKENS, MONTH_S);
  const order = orderOf(keys);
  const points = calls.map((call) => ({
    tokens: call.inputTokens + call.maxOutputTokens,
    cost: costsMicroUsd(call).estimated,
  }));
  let at = 0;
  return {
    async call() {
      at = (at + 1) & (ORDER_LENGTH - 1);
      const place = placeOf(order[at] as number); // sound: masked, and the order holds keys
      const call = points[at & (CALLS - 1)] as (typeof points)[number]; // sound: masked
      const consumes = [place.orgId, place.projectId, place.keyId].flatMap((id) => [
        () => requests.consume(id, 1),
        () => tokens.consume(id, call.tokens),
        () => cost.consume(id, call.cost),
      ]);
      await all(consumes);
    },
    get statements() {
      return pool.statements;
    },
    async close() {
      await drop(pool, schema);
      await pool.end();
    },
  };
}

/** One limiter, its table made. */
async function limiterOf(
  storeClient: Pool,
  schemaName: string,
  tableName: string,
  points: number,
  duration: number,
): Promise<FlexibleLimiter> {
  const { RateLimiterPostgres } = await flexible();
  return new Promise((resolve, reject) => {
    const options = {
      storeClient,
      storeType: "pool",
      schemaName,
      tableName,
      points,
      duration,
      keyPrefix: tableName,
    };
    const limiter: FlexibleLimiter = new RateLimiterPostgres(options, (error) =>
      error ? reject(error) : resolve(limiter),
    );
  });
}
