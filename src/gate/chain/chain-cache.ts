import { isDeepStrictEqual } from "node:util";
import { CompiledChain } from "../../admission/compiled-chain.js";
import type { LimitCache } from "../../admission/limit-cache.js";
import type { LimitShapes } from "../../admission/limit-shape.js";
import { type KeyChain, keyChainSchema } from "../../model/chain.js";
import { parse } from "../../model/validation.js";
import { type LatestUsed, latestUsed } from "../latest-used.js";
import type { Directory } from "./directory.js";
import { type KeyInUse, NO_EPOCH } from "./last-used.js";
import { digestOfHash } from "./token.js";

/**
 * Says whether chains are out of date. All chains of an org share one stamp, so a write to the org reaches them all at
 * once.
 */
interface Stamp {
  stale: boolean;
}

/**
 * A chain as it was loaded by its key id or by a token hash, and how fresh it is. It is one object, since each further
 * object costs a call a memory access.
 */
export class CachedChain extends CompiledChain implements KeyInUse {
  /** When the token it was found by stops working, if that is one from before a rotation. */
  readonly tokenExpiresAt: number | undefined;
  loadedAt: number;
  stamp: Stamp;
  /**
   * A second (its number since 1970) throughout which the chain is known to be fresh. Calls within it need no other
   * check of its age.
   */
  freshIn = -1;
  usePlace = 0;
  useEpoch = NO_EPOCH;

  constructor(
    chain: KeyChain,
    { shapes, limitCache }: Compiling,
    tokenExpiresAt: number | undefined,
    stamp: Stamp,
    loadedAt: number,
  ) {
    super(chain, shapes, limitCache);
    this.tokenExpiresAt = tokenExpiresAt;
    this.stamp = stamp;
    this.loadedAt = loadedAt;
  }

  /** Notes that it was loaded again and is unchanged, so that what calls have computed from it is kept. */
  renew(stamp: Stamp, loadedAt: number): void {
    this.stamp = stamp;
    this.loadedAt = loadedAt;
    this.freshIn = -1;
  }
}

/** What chains are compiled with. */
interface Compiling {
  readonly shapes: LimitShapes;
  readonly limitCache: LimitCache;
}

/**
 * How often a load starts again because something was written meanwhile. After that its answer is used but not kept.
 */
const RELOADS_MAX = 3;

/**
 * How long calls join a load under way. A longer one may have lost its connection and never end, so later calls start
 * another.
 */
const JOINED_MS = 1_000;

interface Load {
  readonly writes: number;
  /** When it began, by `performance.now()`. */
  readonly since: number;
  readonly entry: Promise<CachedChain | undefined>;
}

/**
 * The chains of the keys in use, by key id and by token hash.
 *
 * INVARIANT: a look-up that starts after {@link forgetOrg} returned never sees what was there before it.
 */
export class ChainCache {
  readonly #directory: Directory;
  readonly #compiling: Compiling;
  readonly #maxAgeMs: number;
  readonly #byId: LatestUsed<CachedChain>;
  readonly #byDigest: LatestUsed<CachedChain>;
  readonly #stamps: LatestUsed<Stamp>;
  readonly #loads = new Map<string, Load>();
  #writes = 0;

  constructor(directory: Directory, compiling: Compiling, options: { maxKeys: number; maxAgeMs: number }) {
    this.#directory = directory;
    this.#compiling = compiling;
    this.#maxAgeMs = options.maxAgeMs;
    this.#byId = latestUsed(options.maxKeys);
    this.#byDigest = latestUsed(options.maxKeys);
    // When a stamp drops out, `forgetOrg` can no longer reach the chains that share it, so they count as out of date.
    this.#stamps = latestUsed(options.maxKeys, (stamp) => {
      stamp.stale = true;
    });
  }

  /** The cached chain of a key id, if there is one. */
  byId(keyId: string, now: number): CachedChain | undefined {
    return atHand(this.#byId, keyId, this.#maxAgeMs, now);
  }

  /** The cached chain of a token, by `digestOfToken`, if there is one. */
  byDigest(digest: string, now: number): CachedChain | undefined {
    return atHand(this.#byDigest, digest, this.#maxAgeMs, now);
  }

  /**
   * The chain of a key id or a token hash from the directory. Concurrent loads of the same chain are one.
   */
  async load(
    ref: { readonly hash: string } | { readonly keyId: string },
    now: number,
  ): Promise<CachedChain | undefined> {
    const name = "hash" in ref ? `hash ${ref.hash}` : `id ${ref.keyId}`;
    const running = this.#loads.get(name);
    const since = performance.now();
    if (running && running.writes === this.#writes && since - running.since < JOINED_MS) return running.entry;
    const load = { writes: this.#writes, since, entry: this.#load(ref, now) };
    this.#loads.set(name, load);
    try {
      return await load.entry;
    } finally {
      if (this.#loads.get(name) === load) this.#loads.delete(name);
    }
  }

  /** Marks everything known of an org as out of date. */
  forgetOrg(orgId: string): void {
    this.#writes++;
    this.#stamps.delete(orgId);
  }

  /** The same for all orgs. */
  clear(): void {
    this.#writes++;
    this.#stamps.clear();
  }

  async #load(
    ref: { readonly hash: string } | { readonly keyId: string },
    now: number,
  ): Promise<CachedChain | undefined> {
    for (let reloads = 0; ; reloads++) {
      const writes = this.#writes;
      const found = await this.#directory.key(ref);
      if (writes !== this.#writes && reloads < RELOADS_MAX) continue;
      const [cache, name] =
        "hash" in ref ? [this.#byDigest, digestOfHash(ref.hash)] : [this.#byId, ref.keyId];
      if (found === undefined) {
        cache.delete(name); // Otherwise a clock that is set back would make the old chain look fresh.
        return undefined;
      }
      const chain = parse(keyChainSchema, found, "chain");
      const stamp = writes === this.#writes ? this.#stampOf(chain.org.id) : { stale: true };
      const known = cache.get(name);
      if (known !== undefined && isDeepStrictEqual(known.chain, chain)) {
        known.renew(stamp, now);
        return known;
      }
      const { previousToken } = chain.key;
      const tokenExpiresAt =
        "hash" in ref && previousToken?.hash === ref.hash ? previousToken.expiresAt : undefined;
      const entry = new CachedChain(chain, this.#compiling, tokenExpiresAt, stamp, now);
      cache.set(name, entry);
      return entry;
    }
  }

  #stampOf(orgId: string): Stamp {
    let stamp = this.#stamps.get(orgId);
    if (stamp === undefined) {
      stamp = { stale: false };
      this.#stamps.set(orgId, stamp);
    }
    return stamp;
  }
}

/** What a cache has under a name, if it is not out of date. */
function atHand(
  cache: LatestUsed<CachedChain>,
  name: string,
  maxAgeMs: number,
  now: number,
): CachedChain | undefined {
  const chain = cache.peek(name);
  if (chain === undefined || chain.stamp.stale) return undefined;
  const second = Math.floor(now / 1000);
  if (chain.freshIn === second) return chain;
  const age = now - chain.loadedAt;
  if (age < 0 || age >= maxAgeMs) return undefined;
  cache.get(name); // Marks it as used. Once a second is enough to decide what is dropped first.
  const startsAt = second * 1000;
  if (startsAt >= chain.loadedAt && startsAt + 1000 <= chain.loadedAt + maxAgeMs) chain.freshIn = second;
  return chain;
}
