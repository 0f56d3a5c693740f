import { type Charge, createGate, memoryCounters, priceCatalog } from "tollgate";
import { scopeLimiters } from "../admit/flexible.js";
import { limits, PRICES, placeOf } from "../admit/traffic.js";
import { draws } from "../random.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** The first of a month, some hours in. */
const START = Date.UTC(2026, 4, 1, 9);

/** Which key calls when: each one to three times, in random order over one minute. */
function callsOf(keys: number): Uint32Array {
  const times = draws(keys, 3, 4);
  const total = times.reduce((sum, more) => sum + more + 1, 0);
  const calls = new Uint32Array(total);
  let at = 0;
  for (let key = 0; key < keys; key++) for (let i = 0; i <= (times[key] ?? 0); i++) calls[at++] = key;
  const swaps = draws(total, 2 ** 32, 5);
  for (let i = total - 1; i > 0; i--) {
    const j = (swaps[i] ?? 0) % (i + 1);
    [calls[i], calls[j]] = [calls[j] ?? 0, calls[i] ?? 0];
  }
  return calls;
}

/**
 * The counts of keys in memory counters: requests and tokens of a minute, a budget of a month. Every call is settled.
 *
 * The counters are asked directly, so that nothing but counts is weighed; what they are asked is what a gate asks them.
 */
export async function tollgateCounts(keys: number): Promise<unknown> {
  const counters = memoryCounters();
  const calls = callsOf(keys);
  const { reserved, settled } = await template();
  for (const [i, key] of calls.entries()) {
    const now = START + Math.floor((i / calls.length) * MINUTE_MS);
    const { orgId, keyId } = placeOf(key);
    const id = `r${i}`;
    await counters.reserve({ id, orgId, now, ttlMs: HOUR_MS, charges: ofKey(reserved, keyId) });
    await counters.settle({ id, orgId, now, amounts: ofKey(settled, keyId) });
  }
  return counters;
}

/** The same number of records in rate-limiter-flexible: three limiters, a record for each key in each. */
export async function flexibleCounts(keys: number): Promise<unknown> {
  const limiters = await scopeLimiters();
  for (const key of callsOf(keys)) {
    const { keyId } = placeOf(key);
    await limiters.requests.consume(keyId, 1);
    await limiters.tokens.consume(keyId, 1500);
    await limiters.cost.consume(keyId, 7_000);
  }
  return limiters;
}

/** The id of the key that {@link template} is made of, in a form that stands nowhere else. */
const TEMPLATE = "key_template";

/** What a gate has its counters charge for one call of a key with three limits, and what for its settle. */
async function template(): Promise<{ reserved: readonly Charge[]; settled: readonly Charge[] }> {
  let reserved: readonly Charge[] = [];
  let settled: readonly Charge[] = [];
  const counters = memoryCounters();
  const gate = createGate({
    directory: { key: async () => chain, principal: async () => undefined },
    prices: priceCatalog.of(PRICES),
    clock: { now: () => START },
    counters: {
      inProcess: true,
      reserve: (request) => {
        reserved = request.charges;
        return counters.reserve(request);
      },
      settle: (request) => {
        settled = request.amounts;
        return counters.settle(request);
      },
      read: (query) => counters.read(query),
      close: () => counters.close(),
    },
  });
  const [model = ""] = Object.keys(PRICES);
  const chain = {
    org: { id: "org_1" },
    project: { id: "project_1" },
    holder: { userId: "user_1", active: true },
    key: { id: TEMPLATE, limits: limits() },
  };
  const admission = await gate.admit({ keyId: TEMPLATE }, { model, inputTokens: 1500, maxOutputTokens: 500 });
  if (!admission.admitted) throw new Error(admission.message);
  await gate.settle(admission.reservation, { inputTokens: 1500, outputTokens: 300 });
  return { reserved, settled };
}

/** The same charges against the limits of another key. */
function ofKey(charges: readonly Charge[], keyId: string): Charge[] {
  return charges.map(({ limit, amount, period }) => {
    const scopeKey = limit.scopeKey.replace(TEMPLATE, keyId);
    return { limit: Object.assign({}, limit, { scopeKey }), amount, period };
  });
}
