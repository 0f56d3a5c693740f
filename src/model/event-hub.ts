import { ValidationError } from "./errors.js";

/** Listeners by event. What a listener throws does not reach whoever emits the event. */
export class EventHub<Events extends object> {
  readonly #known: Readonly<Record<keyof Events, true>>;
  readonly #warn: (event: string, error: unknown) => void;
  /** How many listeners there are. Most gates have none, and every call asks. */
  #size = 0;
  readonly #listeners = new Map<keyof Events, Set<{ readonly listener: (event: never) => unknown }>>();

  /**
   * @param known every event there is
   * @param warn called with what a listener throws or rejects with
   */
  constructor(known: Readonly<Record<keyof Events, true>>, warn: (event: string, error: unknown) => void) {
    this.#known = known;
    this.#warn = warn;
  }

  /**
   * Adds a listener.
   *
   * @returns a function that removes the listener
   * @throws ValidationError if there is no such event, for which a listener would wait for ever, or it is not a
   *   function
   */
  on<E extends keyof Events>(event: E, listener: (event: Events[E]) => void): () => void {
    if (typeof event !== "string" || !Object.hasOwn(this.#known, event)) {
      const expected = `one of ${Object.keys(this.#known).join(", ")}`;
      throw new ValidationError([{ field: "event", expected }]);
    }
    if (typeof listener !== "function") {
      throw new ValidationError([{ field: "listener", expected: "a function" }]);
    }
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    const entry = { listener }; // a function that was added twice is two of them, and each is removed by itself
    listeners.add(entry);
    this.#size++;
    return () => {
      if (listeners.delete(entry)) this.#size--;
    };
  }

  /** Whether anybody listens, so that an event nobody wants is not made. */
  wants(event: keyof Events): boolean {
    return this.#size > 0 && (this.#listeners.get(event)?.size ?? 0) > 0;
  }

  emit<E extends keyof Events>(event: E, payload: Events[E]): void {
    for (const { listener } of [...(this.#listeners.get(event) ?? [])]) {
      try {
        // Sound: `on` keeps listeners under the event they were typed for. One may be async all the same.
        const answer = (listener as (event: Events[E]) => unknown)(payload);
        if (answer instanceof Promise) answer.catch((error: unknown) => this.#warn(String(event), error));
      } catch (error) {
        this.#warn(String(event), error);
      }
    }
  }
}
