import type { Reply } from "../wire/reply.js";

/** Statements under way at once: the connections of a pool are for others too, and with more of them the groups would be smaller. */
const UNDER_WAY_MAX = 4;

/** Calls of one statement, which holds the locks of all of them until it is over. */
const GROUP_MAX = 64;

/** A call of one of the functions that lock the rows they count in. */
export interface LockingCall {
  readonly name: "reserve" | "settle";
  readonly values: readonly unknown[];
  /** The names of its rows, in the order in which all processes lock them. */
  readonly locks: readonly string[];
  /** The one of them that it shares with the most other calls; none for a call that counts nothing. */
  readonly widestLock: string | undefined;
}

/** Where calls are sent to. */
export interface CallSender {
  alone(call: LockingCall): Promise<Reply>;
  /** All in one transaction, one after the other: where one of them fails, nothing was done. */
  together(calls: readonly LockingCall[]): Promise<readonly Reply[]>;
  /** Whether an error says that nothing was done. */
  hasDoneNothing(error: unknown): boolean;
}

interface Waiting {
  readonly call: LockingCall;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

interface Group {
  readonly calls: readonly Waiting[];
  /** The widest locks of them. */
  readonly locks: ReadonlySet<string>;
}

/**
 * Sends calls at once while few are under way, and those that come meanwhile together, in the order in which they came. A statement and
 * its transaction cost more than what a call does in them.
 *
 * A call that would wait in the database for one that is under way waits here, where it holds neither a connection nor locks.
 */
export class GroupedCalls {
  readonly #sender: CallSender;
  #waiting: Waiting[] = [];
  #underWay = 0;
  /** The widest locks of what is under way. */
  readonly #held = new Set<string>();
  #isDue = false;

  constructor(sender: CallSender) {
    this.#sender = sender;
  }

  run(call: LockingCall): Promise<Reply> {
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
      void this.#send(group);
    }
  }

  /** Takes the first of those that can be sent, a share of all, with what would wait for them. */
  #taken(share: number): Group {
    const calls: Waiting[] = [];
    const left: Waiting[] = [];
    const locks = new Set<string>();
    for (const one of this.#waiting) {
      const { widestLock = "" } = one.call;
      const isHeld = this.#held.has(widestLock);
      const most = locks.has(widestLock) ? GROUP_MAX : Math.min(share, GROUP_MAX);
      if (isHeld || calls.length >= most) {
        left.push(one);
      } else {
        calls.push(one);
        if (widestLock !== "") locks.add(widestLock);
      }
    }
    this.#waiting = left;
    return { calls, locks };
  }

  async #send({ calls, locks }: Group): Promise<void> {
    for (const lock of locks) this.#held.add(lock);
    this.#underWay++;
    const [first] = calls;
    await (first !== undefined && calls.length === 1 ? this.#sendAlone(first) : this.#sendTogether(calls));
    this.#underWay--;
    for (const lock of locks) this.#held.delete(lock);
    this.#sendSoon();
  }

  async #sendTogether(calls: readonly Waiting[]): Promise<void> {
    try {
      const replies = await this.#sender.together(calls.map(({ call }) => call));
      for (const [i, { resolve }] of calls.entries()) resolve(replies[i] ?? []);
    } catch (error) {
      // Whose fault it is shows when each goes alone; the others have theirs done.
      if (this.#sender.hasDoneNothing(error)) await Promise.all(calls.map((one) => this.#sendAlone(one)));
      else for (const { reject } of calls) reject(error);
    }
  }

  async #sendAlone({ call, resolve, reject }: Waiting): Promise<void> {
    await this.#sender.alone(call).then(resolve, reject);
  }
}
