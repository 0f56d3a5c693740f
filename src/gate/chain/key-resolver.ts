import * as z from "zod";
import { idSchema } from "../../model/text.js";
import { parse } from "../../model/validation.js";
import type { CachedChain, ChainCache } from "./chain-cache.js";
import { digestOfToken, hashToken } from "./token.js";

/** A key as a caller names it: the token that its client sent, or the id. */
export type KeyRef = string | { readonly keyId: string };

const keyRefSchema = z.union([z.string(), z.strictObject({ keyId: idSchema })], {
  error: "a token, or an object with keyId",
});

/** Longer than any token, signed ones of others included: not worth a hash. */
const TOKEN_MAX = 8_192;

/** Finds the chain of a key: token, hash, cache, directory. */
export class KeyResolver {
  readonly #chains: ChainCache;
  /** Tells what is not worth a look-up. */
  readonly mayBeToken: (text: string) => boolean;

  constructor(chains: ChainCache, mayBeToken: (text: string) => boolean) {
    this.#chains = chains;
    this.mayBeToken = (text) => text.length <= TOKEN_MAX && mayBeToken(text);
  }

  /** The chain where it is at hand, without waiting. */
  peek(key: KeyRef, now: number): CachedChain | undefined {
    if (typeof key === "string") {
      return key.length <= TOKEN_MAX ? this.#chains.byDigest(digestOfToken(key), now) : undefined;
    }
    const keyId = keyIdAlone(key);
    return keyId === undefined ? undefined : this.#chains.byId(keyId, now);
  }

  /** The chain: the one at hand, else as {@link load}. */
  async find(key: KeyRef, now: number): Promise<CachedChain | undefined> {
    return this.peek(key, now) ?? this.load(key, now);
  }

  /**
   * The chain from the directory; undefined where there is none. What cannot be a token, such as one of ours whose checksum is
   * wrong, is not looked up.
   *
   * @throws ValidationError where `key` is neither a text nor `{ keyId }`
   */
  async load(key: KeyRef, now: number): Promise<CachedChain | undefined> {
    const ref = parse(keyRefSchema, key, "key");
    if (typeof ref !== "string") return this.#chains.load(ref, now);
    if (!this.mayBeToken(ref)) return undefined;
    return this.#chains.load({ hash: hashToken(ref) }, now);
  }
}

/** Whether the token that a chain was found by is one from before a rotation whose grace period is over. */
export function tokenEnded({ tokenExpiresAt }: CachedChain, now: number): boolean {
  return tokenExpiresAt !== undefined && now >= tokenExpiresAt;
}

/** The key id, where `key` has no other field: {@link KeyResolver.load} refuses such a key, and the cache must not let it pass. */
function keyIdAlone(key: { readonly keyId: string }): string | undefined {
  try {
    for (const field in key) if (field !== "keyId") return undefined;
    const keyId: unknown = key?.keyId;
    return typeof keyId === "string" ? keyId : undefined;
  } catch {
    return undefined; // what a getter threw
  }
}
