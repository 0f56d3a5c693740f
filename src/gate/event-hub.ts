import { errorName } from "../model/error-name.js";
import { ValidationError } from "../model/errors.js";
import type { GateEvents } from "./events.js";

/** Listeners by event. What one of them throws is kept from the call that it listens to. */
export class EventHub<Events extends object = GateEvents> {
  readonly #known: Readonly<Record<keyof Events, true>>;
  /** How many there are: most gates have none, and every call asks. */
  #size = 0;
  readonly #listeners = new Map<keyof Events, Set<{ readonly listener: (event: never) => unknown }>>();

  /** @param known every event there is */
  constructor(known: Readonly<Record<keyof Events, true>>) {
    this.#known = known;
  }

  /**
   * Adds a listener; the returned function removes it.
   *
   * @throws ValidationError where there is no such event: a listener would wait for it for ever
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
    const entry = { listener };
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
        if (answer instanceof Promise) answer.catch((error: unknown) => warnOf(String(event), error));
      } catch (error) {
        warnOf(String(event), error);
      }
    }
  }
}

function warnOf(event: string, error: unknown): void {
  process.emitWarning(`A listener of "${event}" threw: ${errorName(error)}`, "TollgateWarning");
}
