import type { Reply } from "../wire/reply.js";
import type { RowName } from "./wire.js";

/** Statements under way at once: the connections of a pool are for others too, and with more of them the groups would be smaller. */
const UNDER_WAY_MAX = 2;

/** Calls of one statement, which holds the locks of all of them until it is over. */
const GROUP_MAX = 64;

/** A call that counts in rows, which are locked for it. */
export interface CountingCall {
  readonly name: "reserve" | "settle";
  /** See `PostgresLayout`. */
  readonly toldJson: string;
  readonly values: readonly unknown[];
  /** The first is the one that it shares with the most other calls. */
  readonly rows: readonly RowName[];
}

/** Where calls are sent to. */
export interface CallSender {
  /** All in one transaction, one after the other: where one of them fails, nothing was done. */
  send(calls: readonly CountingCall[]): Promise<readonly Reply[]>;
  /** Whether an error says that nothing was done; else nobody knows. */
  wasUndone(error: unknown): boolean;
}

interface Waiting {
  readonly call: CountingCall;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

interface Group {
  readonly calls: readonly Waiting[];
  /** The widest rows of them. */
  readonly rows: ReadonlySet<string>;
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
  /** The widest rows of what is under way. */
  readonly #held = new Set<string>();
  #isDue = false;

  constructor(sender: CallSender) {
    this.#sender = sender;
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
      void this.#send(group);
    }
  }

  /** Takes the first of those that can be sent, a share of all, with what would wait for them. */
  #taken(share: number): Group {
    const calls: Waiting[] = [];
    const left: Waiting[] = [];
    const rows = new Set<string>();
    for (const one of this.#waiting) {
      const widest = one.call.rows[0]?.name ?? "";
      const most = rows.has(widest) ? GROUP_MAX : Math.min(share, GROUP_MAX);
      if (this.#held.has(widest) || calls.length >= most) {
        left.push(one);
      } else {
        calls.push(one);
        if (widest !== "") rows.add(widest);
      }
    }
    this.#waiting = left;
    return { calls, rows };
  }

  async #send({ calls, rows }: Group): Promise<void> {
    for (const row of rows) this.#held.add(row);
    this.#underWay++;
    await this.#answer(calls);
    this.#underWay--;
    for (const row of rows) this.#held.delete(row);
    this.#sendSoon();
  }

  async #answer(calls: readonly Waiting[]): Promise<void> {
    try {
      const replies = await this.#sender.send(calls.map(({ call }) => call));
      for (const [i, { resolve, reject }] of calls.entries()) {
        const reply = replies[i];
        if (reply === undefined) reject(new Error("the database answered fewer calls than it was sent"));
        else resolve(reply);
      }
    } catch (error) {
      if (calls.length > 1 && this.#sender.wasUndone(error)) {
        // Whose fault it is shows when each goes alone; the others have theirs done.
        await Promise.all(calls.map((one) => this.#answer([one])));
      } else {
        for (const { reject } of calls) reject(error);
      }
    }
  }
}
