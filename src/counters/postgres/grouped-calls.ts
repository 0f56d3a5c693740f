import type { Reply } from "../wire/reply.js";
import type { RowName } from "./postgres-layout.js";

/** Statements under way at once. With more, the groups would be smaller, and others would lack the pool's connections. */
const UNDER_WAY_MAX = 2;

/** A statement that takes longer is held up, by locks of others or a lost connection, and does not keep the next one waiting. */
const HELD_UP_MS = 200;

/** Calls of one statement, which holds the locks of all of them until it is over. */
const GROUP_MAX = 64;

/**
 * Locks of one statement, where each call's are counted as if no other took the same; a single call may have more. A server
 * has room for some 6,400 by default, for everybody it serves.
 */
const LOCKS_MAX = 192;

/** A call that counts in rows, which are locked for it. */
export interface CountingCall {
  readonly name: "reserve" | "settle";
  /** The widest scope's first: calls that have the first in common wait for each other. */
  readonly rows: readonly RowName[];
  /** What it touches besides: elements of an array. */
  readonly locks: readonly string[];
  /** See `PostgresLayout`. */
  readonly told: string;
  /** What follows the places of its rows, see `callSql`: each as JSON. */
  readonly values: readonly string[];
}

/** Does calls in one transaction, one after the other: all are done or none. There is a reply to each. */
export type SendCalls = (calls: readonly CountingCall[]) => Promise<readonly Reply[]>;

interface Waiting {
  readonly call: CountingCall;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

interface Group {
  readonly calls: readonly Waiting[];
  /** The first row of each. */
  readonly firstRows: ReadonlySet<string>;
}

/**
 * Sends a call at once while few are under way; the calls that come meanwhile go together in one statement, since a statement and
 * its transaction cost more than what a call does in them. Calls with the same first row are done in the order in which they came.
 *
 * A call that would wait in the database for one that is under way waits here, where it holds neither a connection nor locks.
 */
export class GroupedCalls {
  readonly #send: SendCalls;
  readonly #isAboutValues: (error: unknown) => boolean;
  #waiting: Waiting[] = [];
  #underWay = 0;
  /** The first rows of what is under way. */
  readonly #held = new Set<string>();
  #isDue = false;

  /** @param isAboutValues whether an error says that nothing was done because of a value of one of the calls */
  constructor(send: SendCalls, isAboutValues: (error: unknown) => boolean) {
    this.#send = send;
    this.#isAboutValues = isAboutValues;
  }

  run(call: CountingCall): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ call, resolve, reject });
      this.#sendSoon();
    });
  }

  /** Once everything of this turn has come: the callers of a group that was answered often call again. */
  #sendSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    process.nextTick(() => {
      this.#isDue = false;
      this.#sendWaiting();
    });
  }

  #sendWaiting(): void {
    while (this.#waiting.length > 0 && this.#underWay < UNDER_WAY_MAX) {
      const group = this.#taken(Math.ceil(this.#waiting.length / (UNDER_WAY_MAX - this.#underWay)));
      if (group.calls.length === 0) return;
      void this.#sendGroup(group);
    }
  }

  /** Takes the first of those that can be sent: a share of all, and what has its first row in common with one of them. */
  #taken(share: number): Group {
    const calls: Waiting[] = [];
    const left: Waiting[] = [];
    const firstRows = new Set<string>();
    let locks = 0;
    for (const [i, one] of this.#waiting.entries()) {
      const { rows, locks: more } = one.call;
      const first = rows[0]?.name ?? "";
      const isFull =
        calls.length >= GROUP_MAX || (calls.length > 0 && locks + rows.length + more.length > LOCKS_MAX);
      if (isFull) {
        this.#waiting = left.concat(this.#waiting.slice(i));
        return { calls, firstRows };
      }
      if (this.#held.has(first) || (calls.length >= share && !firstRows.has(first))) {
        left.push(one);
      } else {
        calls.push(one);
        locks += rows.length + more.length;
        if (first !== "") firstRows.add(first);
      }
    }
    this.#waiting = left;
    return { calls, firstRows };
  }

  async #sendGroup({ calls, firstRows }: Group): Promise<void> {
    for (const row of firstRows) this.#held.add(row);
    let isCounted = true;
    this.#underWay++;
    const countNoMore = () => {
      if (isCounted) this.#underWay--;
      isCounted = false;
      this.#sendSoon();
    };
    const timer = setTimeout(countNoMore, HELD_UP_MS);
    timer.unref();
    await this.#answer(calls);
    clearTimeout(timer);
    for (const row of firstRows) this.#held.delete(row);
    countNoMore();
  }

  async #answer(calls: readonly Waiting[]): Promise<void> {
    try {
      const replies = await this.#send(calls.map(({ call }) => call));
      for (const [i, { resolve, reject }] of calls.entries()) {
        const reply = replies[i];
        if (reply === undefined) reject(new Error("the database answered fewer calls than it was sent"));
        else resolve(reply);
      }
    } catch (error) {
      if (calls.length > 1 && this.#isAboutValues(error)) {
        // Whose value it is shows in halves; the others have theirs done, in the order in which they came.
        const half = calls.length >> 1;
        await this.#answer(calls.slice(0, half));
        await this.#answer(calls.slice(half));
      } else {
        for (const { reject } of calls) reject(error);
      }
    }
  }
}
