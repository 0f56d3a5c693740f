import type { Charge } from "../../admission/charge.js";
import type { Limit } from "../../admission/limit.js";
import type { Period } from "../../admission/period.js";
import { ValidationError } from "../../model/errors.js";
import { type Layout, layoutOf } from "./layout.js";
import type { NameOf } from "./plan-text.js";

/** The numbers before the charges, whose meaning depends on reserve, settle or read. */
type Header = readonly [number, number, number];

/** Charges in the form that stores take. */
export interface EncodedCharges<L extends Layout = Layout> {
  readonly layout: L;
  /** The header, the amounts and the periods, separated by commas. */
  readonly numbers: string;
  /** The charges in the order in which they are sent. */
  readonly charges: readonly Charge[];
}

/** How many layouts are kept per last limit: calls of one key may ask for different models. */
const LAYOUTS_MAX = 16;

/** Encodes charges. Limits are shared by many calls, so what is known of them is kept as long as they are. */
export class RequestEncoder<L extends Layout> {
  readonly #nameOf: NameOf;
  readonly #completed: (layout: Layout) => L;
  /** By the last limit of a call: that of the narrowest scope, which the fewest other calls share. */
  readonly #layouts = new WeakMap<Limit, L[]>();

  /** @param completed adds to a layout what only one kind of store needs */
  constructor(nameOf: NameOf, completed: (layout: Layout) => L) {
    this.#nameOf = nameOf;
    this.#completed = completed;
  }

  /**
   * Encodes charges that are to be made.
   *
   * @throws ValidationError if two of them are on the same count: a store would not see one in the other
   */
  encode(orgId: string, charges: readonly Charge[], header: Header): EncodedCharges<L> {
    const encoded = this.encodeToRead(orgId, charges, header);
    if (!encoded.layout.isUnique) {
      throw new ValidationError([{ field: "charges", expected: "at most one charge of each count" }]);
    }
    return encoded;
  }

  /** Encodes charges to read for. Several of them may be on the same count. */
  encodeToRead(orgId: string, given: readonly Charge[], header: Header): EncodedCharges<L> {
    let layout = this.#layout(orgId, given);
    let numbers = numbersOf(layout, header, given);
    if (numbers === undefined) {
      layout = this.#made(orgId, given, true);
      numbers = numbersOf(layout, header, given) ?? "";
    }
    const { places } = layout;
    // Sound: places are those of `given`.
    const charges = places ? places.map((place) => given[place] as Charge) : given;
    return { layout, numbers, charges };
  }

  #made(orgId: string, charges: readonly Charge[], isWide: boolean): L {
    return this.#completed(layoutOf(this.#nameOf, orgId, charges, isWide));
  }

  #layout(orgId: string, charges: readonly Charge[]): L {
    const last = charges.at(-1)?.limit;
    const kept = last && this.#layouts.get(last);
    for (const layout of kept ?? []) {
      if (layout.orgId === orgId && hasLimits(layout, charges)) return layout;
    }
    const layout = this.#made(orgId, charges, false);
    if (kept === undefined) {
      if (last) this.#layouts.set(last, [layout]);
    } else {
      if (kept.length >= LAYOUTS_MAX) kept.shift();
      kept.push(layout);
    }
    return layout;
  }
}

function hasLimits({ limits }: Layout, charges: readonly Charge[]): boolean {
  if (limits.length !== charges.length) return false;
  for (let i = 0; i < limits.length; i++) if (charges[i]?.limit !== limits[i]) return false;
  return true;
}

/**
 * The numbers of a call. Undefined if charges share a place for their amount or period but differ in it, which needs a
 * wide layout.
 */
function numbersOf(layout: Layout, header: Header, charges: readonly Charge[]): string | undefined {
  const amounts = new Array<number>(layout.amountCount).fill(0);
  const periods = new Array<Period | undefined>(layout.periodCount).fill(undefined);
  const isTold = new Array<boolean>(layout.amountCount).fill(false);
  for (let i = 0; i < charges.length; i++) {
    // Sound: the layout is of as many charges, and what it has of them are places in these arrays.
    const { limit, amount, period } = charges[i] as Charge;
    const place = layout.amounts[i] as number;
    if (isTold[place] && amounts[place] !== amount) return undefined;
    amounts[place] = amount;
    isTold[place] = true;
    if (limit.window.kind !== "calendar") continue;
    if (period === undefined) throw new Error("a charge against a calendar limit has a period");
    const at = layout.periods[i] as number;
    const told = periods[at];
    if (told !== undefined && told !== period && !isSame(told, period)) return undefined;
    periods[at] = period;
  }
  let text = `${header[0]},${header[1]},${header[2]}`;
  for (const amount of amounts) text += `,${amount}`;
  for (const period of periods) {
    text += period ? `,${period.index},${period.startsAt},${period.endsAt}` : ",0,0,0";
  }
  return text;
}

function isSame(a: Period, b: Period): boolean {
  return a.index === b.index && a.startsAt === b.startsAt && a.endsAt === b.endsAt;
}
