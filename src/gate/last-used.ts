import { errorName } from "../model/error-name.js";
import { ConflictError } from "../model/errors.js";
import type { Records } from "../model/records.js";
import type { Change, Storage } from "../storage/storage.js";
import { chunks } from "./chunks.js";

/** A use is written at most this much later; in between one minute's uses of a key are one write. */
const FLUSH_MS = 60_000;

/** Keys in one commit. */
const BATCH = 100;

/**
 * When keys were last used, without a write on every call: a use is one entry in a map, and what has gathered is
 * written once a minute and at the end. A process that dies forgets up to a minute of it.
 */
export class LastUsed {
  readonly #storage: Storage;
  #pending = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** A call of a key was admitted. */
  record(keyId: string, now: number): void {
    this.#pending.set(keyId, now);
    this.#flushLater();
  }

  /** When each of the keys was last used, what is not yet written included. */
  async of(keyIds: readonly string[]): Promise<(number | undefined)[]> {
    const uses = await Promise.all(keyIds.map((id) => this.#storage.get("keyUse", id)));
    return keyIds.map((id, i) => {
      const known = [uses[i]?.usedAt, this.#pending.get(id)].filter((usedAt) => usedAt !== undefined);
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

  #flushLater(): void {
    this.#timer ??= setTimeout(() => {
      this.flush().catch((error: unknown) => {
        process.emitWarning(
          `When keys were last used could not be written: ${errorName(error)}`,
          "TollgateWarning",
        );
        this.#flushLater();
      });
    }, FLUSH_MS).unref();
  }

  async #write(): Promise<void> {
    for (const batch of chunks([...this.#pending], BATCH)) {
      await this.#commit(batch);
      for (const [keyId, usedAt] of batch) {
        if (this.#pending.get(keyId) === usedAt) this.#pending.delete(keyId);
      }
    }
  }

  async #commit(batch: readonly (readonly [string, number])[]): Promise<void> {
    for (let attempts = 1; ; attempts++) {
      const changes = (await Promise.all(batch.map(([keyId, usedAt]) => this.#change(keyId, usedAt)))).flat();
      try {
        if (changes.length > 0) await this.#storage.commit(changes);
        return;
      } catch (error) {
        // Another process wrote a use of one of the keys meanwhile; the later use counts.
        if (!(error instanceof ConflictError) || attempts === 10) throw error;
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
