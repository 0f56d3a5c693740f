import { Cells } from "../admission/cells.js";
import type { Charge } from "../admission/charge.js";
import { Count } from "../admission/count.js";
import type { Limit } from "../admission/limit.js";
import type { LimitShape } from "../admission/limit-shape.js";
import { type Block, type Epoch, GONE, type Places, type Plan, SCOPES_MAX } from "../admission/plan.js";
import { type Place, type ScopeLayout, ScopeLayouts } from "./scope-layout.js";

/** How many scopes are looked at for each new one, so that forgetting keeps up with what is new. */
const SWEPT_PER_NEW = 2;

/** The counts of one scope: a block of cells. */
interface Scope extends Block {
  /**
   * A scope that gets another count gets a longer layout, which begins like the previous one: known counts keep their
   * places.
   */
  layout: ScopeLayout;
  at: number;
}

/** The counts of all scopes, by the names that limits give them. */
export class ScopeCounts {
  readonly cells = new Cells();
  readonly #layouts = new ScopeLayouts();
  readonly #scopes = new Map<string, Scope>();
  /**
   * The places last found for limits of a shape, so that plans whose counts are in the same places share one object.
   */
  readonly #places = new WeakMap<LimitShape, Places>();
  #sweep = this.#scopes.entries();
  // A call asks for the limits of one scope after another, so most look-ups are for the same scope as the one before.
  #lastKey: string | undefined;
  #last: Scope | undefined;
  /** Replaced after a block has moved or was given back: an address found before may then belong to another block. */
  #epoch: Epoch = { counts: this };

  /** The count of a limit, if anything was counted. */
  find({ scopeKey, field }: Limit): Count | undefined {
    const scope = this.#scope(scopeKey);
    const place = scope?.layout.places.get(field);
    return scope && place && new Count(place.kind, this.cells, scope.at + place.offset);
  }

  /**
   * The count of a limit, made if there is none, together with those that there are none of for the other limits of its
   * scope in a call. Making a scope also forgets some that no longer matter.
   *
   * @param callerNow by which those are found. The counters' clock may be days ahead, after a clock that was wrong for a
   *   while, and the periods that callers name then end long after they have ended by it.
   */
  obtain(limit: Limit, callerNow: number, call: readonly Pick<Charge, "limit">[] = []): Count {
    const found = this.find(limit);
    if (found !== undefined) return found;
    if (this.#last === undefined) {
      for (let i = 0; i < SWEPT_PER_NEW; i++) this.#sweepOne(callerNow);
    }
    this.#make(limit.scopeKey, [{ limit }, ...call]);
    return this.obtain(limit, callerNow);
  }

  /**
   * Tells a plan where the counts of its limits are, if it does not know.
   *
   * @returns false if not all of them are kept
   */
  locate(plan: Plan): boolean {
    if (plan.epoch === this.#epoch) return true;
    // Where keys come and go, epochs change often, but hardly any plan's blocks were given back. Such a plan need not
    // search.
    if (plan.epoch?.counts === this && !plan.blocks.some(({ at }) => at === GONE)) {
      plan.foundAt(this.#epoch, plan.blocks, plan.places);
      return true;
    }
    const scopes: Scope[] = [];
    const places: Place[] = [];
    const blocks: number[] = [];
    for (const { scopeKey, field } of plan.limits) {
      const scope = this.#scope(scopeKey);
      const place = scope?.layout.places.get(field);
      if (scope === undefined || place === undefined) return false;
      if (!scopes.includes(scope)) scopes.push(scope);
      blocks.push(scopes.indexOf(scope));
      places.push(place);
    }
    if (scopes.length > SCOPES_MAX) return false;
    const [offsets, kinds] = [places.map(({ offset }) => offset), places.map(({ kind }) => kind)];
    plan.foundAt(this.#epoch, scopes, this.#shared(plan.shape, { blocks, offsets, kinds }));
    return true;
  }

  /** Everything that is counted, as plain data. */
  dump(): Record<string, Record<string, readonly (number | null)[]>> {
    const dumped = [...this.#scopes].map(([key, { layout, at }]) => {
      const fields = [...layout.places].map(
        ([field, { kind, offset }]) => [field, [...kind.dump(this.cells, at + offset)]] as const,
      );
      return [key, Object.fromEntries(fields)] as const;
    });
    return Object.fromEntries(dumped.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #scope(scopeKey: string): Scope | undefined {
    if (scopeKey !== this.#lastKey) {
      this.#last = this.#scopes.get(scopeKey);
      this.#lastKey = scopeKey;
    }
    return this.#last;
  }

  /** Makes those counts of a call in the last scope that there are none of, and the scope if need be: one block for all. */
  #make(scopeKey: string, call: readonly Pick<Charge, "limit">[]): void {
    const scope = this.#last;
    let layout = scope?.layout ?? this.#layouts.none;
    const size = layout.empty.length;
    for (const { limit } of call) {
      if (limit.scopeKey === scopeKey && !layout.places.has(limit.field)) {
        layout = this.#layouts.with(layout, limit);
      }
    }
    if (scope === undefined) {
      this.#last = { layout, at: this.cells.take(layout.empty) };
      this.#lastKey = scopeKey;
      this.#scopes.set(scopeKey, this.#last);
      return;
    }
    const { at } = scope;
    scope.at = this.cells.extend(at, size, layout.empty.slice(size));
    scope.layout = layout;
    if (scope.at !== at) this.#epoch = { counts: this };
  }

  #shared(shape: LimitShape, places: Places): Places {
    const known = this.#places.get(shape);
    if (known !== undefined && isSame(known, places)) return known;
    this.#places.set(shape, places);
    return places;
  }

  /** Looks at one scope, another each time, and forgets it if nothing in it matters any more. */
  #sweepOne(now: number): void {
    let next = this.#sweep.next();
    if (next.done) {
      this.#sweep = this.#scopes.entries();
      next = this.#sweep.next();
      if (next.done) return;
    }
    const [key, scope] = next.value;
    const { layout, at } = scope;
    const places = [...layout.places.values()];
    if (!places.every(({ kind, offset }) => kind.idle(this.cells, at + offset, now))) return;
    for (const { kind, offset } of places) kind.forget(this.cells, at + offset);
    this.#scopes.delete(key);
    scope.at = GONE;
    this.cells.giveBack(at, layout.empty.length);
    this.#epoch = { counts: this };
  }
}

/** Whether limits of one shape have their counts in the same places. A kind is of one place, so that has the same offset. */
function isSame(a: Places, b: Places): boolean {
  return a.kinds.every((kind, i) => kind === b.kinds[i] && a.blocks[i] === b.blocks[i]);
}
