import type { Call } from "./call.js";
import { PRIORITIES, Turns } from "./turns.js";
import { WaitingCalls } from "./waiting-calls.js";

/**
 * The line of one key. Bottleneck gives the turn to the best priority that somebody waits with, and the first of that
 * priority is the head: the one call of the line that the gate is asked about. The turn lasts while the head waits, and
 * ends when nobody of its priority waits any more, or somebody of a better one does.
 */
export class Line {
  /** The key, as the queue tells keys apart. */
  readonly name: string;
  readonly waiting = new WaitingCalls();
  readonly #turns = new Turns();
  readonly #hooks: LineHooks;
  /** Priorities that have asked for a turn and not got it yet: one request for each, however many wait. */
  readonly #requested = new Set<number>();
  #turn: { readonly priority: number; readonly end: () => void } | undefined;
  /** Who was the first when the line was last arranged. */
  #before: Call | undefined;

  constructor(name: string, hooks: LineHooks) {
    this.name = name;
    this.#hooks = hooks;
  }

  /** The call that is to be asked about; none while bottleneck has not given the turn. */
  get head(): Call | undefined {
    return this.#turn && this.waiting.of(this.#turn.priority)[0];
  }

  /** The call that is the head, or will be once the turn is given. */
  get first(): Call | undefined {
    const { best } = this.waiting;
    return this.head ?? (best === undefined ? undefined : this.waiting.of(best)[0]);
  }

  add(call: Call): void {
    this.waiting.add(call);
    this.arrange();
  }

  remove(call: Call): void {
    if (this.waiting.remove(call)) this.arrange();
  }

  /** Sees to it that the turn is where it belongs. An answer that is under way is waited for. */
  arrange(): void {
    const { best } = this.waiting;
    if (this.#turn !== undefined && this.#turn.priority !== best && this.head?.state !== "asking") {
      this.#turn.end();
      this.#turn = undefined;
    }
    for (let priority = 0; priority < PRIORITIES; priority++) {
      if (this.#turn?.priority === priority || this.#requested.has(priority)) continue;
      if (this.waiting.of(priority).length > 0) this.#request(priority);
    }
    const before = this.#before;
    this.#before = this.first;
    if (before !== undefined && before !== this.#before) this.#hooks.onNext(this, before);
  }

  #request(priority: number): void {
    this.#requested.add(priority);
    this.#turns.ask(priority, () => this.#take(priority)).catch((error) => this.#hooks.onBroken(this, error));
  }

  #take(priority: number): Promise<void> {
    this.#requested.delete(priority);
    return new Promise((resolve) => {
      this.#turn = { priority, end: resolve };
      this.arrange();
      if (this.#turn !== undefined) this.#hooks.onTurn(this);
    });
  }
}

export interface LineHooks {
  /** A line has a head again. */
  readonly onTurn: (line: Line) => void;
  /** The call that was its first is not any more: it is gone, or was passed. */
  readonly onNext: (line: Line, before: Call) => void;
  /** Its turns cannot be given any more. */
  readonly onBroken: (line: Line, error: unknown) => void;
}
