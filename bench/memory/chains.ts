import { chainOf } from "../admit/chains.js";
import { callEvery, gateFor } from "../admit/tollgate.js";
import { placeOf } from "../admit/traffic.js";

/** A gate with the chain of every key at hand and the counts of nine limits over each. */
export async function gateOfChains(keys: number): Promise<unknown> {
  const gate = gateFor(chainOf, keys);
  for (let key = 0; key < keys; key++) await callEvery(gate, [{ keyId: placeOf(key).keyId }]);
  return gate;
}
