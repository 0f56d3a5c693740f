import { createGate } from "../../src/gate/gate.js";
import type { GateOptions } from "../../src/gate/options.js";
import type { KeyChain } from "../../src/model/chain.js";
import type { Limits } from "../../src/model/limits.js";
import { directoryOf } from "../../src/testing/directory.js";
import { aKeyChain } from "../../src/testing/key-chain.js";
import { type Caller, callerOf as callerOfChain } from "../../src/testing/replay-step.js";

/** What is said of the scopes of one chain; the ids are always `o`, `p` and `u`. */
export interface ChainLimits {
  readonly org?: Limits;
  readonly project?: Limits;
  readonly member?: Limits;
  readonly key?: Limits;
}

export function chainOf(keyId: string, { org, project, member, key }: ChainLimits): KeyChain {
  return aKeyChain({
    org: { id: "o", limits: org },
    project: { id: "p", limits: project },
    holder: { userId: "u", limits: member },
    key: { id: keyId, limits: key },
  });
}

/** A gate over chains that stand in the test. */
export function gateOver(chains: readonly KeyChain[], options: Omit<GateOptions, "directory">) {
  return createGate({ ...options, directory: directoryOf(...chains) });
}

export function callerOf(keyId: string): Caller {
  return callerOfChain(chainOf(keyId, {}));
}
