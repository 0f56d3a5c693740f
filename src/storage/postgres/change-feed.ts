import { randomBytes } from "node:crypto";
import { errorName } from "../../model/error-name.js";
import type { PostgresClient, PostgresPool } from "../../postgres/pool.js";
import { fromStorableJson } from "../../postgres/text.js";
import type { Change, Changed } from "../storage.js";

/** The first wait before a lost connection is reopened, in milliseconds. It doubles up to the last. */
const FIRST_WAIT_MS = 100;
const LAST_WAIT_MS = 5_000;

interface Watcher {
  readonly changed: (changed: readonly Changed[]) => void;
  readonly missed: (() => void) | undefined;
}

interface ChangeFeedOptions {
  readonly pool: PostgresPool;
  /** The channel on which commits notify. The name needs no escape between double quotes. */
  readonly channel: string;
  /** Opens a connection that can listen. */
  readonly listen: (() => Promise<PostgresClient>) | undefined;
}

/**
 * Tells watchers of commits: those of this process at once, those of others by LISTEN.
 *
 * While anybody watches, one connection listens. Whenever a connection begins to listen, including the first time,
 * watchers are told that they may have missed something, since earlier commits are not repeated.
 */
export class ChangeFeed {
  readonly #options: ChangeFeedOptions;
  readonly #watchers = new Set<Watcher>();
  #writer = newWriter();
  #stop: (() => void) | undefined;
  #listening: Promise<void> = Promise.resolve();

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
  }

  watch(changed: Watcher["changed"], missed?: () => void): () => void {
    const watcher = { changed, missed };
    this.#watchers.add(watcher);
    if (this.#stop === undefined) this.#start();
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#end();
    };
  }

  /**
   * The name under which this process notifies. Watchers are told of its commits directly rather than by the database.
   */
  get writer(): string {
    return this.#writer;
  }

  tell(changed: readonly Changed[]): void {
    for (const watcher of [...this.#watchers]) watcher.changed(changed);
  }

  tellMissed(): void {
    for (const { missed } of [...this.#watchers]) missed?.();
  }

  /**
   * A commit failed, but it may have succeeded or may still do so. So that its notification is treated like those of
   * others, this process notifies under another name from now on. Whatever else is under way under the old name is
   * reported twice.
   *
   * Watchers are told of no more than what it may have changed: what they remember of other orgs has to last while the
   * database is away. Only for a record that it deletes is the org not known.
   */
  doubt(changes: readonly Change[]): void {
    this.#writer = newWriter();
    const changed = changes.flatMap(({ kind, id, record }) =>
      record === undefined ? [] : [{ kind, id, orgId: record.orgId }],
    );
    if (changed.length === changes.length) this.tell(changed);
    else this.tellMissed();
  }

  /** Stops listening, and waits until the connection is given back. */
  async close(): Promise<void> {
    this.#watchers.clear();
    this.#end();
    await this.#listening;
  }

  #start(): void {
    const stopped = new Promise<void>((resolve) => {
      this.#stop = resolve;
    });
    this.#listening = this.#listening.then(() => this.#listen(stopped));
  }

  #end(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  async #listen(stopped: Promise<void>): Promise<void> {
    const { pool, channel, listen } = this.#options;
    if (listen === undefined && pool.listen === undefined) return;
    let over = false;
    const end = stopped.then(() => {
      over = true;
    });
    let isWarned = false; // Once for each time without a connection.
    for (let waitMs = FIRST_WAIT_MS; !over; waitMs = Math.min(2 * waitMs, LAST_WAIT_MS)) {
      try {
        // A connection that is being closed may still hear something, which is no news to whoever starts watching
        // meanwhile.
        const hear = (payload: string | undefined) => {
          if (!over) this.#hear(payload);
        };
        if (listen) {
          const client = await unlessEnded(listen(), end);
          if (client === undefined) break;
          await listenOn(client, channel, hear, end, () => {
            waitMs = FIRST_WAIT_MS;
            isWarned = false;
            this.tellMissed();
          });
        } else if (pool.listen) {
          const unlisten = await pool.listen(channel, hear);
          this.tellMissed();
          await end;
          await unlisten();
        }
      } catch (error) {
        if (!isWarned) {
          isWarned = true;
          process.emitWarning(
            `No connection listens for the changes of other processes (${errorName(error)}): they are seen when caches expire`,
            "TollgateWarning",
          );
        }
      }
      await Promise.race([end, unheldTimer(waitMs)]);
    }
  }

  #hear(payload: string | undefined): void {
    const told = toldIn(payload);
    if (told.by === this.#writer) return;
    if (told.changed) this.tell(told.changed);
    else this.tellMissed();
  }
}

function newWriter(): string {
  return randomBytes(9).toString("base64url");
}

/**
 * What the commit function sent. Anybody who may connect may notify on the channel, and nothing is known about a
 * message that the function did not send.
 */
function toldIn(payload: string | undefined): { by?: unknown; changed?: readonly Changed[] } {
  try {
    const { by, changed } = Object(fromStorableJson(payload ?? "{}"));
    // Sound: looked at piece by piece.
    return isListOfChanges(changed) ? { by, changed: changed as readonly Changed[] } : { by };
  } catch {
    return {};
  }
}

function isListOfChanges(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((one) => ["kind", "id", "orgId"].every((field) => typeof Object(one)[field] === "string"))
  );
}

/** Listens on a connection until it is lost or until `end`, and gives it back. */
async function listenOn(
  client: PostgresClient,
  channel: string,
  hear: (payload: string | undefined) => void,
  end: Promise<void>,
  begun: () => void,
): Promise<void> {
  const lost = new Promise<void>((resolve) => {
    client.on("error", () => resolve());
    client.on("end", () => resolve());
  });
  try {
    client.on("notification", (message) => {
      if (message.channel === channel) hear(message.payload);
    });
    const begins = client.query(`LISTEN "${channel}"`);
    begins.catch(() => {}); // Nobody may be waiting for it any more.
    const hasBegun = await Promise.race([begins.then(() => true), end, lost]);
    if (hasBegun) begun();
    await Promise.race([end, lost]);
  } finally {
    giveBack(client);
  }
}

/** Not returned to the pool's other connections, as it would go on listening. A server that hangs is not waited for. */
function giveBack(client: PostgresClient): void {
  if (client.release) client.release(true);
  else client.end?.().catch(() => {});
}

/** A connection, unless the end comes first. It is then given back once it is there. */
async function unlessEnded(
  connecting: Promise<PostgresClient>,
  end: Promise<void>,
): Promise<PostgresClient | undefined> {
  const client = await Promise.race([connecting, end]);
  if (client === undefined) connecting.then(giveBack).catch(() => {});
  return client ?? undefined;
}

function unheldTimer(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
