import type { Call } from "./call.js";
import { PRIORITIES } from "./turns.js";

/** The waiting calls of one key, by priority and then by arrival. */
export class WaitingCalls {
  readonly #byPriority: Call[][] = Array.from({ length: PRIORITIES }, () => []);
  #size = 0;
  #best: number | undefined;

  get size(): number {
    return this.#size;
  }

  /**
   * Puts a call where it belongs. One about which the gate was asked first may be added later than those that arrived
   * after it.
   */
  add(call: Call): void {
    const calls = this.of(call.priority);
    let place = calls.length;
    while (place > 0 && (calls[place - 1]?.order ?? 0) > call.order) place--;
    calls.splice(place, 0, call);
    this.#size++;
    this.#best = Math.min(this.#best ?? call.priority, call.priority);
  }

  /** Takes out a call that is there. */
  remove(call: Call): void {
    const calls = this.of(call.priority);
    calls.splice(calls.indexOf(call), 1);
    this.#size--;
    if (calls.length === 0) this.#best = this.#findBest();
  }

  /** The calls of one priority in the order of arrival. */
  of(priority: number): Call[] {
    const calls = this.#byPriority[priority];
    if (calls === undefined) throw new RangeError("a priority is a whole number from 0 to 9");
    return calls;
  }

  /** The best priority with which somebody waits. Always known, since every sweep asks every line. */
  get best(): number | undefined {
    return this.#best;
  }

  #findBest(): number | undefined {
    const found = this.#byPriority.findIndex((calls) => calls.length > 0);
    return found < 0 ? undefined : found;
  }

  /** The call whose turn comes last. */
  get last(): Call | undefined {
    return this.#byPriority.findLast((calls) => calls.length > 0)?.at(-1);
  }

  /** All of them, in the order in which they will be admitted. */
  all(): Call[] {
    return this.#byPriority.flat();
  }
}
