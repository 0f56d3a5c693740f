import type { Counters } from "../../src/counters/counters.js";
import { memoryCounters } from "../../src/counters/memory.js";
import type { Gate } from "../../src/gate/gate.js";
import { createGate } from "../../src/gate/gate.js";
import type { GateOptions } from "../../src/gate/options.js";
import type { KeyChain } from "../../src/model/chain.js";
import type { Limits } from "../../src/model/limits.js";
import { priceCatalog } from "../../src/pricing/catalog.js";
import { directoryOf } from "../../src/testing/directory.js";
import type { ChainParts } from "../../src/testing/key-chain.js";

/** Friday, 15 May 2026, noon. */
export const NOON = Date.UTC(2026, 4, 15, 12);

export const PRICES = priceCatalog.of({
  "gpt-4o": { inputUsdPerMillion: 2.5, outputUsdPerMillion: 10 },
  "gpt-4o-mini": { inputUsdPerMillion: 0.15, outputUsdPerMillion: 0.6 },
  free: { inputUsdPerMillion: 0, outputUsdPerMillion: 0 },
});

/** One active key of user u1 in project p1 of org o1, with what a test says of it. */
export function aChain(parts: ChainParts = {}): KeyChain {
  return {
    org: { id: "o1", ...parts.org },
    project: { id: "p1", ...parts.project },
    holder: { userId: "u1", active: true, ...parts.holder },
    key: { id: "k1", ...parts.key },
  };
}

/** A chain with limits at the scopes named. */
export function limited(limits: Partial<Record<"org" | "project" | "member" | "key", Limits>>): KeyChain {
  return aChain({
    ...(limits.org && { org: { limits: limits.org } }),
    ...(limits.project && { project: { limits: limits.project } }),
    ...(limits.member && { holder: { limits: limits.member } }),
    ...(limits.key && { key: { limits: limits.key } }),
  });
}

export interface World {
  readonly gate: Gate;
  /** Moves by hand: `clock.at += 1_000`. */
  readonly clock: { at: number; now(): number };
  /** Tokens by key id. */
  readonly tokens: ReadonlyMap<string, string>;
  /** What the directory answers with from now on; chains are cached until `cache.maxAgeMs` has passed. */
  put(chain: KeyChain): void;
}

/** Far more than a server takes that others keep busy; tests of outages say for themselves how long they wait. */
export const COUNTERS_TIMEOUT_MS = 30_000;

/** A gate over chains of a test, on a clock that stands still. */
export function world(chains: readonly KeyChain[] | KeyChain = aChain(), options: GateOptions = {}): World {
  const clock = { at: NOON, now: () => clock.at };
  const directory = directoryOf();
  const tokens = new Map<string, string>();
  const put = (chain: KeyChain) => {
    directory.put(chain);
    tokens.set(chain.key.id, directory.tokenOf(chain.key.id));
  };
  for (const chain of [chains].flat()) put(chain);
  return {
    gate: createGate({
      directory,
      prices: PRICES,
      clock,
      countersTimeoutMs: COUNTERS_TIMEOUT_MS,
      ...options,
    }),
    clock,
    tokens,
    put,
  };
}

/** A world whose counts can be looked at; chains are looked up afresh after a millisecond. */
export function countedWorld(chain: KeyChain, options: GateOptions = {}): World & { dump(): unknown } {
  const counters = memoryCounters();
  const made = world(chain, { counters, cache: { maxAgeMs: 1, maxKeys: 10 }, ...options });
  return { ...made, dump: () => structuredClone(counters.dump()) };
}

/**
 * Counters in memory that answer as those of a store do: by the ordinary way alone.
 *
 * @param reach what happens on the way to them; where it throws for an org, that one is not reached
 */
export function elsewhere(
  reach: (orgId: string) => void = () => {},
  counters: Counters = memoryCounters(),
): Counters {
  const reached = async (orgId: string) => {
    reach(orgId);
    return counters;
  };
  return {
    reserve: async (request) => (await reached(request.orgId)).reserve(request),
    settle: async (request) => (await reached(request.orgId)).settle(request),
    read: async (query) => (await reached(query.orgId)).read(query),
    close: () => counters.close(),
  };
}
