import { type Charge, createGate, type KeyChain, memoryCounters, priceCatalog } from "tollgate";
import { directoryOf } from "../admit/chains.js";
import { PRICES, placeOf } from "../admit/traffic.js";

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
