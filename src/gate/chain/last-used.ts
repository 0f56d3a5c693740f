import { errorName } from "../../model/error-name.js";
import { isTollgateError } from "../../model/errors.js";
import type { Records } from "../../model/records.js";
import type { Change, Storage } from "../../storage/storage.js";
import { chunks } from "../chunks.js";

/** A use is written at most this much later; in between one minute's uses of a key are one write. */
const FLUSH_MS = 60_000;

/** Keys in one commit. */
const BATCH = 100;

/** A key, and where its uses are noted. */
export interface KeyInUse {
  readonly keyId: string;
  /** Its place in the list of uses. A look-up by id instead would take a fifth of a call where 10,000 keys are in use. */
  usePlace: number;
  /** The epoch for which `usePlace` holds; {@link NO_EPOCH} before the first use. */
  useEpoch: number;
}

/** Of a key that has no place yet. */
export const NO_EPOCH = -1;

/**
 * When keys were last used, without a write on every call: what has gathered is written once a minute and at the end. A process
 * that dies forgets up to a minute of it.
 */
export class LastUsed {
  readonly #storage: Storage;
  /** The places of the keys whose latest use is not yet written. */
  readonly #places = new Map<string, number>();
  readonly #usedAt: number[] = [];
  readonly #free: number[] = [];
  /** Goes up whenever a place is given back: the places that keys remember from before may be another key's by now. */
  #epoch = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** A call of a key was admitted. */
  record(key: KeyInUse, now: number): void {
    if (key.useEpoch !== this.#epoch) {
      key.usePlace = this.#placeOf(key.keyId);
      key.useEpoch = this.#epoch;
    }
    this.#usedAt[key.usePlace] = now;
    this.#flushLater();
  }

  /** When each of the keys was last used, what is not yet written included. */
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

  #placeOf(keyId: string): number {
    const known = this.#places.get(keyId);
    if (known !== undefined) return known;
    const place = this.#free.pop() ?? this.#usedAt.length;
    this.#places.set(keyId, place);
    return place;
  }

  #pendingOf(keyId: string): number | undefined {
    const place = this.#places.get(keyId);
    return place === undefined ? undefined : this.#usedAt[place];
  }

  #flushLater(): void {
    this.#timer ??= setTimeout(() => {
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
    const gathered = [...this.#places].map(([keyId, place]) => [keyId, this.#usedAt[place] ?? 0] as const);
    for (const batch of chunks(gathered, BATCH)) {
      await this.#commit(batch);
      for (const [keyId, usedAt] of batch) {
        if (this.#pendingOf(keyId) === usedAt) this.#forget(keyId);
      }
    }
  }

  #forget(keyId: string): void {
    const place = this.#places.get(keyId);
    if (place === undefined) return;
    this.#places.delete(keyId);
    this.#free.push(place);
    this.#epoch++;
  }

  async #commit(batch: readonly (readonly [string, number])[]): Promise<void> {
    for (let attempts = 1; ; attempts++) {
      const changes = (await Promise.all(batch.map(([keyId, usedAt]) => this.#change(keyId, usedAt)))).flat();
      try {
        if (changes.length > 0) await this.#storage.commit(changes);
        return;
      } catch (error) {
        // Another process wrote a use of one of the keys meanwhile; the later use counts.
        if (!isTollgateError(error, "conflict") || attempts === 10) throw error;
      }
    }
  }

  async #change(keyId: string, usedAt: number): Promise<Change[]> {
    const [key, use] = await Promise.all([
      this.#storage.get("key", keyId),
      this.#storage.get("keyUse", keyId),
    ]);
    if (key === undefined || (use && use.usedAt >= usedAt)) return [];
    const version = use?.version ?? 0;
    const record: Records["keyUse"] = { id: keyId, orgId: key.orgId, version: version + 1, usedAt };
    return [{ kind: "keyUse", id: keyId, expectedVersion: version, record }];
  }
}
