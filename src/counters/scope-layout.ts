import { countKind } from "../admission/count.js";
import type { CountKind } from "../admission/count-kind.js";
import type { Limit } from "../admission/limit.js";

/** Where a count is in the block of its scope, and how it counts. */
export interface Place {
  readonly kind: CountKind;
  /** Index of the first of its numbers. */
  readonly offset: number;
}

/** Which counts a scope has. A million keys with limits of the same kinds share one layout. */
export class ScopeLayout {
  /** By the name that limits give the count. */
  readonly places: ReadonlyMap<string, Place>;
  /** The numbers of a scope in which nothing was counted. */
  readonly empty: readonly number[];

  constructor(places: ReadonlyMap<string, Place>, empty: readonly number[]) {
    this.places = places;
    this.empty = empty;
  }
}

/**
 * How many layouts are kept for new scopes to share. Beyond that, a scope with other counts has a layout of its own.
 */
const LAYOUTS_MAX = 1_000;

/** The layouts in use. */
export class ScopeLayouts {
  readonly none = new ScopeLayout(new Map(), []);
  /** By the layout to which a count was added, and the name of the count. */
  readonly #made = new Map<ScopeLayout, Map<string, ScopeLayout>>();
  #size = 0;

  /** The layout with one more count at its end, for the limit. */
  with(layout: ScopeLayout, { field, window }: Limit): ScopeLayout {
    // The window too: a reservation that comes as JSON may claim another window for the same field than everybody else.
    const name = JSON.stringify([field, window.kind, window.kind === "sliding" && window.lengthMs]);
    const known = this.#made.get(layout)?.get(name);
    if (known !== undefined) return known;
    const kind = countKind(window);
    const place = { kind, offset: layout.empty.length };
    const numbers = [...layout.empty, ...kind.empty];
    const made = new ScopeLayout(new Map([...layout.places, [field, place]]), numbers);
    if (this.#size < LAYOUTS_MAX) {
      this.#size++;
      const next = this.#made.get(layout) ?? new Map();
      this.#made.set(layout, next.set(name, made));
    }
    return made;
  }
}
