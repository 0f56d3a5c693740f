import { createToken, type Directory, hashToken, type KeyChain, type Limits } from "tollgate";
import { limits, MAX_REQUESTS, placeOf } from "./traffic.js";

/** Tables of somebody's own: the chain of a key is put together when it is asked for. */
export function directoryOf(chain: (key: number) => KeyChain, tokens: readonly string[] = []): Directory {
  const keyByHash = new Map(tokens.map((token, key) => [hashToken(token), key]));
  return {
    async key(ref) {
      const key =
        "hash" in ref ? keyByHash.get(ref.hash) : Number.parseInt(ref.keyId.slice("key_".length), 36);
      return key === undefined ? undefined : chain(key);
    },
    principal: async () => undefined,
  };
}

/** A key with nine limits over it. */
export function chainOf(key: number): KeyChain {
  const { keyId, projectId, orgId } = placeOf(key);
  return {
    org: { id: orgId, limits: limits() },
    project: { id: projectId, limits: limits() },
    holder: { userId: `user_${key.toString(36)}`, active: true },
    key: { id: keyId, limits: limits() },
  };
}

/** The same, and the key has one request a day. */
export function spentChainOf(key: number): KeyChain {
  const chain = chainOf(key);
  const { rpm: _, ...others } = limits();
  return { ...chain, key: { ...chain.key, limits: { ...others, rpd: 1 } } };
}

/** A key with 1, 3, 6, 9 or 12 limits over it: three at each scope, or four, from the key upwards. */
export function chainWith(count: number, key: number): KeyChain {
  const { keyId, projectId, orgId } = placeOf(key);
  const each: Limits =
    count === 1 ? { rpm: MAX_REQUESTS } : count === 12 ? { ...limits(), rpd: MAX_REQUESTS } : limits();
  return {
    org: { id: orgId, ...(count >= 9 && { limits: each }) },
    project: { id: projectId, ...(count >= 6 && { limits: each }) },
    holder: { userId: `user_${key.toString(36)}`, active: true },
    key: { id: keyId, limits: each },
  };
}

export function tokensOf(keys: number): string[] {
  return Array.from({ length: keys }, () => createToken("sk-tg-"));
}
