import type { Gate } from "../../src/gate/gate.js";
import { createGate } from "../../src/gate/gate.js";
import type { GateOptions } from "../../src/gate/options.js";
import { createToken, hashToken } from "../../src/gate/token.js";
import type { KeyChain } from "../../src/model/chain.js";
import type { Limits } from "../../src/model/limits.js";
import { priceCatalog } from "../../src/pricing/catalog.js";

/** Friday, 15 May 2026, noon. */
export const NOON = Date.UTC(2026, 4, 15, 12);

export const PRICES = priceCatalog.of({
  "gpt-4o": { inputUsdPerMillion: 2.5, outputUsdPerMillion: 10 },
  "gpt-4o-mini": { inputUsdPerMillion: 0.15, outputUsdPerMillion: 0.6 },
  free: { inputUsdPerMillion: 0, outputUsdPerMillion: 0 },
});

/** What a test says of a chain; the rest is one active key of user u1 in project p1 of org o1. */
export interface ChainParts {
  readonly org?: Partial<KeyChain["org"]>;
  readonly project?: Partial<KeyChain["project"]>;
  readonly holder?: Partial<KeyChain["holder"]>;
  readonly key?: Partial<KeyChain["key"]>;
}

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
  readonly tokens: Map<string, string>;
  /** What the directory answers with from now on; chains are cached until `cache.maxAgeMs` has passed. */
  put(chain: KeyChain): void;
}

/** A gate over chains held in a map, on a clock that stands still. */
export function world(chains: readonly KeyChain[] | KeyChain = aChain(), options: GateOptions = {}): World {
  const clock = { at: NOON, now: () => clock.at };
  const byId = new Map<string, KeyChain>();
  const idByHash = new Map<string, string>();
  const tokens = new Map<string, string>();
  const put = (chain: KeyChain) => {
    byId.set(chain.key.id, chain);
    if (tokens.has(chain.key.id)) return;
    const token = createToken("sk-tg-");
    tokens.set(chain.key.id, token);
    idByHash.set(hashToken(token), chain.key.id);
  };
  for (const chain of [chains].flat()) put(chain);
  const directory: GateOptions["directory"] = {
    async key(ref) {
      return byId.get("hash" in ref ? (idByHash.get(ref.hash) ?? "") : ref.keyId);
    },
    async principal(userId, orgId) {
      const chain = [...byId.values()].find((one) => one.org.id === orgId && one.holder.userId === userId);
      if (!chain?.holder.active) return undefined;
      return { userId, orgId, orgRole: "member", projectRoles: { [chain.project.id]: "member" } };
    },
    async scope({ orgId, projectId, userId }) {
      const chain = [...byId.values()].find(
        ({ org, project, holder }) =>
          org.id === orgId &&
          (projectId ?? project.id) === project.id &&
          (userId ?? holder.userId) === holder.userId,
      );
      return chain;
    },
  };
  return { gate: createGate({ directory, prices: PRICES, clock, ...options }), clock, tokens, put };
}
