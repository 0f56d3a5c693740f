import { CountersUnavailableError } from "../../model/errors.js";
import type { Reply } from "../wire/reply.js";
import type { RowName } from "./postgres-layout.js";

/**
 * How many statements are under way at once. With more, groups would be smaller, and other users of the pool would find
 * no free connection.
 */
const UNDER_WAY_MAX = 2;

/**
 * A statement that takes longer, in milliseconds, is held up by others' locks or a lost connection. It no longer counts
 * as under way, so the next one is sent.
 */
const HELD_UP_MS = 200;

/**
 * How long later calls of the same rows wait here for a statement, in milliseconds. No healthy statement takes longer,
 * and by default a gate has given up its calls after a second: the connection may be lost. If it still completes, the
 * locks in the database keep it and later calls apart.
 */
const LET_GO_MS = 3_000;

/** The most calls in one statement, which holds the locks of all of them until it is over. */
const GROUP_MAX = 64;

/**
 * The most locks that one statement takes, unless it is for a single call, counted as if no two of its calls shared
 * one. By default a server has room for about 6,400 locks for all of its clients together.
 */
const LOCKS_MAX = 192;

/** A call that counts in rows, which are locked for it. */
export interface CountingCall {
  readonly name: "reserve" | "settle";
  /** The row of the widest scope first. Calls with the same first row wait for each other. */
  readonly rows: readonly RowName[];
  /** What else it locks; see {@link element}. */
  readonly locks: readonly string[];
  /** See `PostgresLayout`. */
  readonly told: string;
  /** The plan of a reserve. */
  readonly plan?: string;
  /** What follows the place of its plan, each as JSON; see `callSql`. */
  readonly values: readonly string[];
}

/** Makes calls in one transaction, one after the other: all or none. There is a reply to each. */
export type SendCalls = (calls: readonly CountingCall[]) => Promise<readonly Reply[]>;

interface Waiting {
  readonly call: CountingCall;
  /** When it came, by `performance.now()`. */
  readonly since: number;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

interface Group {
  readonly calls: readonly Waiting[];
  /** The first row of each call. */
  readonly firstRows: ReadonlySet<string>;
}

/**
 * Sends a call at once while few are under way. Calls that arrive meanwhile go together in one statement, since a
 * statement and its transaction cost more than what a call does in them. Calls with the same first row are made in the
 * order in which they arrived.
 *
 * A call that would have to wait in the database for one under way waits here instead, where it holds neither a
 * connection nor locks. A reserve that has waited too long fails without being sent: after a stall or under too much
 * load, every statement would otherwise be full of calls that their callers have given up. A settle is always sent,
 * since its call was made.
 */
export class GroupedCalls {
  readonly #send: SendCalls;
  readonly #isAboutValues: (error: unknown) => boolean;
  readonly #reserveWaitMs: number;
  #waiting: Waiting[] = [];
  #underWay = 0;
  /** The first rows of what is under way. */
  readonly #held = new Set<string>();
  #isDue = false;

  /**
   * @param isAboutValues whether an error means that nothing was done because of a value of one of the calls
   * @param reserveWaitMs how long a reserve may wait to be sent, in milliseconds
   */
  constructor(send: SendCalls, isAboutValues: (error: unknown) => boolean, reserveWaitMs: number) {
    this.#send = send;
    this.#isAboutValues = isAboutValues;
    this.#reserveWaitMs = reserveWaitMs;
  }

  run(call: CountingCall): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ call, since: performance.now(), resolve, reject });
      this.#sendSoon();
    });
  }

  /**
   * Sends at the end of this turn of the event loop, since the callers of a group that was just answered often call
   * again in it.
   */
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

  /**
   * Takes the next group: the first calls that can be sent, up to a share of all, and those with the same first row as
   * one of them. Reserves that have waited too long fail.
   */
  #taken(share: number): Group {
    const calls: Waiting[] = [];
    const left: Waiting[] = [];
    const firstRows = new Set<string>();
    const tooLate = performance.now() - this.#reserveWaitMs;
    let locks = 0;
    for (const [i, one] of this.#waiting.entries()) {
      if (one.since < tooLate && one.call.name === "reserve") {
        one.reject(
          new CountersUnavailableError(
            `the counters could not be asked within ${this.#reserveWaitMs} ms: nothing was charged`,
          ),
        );
        continue;
      }
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
    this.#underWay++;
    const countNoMore = this.#once(() => this.#underWay--);
    // This answers no caller. If the calls are charged after all, the gate gives that back.
    const letGo = this.#once(() => {
      for (const row of firstRows) this.#held.delete(row);
    });
    const timers = [setTimeout(countNoMore, HELD_UP_MS), setTimeout(letGo, LET_GO_MS)];
    for (const timer of timers) timer.unref();
    await this.#answer(calls);
    for (const timer of timers) clearTimeout(timer);
    letGo();
    countNoMore();
  }

  /**
   * A function that calls `giveBack` the first time it is called, and then sends the calls that were waiting for it.
   */
  #once(giveBack: () => void): () => void {
    let isDone = false;
    return () => {
      if (isDone) return;
      isDone = true;
      giveBack();
      this.#sendSoon();
    };
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
        // One call's value made the whole statement fail. Halving finds that call, and all others are made in order.
        const half = calls.length >> 1;
        await this.#answer(calls.slice(0, half));
        await this.#answer(calls.slice(half));
      } else {
        for (const { reject } of calls) reject(error);
      }
    }
  }
}
