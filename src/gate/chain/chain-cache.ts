import { isDeepStrictEqual } from "node:util";
import { CompiledChain } from "../../admission/compiled-chain.js";
import type { LimitCache } from "../../admission/limit-cache.js";
import type { LimitShapes } from "../../admission/limit-shape.js";
import { type KeyChain, keyChainSchema } from "../../model/chain.js";
import { parse } from "../../model/validation.js";
import { type LatestUsed, latestUsed } from "../latest-used.js";
import { within } from "../within.js";
import type { Directory } from "./directory.js";
import { type KeyInUse, NO_EPOCH } from "./last-used.js";
import { digestOfHash } from "./token.js";

/** Whether the chains that share it are out of date. All chains of an org share one, so that a write to the org reaches them all at once. */
interface Stamp {
  stale: boolean;
}

/** A chain as it was loaded by its key id or by a token hash, and how fresh it is. One object for both, since each object costs a call an access to memory. */
export class CachedChain extends CompiledChain implements KeyInUse {
  /** When the token it was found by ends, where that is one from before a rotation. */
  readonly tokenExpiresAt: number | undefined;
  loadedAt: number;
  stamp: Stamp;
  /**
   * A second (its number since 1970) for which the chain was found fresh, from its beginning to its end. Further calls within it need
   * no other check of the age.
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

  /** Notes that it was loaded again and has not changed, so that what calls have computed from it is kept. */
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

/** How often a load starts again because something was written meanwhile; then its answer is used but not kept. */
const RELOADS_MAX = 3;

/** How long calls join a load that is under way. One that takes longer may have lost its connection and never end, so later calls start another. */
const JOINED_MS = 1_000;

/** How long a call waits for the directory. */
const LOAD_MS = 10_000;

interface Load {
  readonly writes: number;
  /** When it began, by `performance.now()`. */
  readonly since: number;
  readonly entry: Promise<CachedChain | undefined>;
}

/**
 * The chains of the keys in use, by key id and by token hash.
 *
 * INVARIANT: a look-up that starts after {@link forgetOrg} returned does not see what was there before it.
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
    // Once a stamp has fallen out, `forgetOrg` cannot reach the chains that share it, so they are out of date from now on.
    this.#stamps = latestUsed(options.maxKeys, (stamp) => {
      stamp.stale = true;
    });
  }

  /** The chain of a key id, where it is at hand. */
  byId(keyId: string, now: number): CachedChain | undefined {
    return atHand(this.#byId, keyId, this.#maxAgeMs, now);
  }

  /** The chain of a token, by `digestOfToken`, where it is at hand. */
  byDigest(digest: string, now: number): CachedChain | undefined {
    return atHand(this.#byDigest, digest, this.#maxAgeMs, now);
  }

  /**
   * The chain of a key id or a token hash from the directory; loads of the same one at the same time are one.
   *
   * @throws Error where the directory does not answer within ten seconds
   */
  async load(
    ref: { readonly hash: string } | { readonly keyId: string },
    now: number,
  ): Promise<CachedChain | undefined> {
    const name = "hash" in ref ? `hash ${ref.hash}` : `id ${ref.keyId}`;
    const running = this.#loads.get(name);
    const since = performance.now();
    if (running && running.writes === this.#writes && since - running.since < JOINED_MS) return running.entry;
    const entry = within(
      LOAD_MS,
      this.#load(ref, now),
      () => new Error(`the directory did not answer within ${LOAD_MS} ms`),
    );
    const load = { writes: this.#writes, since, entry };
    this.#loads.set(name, load);
    try {
      return await load.entry;
    } finally {
      if (this.#loads.get(name) === load) this.#loads.delete(name);
    }
  }

  /** Everything known of an org is out of date from now on. */
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
        cache.delete(name); // or else a clock that is set back would make the old chain look fresh
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

/** What a cache has under a name, where it is not out of date. */
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
  cache.get(name); // marks it as used; once a second is enough to decide what falls out first
  const startsAt = second * 1000;
  if (startsAt >= chain.loadedAt && startsAt + 1000 <= chain.loadedAt + maxAgeMs) chain.freshIn = second;
  return chain;
}
