import type { Call } from "./call.js";
import { PRIORITIES, Turns } from "./turns.js";
import { WaitingCalls } from "./waiting-calls.js";

/**
 * The line of one key. Bottleneck gives the turn to the best priority with which somebody waits, and the first call of
 * that priority is the head: the one call of the line about which the gate is asked. The turn lasts while the head
 * waits. It ends when nobody of its priority waits any more, or somebody of a better one does.
 */
export class Line {
  /** The name by which the queue distinguishes keys. */
  readonly name: string;
  readonly waiting = new WaitingCalls();
  readonly #turns = new Turns();
  readonly #hooks: LineHooks;
  /** The priorities that have asked for a turn and not yet got it: one request each, however many calls wait. */
  readonly #requested = new Set<number>();
  #turn: { readonly priority: number; readonly end: () => void } | undefined;
  /** The first call when the line was last arranged. */
  #before: Call | undefined;

  constructor(name: string, hooks: LineHooks) {
    this.name = name;
    this.#hooks = hooks;
  }

  /** The call to ask about. None while bottleneck has not given the turn. */
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

  /** Takes out a call that waits in it. */
  remove(call: Call): void {
    this.waiting.remove(call);
    this.arrange();
  }

  /** Moves the turn to where it belongs. An answer under way is waited for. */
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
  /** Called when a line has a head again. */
  readonly onTurn: (line: Line) => void;
  /** Called when the first call of the line is not first any more: it is gone, or was overtaken. */
  readonly onNext: (line: Line, before: Call) => void;
  /** Called when turns cannot be given any more. */
  readonly onBroken: (line: Line, error: unknown) => void;
}
