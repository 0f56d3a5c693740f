import { AsyncResource } from "node:async_hooks";
import { setImmediate } from "node:timers/promises";
import { errorName } from "../../model/error-name.js";
import { isTollgateError } from "../../model/errors.js";
import type { Records } from "../../model/records.js";
import type { Change, Storage } from "../../storage/storage.js";
import { chunks } from "../chunks.js";
import type { Clock } from "../clock.js";

/** A use is written at most this much later. All uses of a key within that time are one write. */
const FLUSH_MS = 60_000;

/** How many keys share a commit. */
const BATCH = 100;

/** A stored use that is further in the future than this was noted by a clock that was wrong. The next one replaces it. */
const AHEAD_MAX_MS = 86_400_000;

/** A key, and where its uses are noted. */
export interface KeyInUse {
  readonly keyId: string;
  readonly orgId: string;
  /** Its place in the list of uses. A look-up by id would take a fifth of a call with 10,000 keys in use. */
  usePlace: number;
  /** The epoch in which `usePlace` is valid; {@link NO_EPOCH} before the first use. */
  useEpoch: number;
}

/** For a key that has no place yet. */
export const NO_EPOCH = -1;

/** The last use of a key that is not written yet. */
interface Use {
  readonly keyId: string;
  /** The org of the key when it was used. */
  readonly orgId: string;
  readonly usedAt: number;
}

/**
 * Records when keys were last used without writing on every call. Uses are written once a minute and at the end; a
 * process that dies loses up to a minute of them.
 */
export class LastUsed {
  readonly #storage: Storage;
  readonly #clock: Clock;
  /** The places of the keys whose latest use is not written yet. */
  readonly #places = new Map<string, number>();
  readonly #usedAt: number[] = [];
  readonly #orgIds: string[] = [];
  readonly #free: number[] = [];
  /** Rises whenever a place is given back: places that keys remember from before may belong to other keys by then. */
  #epoch = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();
  /** In the async context in which this was made, since the uses of many calls are written together. */
  readonly #startTimer = AsyncResource.bind(() => this.#flushInTime());

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** Notes that a call of a key was admitted. */
  record(key: KeyInUse, now: number): void {
    if (key.useEpoch !== this.#epoch) {
      key.usePlace = this.#placeOf(key);
      key.useEpoch = this.#epoch;
    }
    this.#usedAt[key.usePlace] = now;
    this.#flushLater();
  }

  /** When each of the keys was last used, including what is not written yet. */
  async of(keyIds: readonly string[]): Promise<(number | undefined)[]> {
    const uses = await Promise.all(keyIds.map((id) => this.#storage.get("keyUse", id)));
    return keyIds.map((id, i) => {
      const known = [uses[i]?.usedAt, this.#pendingOf(id)].filter((usedAt) => usedAt !== undefined);
      return known.length > 0 ? Math.max(...known) : undefined;
    });
  }

  /** Writes what has gathered. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing = this.#flushing.catch(() => {}).then(() => this.#write());
    await this.#flushing;
  }

  #placeOf({ keyId, orgId }: KeyInUse): number {
    const known = this.#places.get(keyId);
    if (known !== undefined) return known;
    const place = this.#free.pop() ?? this.#usedAt.length;
    this.#places.set(keyId, place);
    this.#orgIds[place] = orgId;
    return place;
  }

  #pendingOf(keyId: string): number | undefined {
    const place = this.#places.get(keyId);
    return place === undefined ? undefined : this.#usedAt[place];
  }

  #flushLater(): void {
    this.#timer ??= this.#startTimer();
  }

  #flushInTime(): NodeJS.Timeout {
    return setTimeout(() => {
      this.flush().catch((error: unknown) => {
        process.emitWarning(
          `The times of the last uses of keys could not be written: ${errorName(error)}`,
          "TollgateWarning",
        );
        this.#flushLater();
      });
    }, FLUSH_MS).unref();
  }

  async #write(): Promise<void> {
    const gathered = [...this.#places].map(([keyId, place]) => ({
      keyId,
      orgId: this.#orgIds[place] ?? "",
      usedAt: this.#usedAt[place] ?? 0,
    }));
    for (const batch of chunks(gathered, BATCH)) {
      await this.#commit(batch);
      for (const { keyId, usedAt } of batch) {
        if (this.#pendingOf(keyId) === usedAt) this.#forget(keyId);
      }
      // Memory and SQLite never wait for anything, so without this all calls would wait for all batches.
      await setImmediate();
    }
  }

  #forget(keyId: string): void {
    const place = this.#places.get(keyId);
    if (place === undefined) return;
    this.#places.delete(keyId);
    this.#free.push(place);
    this.#epoch++;
  }

  async #commit(batch: readonly Use[]): Promise<void> {
    for (let attempts = 1; ; attempts++) {
      const changes = (await Promise.all(batch.map((use) => this.#change(use)))).flat();
      try {
        if (changes.length > 0) await this.#storage.commit(changes);
        return;
      } catch (error) {
        // Another process wrote a use of one of the keys meanwhile. The later use counts.
        if (!isTollgateError(error, "conflict") || attempts === 10) throw error;
      }
    }
  }

  async #change({ keyId, orgId, usedAt }: Use): Promise<Change[]> {
    const stored = await this.#storage.get("keyUse", keyId);
    const isRight = stored !== undefined && stored.usedAt <= this.#clock.now() + AHEAD_MAX_MS;
    if (isRight && stored.usedAt >= usedAt) return [];
    // A key is deleted together with its use. So where one of its org is stored, the key is there.
    const home = stored?.orgId === orgId ? orgId : (await this.#storage.get("key", keyId))?.orgId;
    if (home === undefined) return [];
    const version = stored?.version ?? 0;
    const record: Records["keyUse"] = { ...stored, id: keyId, orgId: home, version: version + 1, usedAt };
    return [{ kind: "keyUse", id: keyId, expectedVersion: version, record }];
  }
}
