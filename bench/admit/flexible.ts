import type { Contender } from "../contender.js";
import { type FlexibleLimiter, flexible } from "../peers.js";
import {
  CALLS,
  calls,
  costsMicroUsd,
  type KeyPlace,
  MAX_REQUESTS,
  MAX_TOKENS,
  ORDER_LENGTH,
  orderOf,
  placeOf,
} from "./traffic.js";

const MINUTE_S = 60;
const DAY_S = 86_400;

/** Not 30 days: its in-memory records end by `setTimeout`, which takes at most 24.8 days and fires at once above that. */
const MONTH_S = 24 * DAY_S;

/** Nine consumes of one call, one after the other, as sequential code has them. */
export async function consumeInTurn(keys: number): Promise<Contender> {
  const [org, project, key] = [await scopeLimiters(), await scopeLimiters(), await scopeLimiters()];
  const next = callers(keys);
  return {
    answer: "yes",
    async batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        const { orgId, projectId, keyId, tokens, cost } = next();
        await org.requests.consume(orgId, 1);
        await org.tokens.consume(orgId, tokens);
        await org.cost.consume(orgId, cost);
        await project.requests.consume(projectId, 1);
        await project.tokens.consume(projectId, tokens);
        await project.cost.consume(projectId, cost);
        await key.requests.consume(keyId, 1);
        await key.tokens.consume(keyId, tokens);
        const last = await key.cost.consume(keyId, cost);
        if (last.remainingPoints > 0) yes++;
      }
      return yes;
    },
  };
}

/** The same nine at once. */
export async function consumeAtOnce(keys: number): Promise<Contender> {
  const [org, project, key] = [await scopeLimiters(), await scopeLimiters(), await scopeLimiters()];
  const next = callers(keys);
  return {
    answer: "yes",
    async batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        const { orgId, projectId, keyId, tokens, cost } = next();
        const states = await Promise.all([
          org.requests.consume(orgId, 1),
          org.tokens.consume(orgId, tokens),
          org.cost.consume(orgId, cost),
          project.requests.consume(projectId, 1),
          project.tokens.consume(projectId, tokens),
          project.cost.consume(projectId, cost),
          key.requests.consume(keyId, 1),
          key.tokens.consume(keyId, tokens),
          key.cost.consume(keyId, cost),
        ]);
        if (states[8].remainingPoints > 0) yes++;
      }
      return yes;
    },
  };
}

/** The best case of a refusal: the limiter that is short is asked first and alone. */
export async function refused(keys: number): Promise<Contender> {
  const limiter = await limiterOf(1, DAY_S);
  const next = callers(keys);
  for (let key = 0; key < keys; key++) await limiter.consume(placeOf(key).keyId, 1);
  return {
    answer: "no",
    async batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        try {
          await limiter.consume(next().keyId, 1);
          yes++;
        } catch {
          // Refused, as it should be.
        }
      }
      return yes;
    },
  };
}

export interface ScopeLimiters {
  readonly requests: FlexibleLimiter;
  readonly tokens: FlexibleLimiter;
  readonly cost: FlexibleLimiter;
}

/** One limiter per meter: requests and tokens of a minute, micro-USD of a month. */
export async function scopeLimiters(): Promise<ScopeLimiters> {
  return {
    requests: await limiterOf(MAX_REQUESTS, MINUTE_S),
    tokens: await limiterOf(MAX_TOKENS, MINUTE_S),
    cost: await limiterOf(MAX_TOKENS, MONTH_S),
  };
}

/** Without a prefix, which spares it a new string per consume. */
async function limiterOf(points: number, durationS: number): Promise<FlexibleLimiter> {
  const { RateLimiterMemory } = await flexible();
  return new RateLimiterMemory({ points, duration: durationS, keyPrefix: "" });
}

/** Key after key in the order of the race, each with what its call is estimated at. */
function callers(keys: number) {
  const order = orderOf(keys);
  const places = Array.from({ length: keys }, (_, key) => placeOf(key));
  const estimates = calls.map((call) => ({
    tokens: call.inputTokens + call.maxOutputTokens,
    cost: costsMicroUsd(call).estimated,
  }));
  let at = 0;
  return () => {
    at = (at + 1) & (ORDER_LENGTH - 1);
    // Sound: both are masked, and the order holds places in `places`.
    const { orgId, projectId, keyId } = places[order[at] as number] as KeyPlace;
    const { tokens, cost } = estimates[at & (CALLS - 1)] as (typeof estimates)[number];
    return { orgId, projectId, keyId, tokens, cost };
  };
}
