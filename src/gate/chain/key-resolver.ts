import * as z from "zod";
import { idSchema } from "../../model/text.js";
import { parse } from "../../model/validation.js";
import type { CachedChain, ChainCache } from "./chain-cache.js";
import { digestOfToken, hashToken } from "./token.js";

/** A key as a caller names it: the token that its client sent, or the key's id. */
export type KeyRef = string | { readonly keyId: string };

const keyRefSchema = z.union([z.string(), z.strictObject({ keyId: idSchema })], {
  error: "a token, or an object with keyId",
});

/** Longer than any token, including signed ones made by others. Not worth a hash. */
const TOKEN_MAX = 8_192;

/** Finds the chain of a key: from token to hash to cache to directory. */
export class KeyResolver {
  readonly #chains: ChainCache;
  /** Whether a text is worth a look-up. */
  readonly mayBeToken: (text: string) => boolean;

  constructor(chains: ChainCache, mayBeToken: (text: string) => boolean) {
    this.#chains = chains;
    this.mayBeToken = (text) => text.length <= TOKEN_MAX && mayBeToken(text);
  }

  /** The chain if it is cached, without waiting. */
  peek(key: KeyRef, now: number): CachedChain | undefined {
    if (typeof key === "string") {
      return key.length <= TOKEN_MAX ? this.#chains.byDigest(digestOfToken(key), now) : undefined;
    }
    const keyId = keyIdAlone(key);
    return keyId === undefined ? undefined : this.#chains.byId(keyId, now);
  }

  /** The chain: from the cache, or else as {@link load} finds it. */
  async find(key: KeyRef, now: number): Promise<CachedChain | undefined> {
    return this.peek(key, now) ?? this.load(key, now);
  }

  /**
   * The chain from the directory, or `undefined` if there is none. A text that cannot be a token, such as one of ours
   * with a wrong checksum, is not looked up.
   *
   * @throws ValidationError if `key` is neither a text nor `{ keyId }`
   */
  async load(key: KeyRef, now: number): Promise<CachedChain | undefined> {
    const ref = parse(keyRefSchema, key, "key");
    if (typeof ref !== "string") return this.#chains.load(ref, now);
    if (!this.mayBeToken(ref)) return undefined;
    return this.#chains.load({ hash: hashToken(ref) }, now);
  }
}

/** Whether the chain was found by a token from before a rotation whose grace period is over. */
export function tokenEnded({ tokenExpiresAt }: CachedChain, now: number): boolean {
  return tokenExpiresAt !== undefined && now >= tokenExpiresAt;
}

/**
 * The key id, if `key` has no other field. {@link KeyResolver.load} refuses a key with others, so the cache must not
 * let it pass.
 */
function keyIdAlone(key: { readonly keyId: string }): string | undefined {
  try {
    for (const field in key) if (field !== "keyId") return undefined;
    const keyId: unknown = key?.keyId;
    return typeof keyId === "string" ? keyId : undefined;
  } catch {
    return undefined; // what a getter threw
  }
}
