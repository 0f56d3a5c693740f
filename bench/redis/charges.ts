import { type Charge, createGate, type KeyChain, type Limits, memoryCounters, priceCatalog } from "tollgate";
import { directoryOf } from "../admit/chains.js";
import { limits, PRICES, placeOf } from "../admit/traffic.js";

/** What a gate has its counters charge for one call of each key. */
export async function chargesByKey(
  keys: number,
  chain: (key: number) => KeyChain,
): Promise<(readonly Charge[])[]> {
  let charged: readonly Charge[] = [];
  const counters = memoryCounters();
  const gate = createGate({
    directory: directoryOf(chain),
    prices: priceCatalog.of(PRICES),
    counters: {
      inProcess: true,
      reserve: (request) => {
        charged = request.charges;
        return counters.reserve(request);
      },
      settle: (request) => counters.settle(request),
      read: (query) => counters.read(query),
      close: () => counters.close(),
    },
  });
  const [model = ""] = Object.keys(PRICES);
  const all: (readonly Charge[])[] = [];
  for (let key = 0; key < keys; key++) {
    const usage = { model, inputTokens: 1, maxOutputTokens: 1 };
    const admission = await gate.admit({ keyId: placeOf(key).keyId }, usage);
    if (!admission.admitted) throw new Error(admission.message);
    await gate.release(admission.reservation);
    all.push(charged);
  }
  return all;
}

/** The same charges with what a call of so many tokens and nano-USD comes to. */
export function withAmounts(charges: readonly Charge[], tokens: number, cost: number): Charge[] {
  return charges.map((charge) => {
    const { meter } = charge.limit;
    const amount = meter === "tokens" ? tokens : meter === "cost" ? cost : 1;
    return { limit: charge.limit, amount, period: charge.period };
  });
}

const ALL: Limits = { ...limits(), rpd: 1e9 };

/** A key with 1, 3, 6, 9 or 12 limits over it. */
export function chainWith(key: number, count: number): KeyChain {
  const { orgId, projectId, keyId } = placeOf(key);
  const each = count === 12 ? ALL : limits();
  const own = count === 1 ? { rpm: each.rpm } : each;
  return {
    org: { id: orgId, ...(count > 6 && { limits: each }) },
    project: { id: projectId, ...(count > 3 && { limits: each }) },
    holder: { userId: "user_1", active: true },
    key: { id: keyId, limits: own },
  } as KeyChain; // sound: rpm is there
}
