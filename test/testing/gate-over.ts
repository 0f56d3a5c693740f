import { createGate } from "../../src/gate/gate.js";
import type { GateOptions } from "../../src/gate/options.js";
import type { KeyChain } from "../../src/model/chain.js";
import type { Limits } from "../../src/model/limits.js";
import type { Caller } from "../../src/testing/replay.js";

/** What is said of the scopes of one chain; the ids are always `o`, `p` and `u`. */
export interface ChainLimits {
  readonly org?: Limits;
  readonly project?: Limits;
  readonly member?: Limits;
  readonly key?: Limits;
}

export function chainOf(keyId: string, limits: ChainLimits): KeyChain {
  return {
    org: { id: "o", limits: limits.org },
    project: { id: "p", limits: limits.project },
    holder: { userId: "u", active: true, limits: limits.member },
    key: { id: keyId, limits: limits.key },
  };
}

/** A gate over chains that stand in the test. */
export function gateOver(chains: readonly KeyChain[], options: Omit<GateOptions, "directory">) {
  const byId = new Map(chains.map((chain) => [chain.key.id, chain]));
  return createGate({
    ...options,
    directory: {
      key: async (ref) => ("keyId" in ref ? byId.get(ref.keyId) : undefined),
      principal: async () => undefined,
    },
  });
}

export function callerOf(keyId: string): Caller {
  return { name: keyId, orgId: "o", projectId: "p", keyId };
}
