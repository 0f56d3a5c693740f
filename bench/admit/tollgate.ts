import {
  createGate,
  createLedger,
  type Gate,
  type KeyChain,
  type KeyRef,
  type Ledger,
  priceCatalog,
  type Reservation,
  type Usage,
} from "tollgate";
import { toResponse } from "tollgate/http";
import type { Batch, Contender } from "../contender.js";
import { chainOf, directoryOf, spentChainOf, tokensOf } from "./chains.js";
import { CALLS, type Call, calls, limits, ORDER_LENGTH, orderOf, PRICES, placeOf } from "./traffic.js";

const DAY_MS = 86_400_000;

/** As of a gateway with 1,000 calls a second of ten seconds each. */
const OPEN = 10_000;

/** `admit` and `settle` by key id, every chain at hand. */
export async function admitById(keys: number): Promise<Contender> {
  const gate = gateFor(chainOf, keys);
  const ids = idsOf(keys);
  await callEvery(gate, ids.map(refOf));
  return { answer: "yes", batch: admitAndSettle(gate, callers(ids, refOf)) };
}

/** The same by token: what a client sends, hashed on every call. */
export async function admitByToken(keys: number): Promise<Contender> {
  const tokens = tokensOf(keys);
  const gate = gateFor(chainOf, keys, tokens);
  await callEvery(gate, tokens);
  return {
    answer: "yes",
    batch: admitAndSettle(
      gate,
      callers(tokens, (token) => token),
    ),
  };
}

/** By key id, of keys in the gate's own storage: when they were last used is kept too. */
export async function admitOverStorage(keys: number): Promise<Contender> {
  const gate = createGate({ prices: priceCatalog.of(PRICES), cache: { maxKeys: keys, maxAgeMs: DAY_MS } });
  await createKeys(gate, keys);
  const ids = idsOf(keys);
  await callEvery(gate, ids.map(refOf));
  return { answer: "yes", batch: admitAndSettle(gate, callers(ids, refOf)) };
}

/** By key id, each call with a request id of its own. */
export function admitWithRequestId(keys: number): Promise<Contender> {
  let calls = 0;
  return admitWith(keys, ({ model, inputTokens, maxOutputTokens }) => {
    return { model, inputTokens, maxOutputTokens, requestId: `request-${calls++}` };
  });
}

/** By key id, on the customer's own provider key: the budgets are charged nothing. */
export function admitByok(keys: number): Promise<Contender> {
  return admitWith(keys, ({ model, inputTokens, maxOutputTokens }) => {
    return { model, inputTokens, maxOutputTokens, byok: true };
  });
}

/** The race by key id has a loop of its own: a function for what is used would make its calls a seventh longer. */
async function admitWith(keys: number, usage: (call: Call) => Usage): Promise<Contender> {
  const gate = gateFor(chainOf, keys);
  const ids = idsOf(keys);
  const next = callers(ids, refOf);
  await callEvery(gate, ids.map(refOf));
  return {
    answer: "yes",
    async batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        const { key, call } = next();
        const admission = await gate.admit(key, usage(call));
        if (!admission.admitted) continue;
        const settlement = await gate.settle(admission.reservation, actualOf(call));
        if (settlement.settled) yes++;
      }
      return yes;
    },
  };
}

/** By key id, while {@link OPEN} other calls are under way: streams of LLM calls take seconds to minutes. */
export async function admitWhileOpen(keys: number): Promise<Contender> {
  const gate = gateFor(chainOf, keys);
  const ids = idsOf(keys);
  const next = callers(ids, refOf);
  await callEvery(gate, ids.map(refOf));
  const open: { readonly reservation: Reservation; readonly call: Call }[] = [];
  let oldest = 0;
  return {
    answer: "yes",
    async batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        const { key, call } = next();
        const admission = await gate.admit(key, usageOf(call));
        if (!admission.admitted) continue;
        const ended = open[oldest];
        open[oldest] = { reservation: admission.reservation, call };
        oldest = (oldest + 1) % OPEN;
        const settlement = ended && (await gate.settle(ended.reservation, actualOf(ended.call)));
        if (settlement === undefined || settlement.settled) yes++;
      }
      return yes;
    },
  };
}

/** The same of a key whose chain is not at hand: it has to be asked for, checked and compiled. */
export async function admitFirst(keys: number): Promise<Contender> {
  const gate = gateFor(chainOf, 1);
  return { answer: "yes", batch: admitAndSettle(gate, callers(idsOf(keys), refOf)) };
}

/** By key id, with a ledger whose sink takes everything: what recording a call takes of the processor. */
export async function admitWithLedger(keys: number): Promise<Contender> {
  const ledger = createLedger({ sink: async () => {} });
  const gate = gateFor(chainOf, keys, [], ledger);
  const ids = idsOf(keys);
  await callEvery(gate, ids.map(refOf));
  // The batching device is loaded from a file; no round here waits for anything of the kind.
  await ledger.flush();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const batch = admitAndSettle(gate, callers(ids, refOf));
  return {
    answer: "yes",
    // What a batch leaves pending is part of its cost.
    async batch(times) {
      const yes = await batch(times);
      await ledger.flush();
      if (ledger.status().dropped > 0) throw new Error("the ledger could not keep up");
      return yes;
    },
  };
}

/** The same with the header fields of the answer, in OpenAI's manner. */
export async function admitWithHeaders(keys: number): Promise<Contender> {
  const gate = gateFor(chainOf, keys);
  const ids = idsOf(keys);
  const next = callers(ids, refOf);
  await callEvery(gate, ids.map(refOf));
  return {
    answer: "yes",
    async batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        const { key, call } = next();
        const admission = await gate.admit(key, usageOf(call));
        if (!admission.admitted) continue;
        const { headers } = toResponse(admission, { profile: "openai" });
        const settlement = await gate.settle(admission.reservation, actualOf(call));
        if (settlement.settled && "x-ratelimit-remaining-tokens" in headers) yes++;
      }
      return yes;
    },
  };
}

/** `check`: the answer of `admit`, and nothing charged. */
export async function check(keys: number): Promise<Contender> {
  const gate = gateFor(chainOf, keys);
  const ids = idsOf(keys);
  const next = callers(ids, refOf);
  await callEvery(gate, ids.map(refOf));
  return {
    answer: "yes",
    async batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        const { key, call } = next();
        const admission = await gate.check(key, usageOf(call));
        if (admission.admitted) yes++;
      }
      return yes;
    },
  };
}

/** `admit` that answers `rate_limited`: the key has had its one request of the day. */
export async function refused(keys: number): Promise<Contender> {
  const gate = gateFor(spentChainOf, keys);
  const ids = idsOf(keys);
  const next = callers(ids, refOf);
  await callEvery(gate, ids.map(refOf), 1);
  return {
    answer: "no",
    async batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        const { key, call } = next();
        const admission = await gate.admit(key, usageOf(call));
        if (admission.admitted || admission.reason !== "rate_limited" || !admission.retryAfterMs) yes++;
      }
      return yes;
    },
  };
}

/**
 * A gate with defaults but for its cache: chains are kept for a day, so that no race meets a reload. What a chain that
 * is not at hand costs is a race of its own.
 */
export function gateFor(
  chain: (key: number) => KeyChain,
  maxKeys: number,
  tokens?: readonly string[],
  ledger?: Ledger,
): Gate {
  return createGate({
    ledger,
    directory: directoryOf(chain, tokens),
    prices: priceCatalog.of(PRICES),
    cache: { maxKeys, maxAgeMs: DAY_MS },
  });
}

/** Keys as {@link chainOf} has them. */
async function createKeys(gate: Gate, keys: number): Promise<void> {
  const olga = gate.as({ userId: "olga" });
  let [lastOrg, lastProject] = ["", ""];
  for (let key = 0; key < keys; key++) {
    const { keyId, projectId, orgId } = placeOf(key);
    if (orgId !== lastOrg) await olga.orgs.create({ id: orgId, name: orgId, limits: limits() });
    if (projectId !== lastProject) {
      await olga.projects.create({ orgId, id: projectId, name: projectId, limits: limits() });
    }
    await olga.keys.create({ orgId, projectId, id: keyId, limits: limits() });
    [lastOrg, lastProject] = [orgId, projectId];
  }
}

/**
 * Two calls of every key, by default: after the first its chain is at hand and its counts are there, after the second it is known
 * where they are.
 */
export async function callEvery(gate: Gate, keys: readonly KeyRef[], times = 2): Promise<void> {
  const call = calls[0] as Call; // sound: there are CALLS of them
  for (let i = 0; i < times; i++) {
    for (const key of keys) {
      const admission = await gate.admit(key, usageOf(call));
      if (!admission.admitted) throw new Error(admission.message);
      await gate.settle(admission.reservation, actualOf(call));
    }
  }
}

function admitAndSettle(gate: Gate, next: () => { readonly key: KeyRef; readonly call: Call }): Batch {
  return async (times) => {
    let yes = 0;
    for (let i = 0; i < times; i++) {
      const { key, call } = next();
      const admission = await gate.admit(key, usageOf(call));
      if (!admission.admitted) continue;
      const settlement = await gate.settle(admission.reservation, actualOf(call));
      if (settlement.settled) yes++;
    }
    return yes;
  };
}

/** Key after key in the order of the race, each with its call. */
function callers(names: readonly string[], refOf: (name: string) => KeyRef) {
  const order = orderOf(names.length);
  let at = 0;
  return () => {
    at = (at + 1) & (ORDER_LENGTH - 1);
    // Sound: both are masked, and the order holds places in `names`.
    return { key: refOf(names[order[at] as number] as string), call: calls[at & (CALLS - 1)] as Call };
  };
}

/** New for each call, as a gateway makes it of a request. */
function usageOf({ model, inputTokens, maxOutputTokens }: Call) {
  return { model, inputTokens, maxOutputTokens };
}

function actualOf({ inputTokens, outputTokens }: Call) {
  return { inputTokens, outputTokens };
}

function refOf(keyId: string): KeyRef {
  return { keyId };
}

function idsOf(keys: number): string[] {
  return Array.from({ length: keys }, (_, key) => placeOf(key).keyId);
}
