import { createGate, type Gate, priceCatalog } from "tollgate";
import { redisCounters } from "tollgate/redis";
import { chainOf, chainWith, directoryOf } from "../admit/chains.js";
import type { ScopeLimiters } from "../admit/flexible.js";
import {
  CALLS,
  calls,
  MAX_REQUESTS,
  MAX_TOKENS,
  ORDER_LENGTH,
  orderOf,
  PRICES,
  placeOf,
} from "../admit/traffic.js";
import { bareScripts } from "./bare.js";
import { chargesByKey, withAmounts } from "./charges.js";
import type { BenchClient } from "./clients.js";
import { PREFIX } from "./server.js";

export const NAMES = [
  "incr",
  "evalsha",
  "bare",
  "at-once",
  "in-turn",
  "pair",
  "reserve",
  "settle",
  "gate",
] as const;
export type Name = (typeof NAMES)[number];

/** One call at a time of a contender. It rejects where the answer is not what it should be. */
export interface Caller {
  call(): Promise<void>;
  /** Gets ready for so many calls, off the clock. */
  prepare?(times: number): Promise<void>;
}

export async function callerOf(
  name: Name,
  client: BenchClient,
  keys: number,
  limits: number,
): Promise<Caller> {
  switch (name) {
    case "incr":
      return { call: async () => void (await client.incr(`${PREFIX}incr`)) };
    case "evalsha": {
      const sha1 = await client.load("return 1");
      return { call: async () => void (await client.evalsha(sha1, [`${PREFIX}evalsha`])) };
    }
    case "bare": {
      const [once, next] = [await bareScripts(client), keysInOrder(keys)];
      await inParallel(keys, (key) => once(key, 1, 1));
      return {
        call: () => {
          const { key, tokens, cost } = next();
          return once(key, tokens, cost);
        },
      };
    }
    case "at-once":
    case "in-turn":
      return flexibleCaller(client, keys, name === "at-once");
    case "gate":
      return gateCaller(client, keys);
    default:
      return countersCaller(client, keys, limits, name);
  }
}

/** Nine consumes of one call, each a round trip of its own. */
async function flexibleCaller(client: BenchClient, keys: number, atOnce: boolean): Promise<Caller> {
  const limiters: ScopeLimiters[] = [];
  for (const scope of ["o", "p", "k"]) {
    const limiter = (meter: string, points: number, duration: number) =>
      client.limiter({ points, duration, keyPrefix: `${PREFIX}flexible-${scope}${meter}` });
    limiters.push({
      requests: await limiter("r", MAX_REQUESTS, 60),
      tokens: await limiter("t", MAX_TOKENS, 60),
      cost: await limiter("c", MAX_TOKENS, 30 * 86_400),
    });
  }
  const next = keysInOrder(keys);
  return {
    async call() {
      const { key, tokens, cost } = next();
      const { orgId, projectId, keyId } = placeOf(key);
      const consumes = limiters.flatMap(({ requests, tokens: tokenLimiter, cost: costLimiter }, scope) => {
        const id = [orgId, projectId, keyId][scope] ?? "";
        return [
          () => requests.consume(id, 1),
          () => tokenLimiter.consume(id, tokens),
          () => costLimiter.consume(id, cost),
        ];
      });
      if (atOnce) await Promise.all(consumes.map((consume) => consume()));
      else for (const consume of consumes) await consume();
    },
  };
}

/** `reserve` and `settle` of the counters: one after the other, or each alone. */
async function countersCaller(
  client: BenchClient,
  keys: number,
  limits: number,
  what: "pair" | "reserve" | "settle",
): Promise<Caller> {
  const counters = redisCounters({ client: client.client, prefix: `${PREFIX}${what}:` });
  const next = keysInOrder(keys);
  const chargesOfKey = await chargesByKey(keys, (key) => chainWith(limits, key));
  const nonce = `${process.pid.toString(36)}${Date.now().toString(36)}`;
  let made = 0;
  const reserve = async () => {
    const { key, tokens, cost } = next();
    const charges = chargesOfKey[key] ?? [];
    const { orgId } = placeOf(key);
    const id = `rsv_${nonce}_${(made++).toString(36)}`;
    const request = {
      id,
      orgId,
      now: Date.now(),
      ttlMs: 3_600_000,
      charges: withAmounts(charges, tokens, cost),
    };
    const { outcome } = await counters.reserve(request);
    if (outcome !== "reserved") throw new Error(`reserve: ${outcome}`);
    return { id, orgId, amounts: withAmounts(charges, tokens >> 1, cost >> 1) };
  };
  type Open = Awaited<ReturnType<typeof reserve>>;
  const settle = async (open: Open) => {
    const { outcome } = await counters.settle({ ...open, now: Date.now() });
    if (outcome !== "settled") throw new Error(`settle: ${outcome}`);
  };
  // The counts of every key, or nearly, are there before anything is measured.
  await inParallel(keys, async () => settle(await reserve()));
  if (what === "reserve") return { call: async () => void (await reserve()) };
  if (what === "pair") return { call: async () => settle(await reserve()) };
  const open: Open[] = [];
  return {
    prepare: (times) =>
      inParallel(Math.max(0, times - open.length), async () => {
        open.push(await reserve());
      }),
    call: async () => {
      const one = open.pop();
      if (one !== undefined) await settle(one);
      else throw new Error("no reservation is left to settle");
    },
  };
}

/** `gate.admit` and `gate.settle` by key id, every chain at hand. */
async function gateCaller(client: BenchClient, keys: number): Promise<Caller> {
  const gate: Gate = createGate({
    directory: directoryOf(chainOf),
    prices: priceCatalog.of(PRICES),
    cache: { maxKeys: keys, maxAgeMs: 86_400_000 },
    counters: redisCounters({ client: client.client, prefix: `${PREFIX}gate:` }),
  });
  const next = keysInOrder(keys);
  const admitAndSettle = async (key: number, call: (typeof calls)[number]) => {
    const { model, inputTokens, maxOutputTokens, outputTokens } = call;
    const admission = await gate.admit(
      { keyId: placeOf(key).keyId },
      { model, inputTokens, maxOutputTokens },
    );
    if (!admission.admitted) throw new Error(admission.message);
    const { settled } = await gate.settle(admission.reservation, { inputTokens, outputTokens });
    if (!settled) throw new Error("not settled");
  };
  const [first] = calls;
  if (first) await inParallel(keys, (key) => admitAndSettle(key, first));
  return {
    call: () => {
      const { key, call } = next();
      return admitAndSettle(key, call);
    },
  };
}

/** Key after key in an order that is the same for all, each with its call. */
function keysInOrder(keys: number) {
  const order = orderOf(keys);
  let at = 0;
  return () => {
    at = (at + 1) & (ORDER_LENGTH - 1);
    const call = calls[at & (CALLS - 1)] as (typeof calls)[number]; // sound: masked, as is the place in the order
    const tokens = call.inputTokens + call.maxOutputTokens;
    return { key: order[at] as number, call, tokens, cost: tokens * 7 };
  };
}

const AT_ONCE = 64;

async function inParallel(times: number, once: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < times) await once(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
