import { ValidationError } from "../../model/errors.js";
import type { Kind } from "../../policy/permission.js";
import type { Policy } from "../../policy/policy.js";
import { type Ask, type Authorizer, askAbout, type Cell, type Facts, type Names } from "./cell.js";

/** One value, or any of several. */
export type OneOf<T> = T | readonly T[];

/**
 * Facts that a cell must have. A fact that is left out may be anything, with two exceptions: without `sameOrg` it is
 * the principal's own org, and without `key` they act as a person. That keys and other orgs gain nothing is what the
 * {@link laws} say for all.
 */
export interface Pattern<N extends Names = Names> {
  readonly permission?: OneOf<N["permission"]>;
  readonly kind?: OneOf<Kind>;
  /** `null` for somebody who is not in the org. */
  readonly orgRole?: OneOf<N["orgRole"] | null>;
  /** Role in the project that is asked about. `null` for none. */
  readonly projectRole?: OneOf<N["projectRole"] | null>;
  /** Role in another project of the org. `null` for none. */
  readonly otherProjectRole?: OneOf<N["projectRole"] | null>;
  /** Through which key the principal acts; `null` for a person. Default: `null`. */
  readonly key?: OneOf<Facts["key"]>;
  /** Whether it is the principal's own org. Default: `true`. */
  readonly sameOrg?: OneOf<boolean>;
  readonly own?: boolean;
  /** Conditions that hold (`true`) or do not (`false`). Those that are left out may do either. */
  readonly conditions?: Facts<N>["conditions"];
  /** At least one of these caps is on the org or the project. `[]` means that no cap is. */
  readonly caps?: OneOf<N["cap"]>;
}

/** Which cells are meant: those of a pattern, of any of several patterns, or those a function picks. */
export type Where<N extends Names = Names> = OneOf<Pattern<N>> | ((cell: Cell<N>) => boolean);

/** What a claim can say. */
export type ClaimPart = "allowed" | "denied" | "of" | "onlyIf" | "exactlyIf" | "sameAs";

/** A claim of exactly these parts. Others would be ignored, so the type refuses them. */
export type ClaimOf<Parts> = Readonly<Parts> & {
  readonly [Other in Exclude<ClaimPart, keyof Parts>]?: never;
};

/** A claim about a policy. A function claims that it returns `true` for every cell. */
export type Claim<N extends Names = Names> =
  | ClaimOf<{ allowed: Where<N> }>
  | ClaimOf<{ denied: Where<N> }>
  /** Of some cells, only these are allowed, if any. */
  | ClaimOf<{ of: Where<N>; onlyIf: Where<N> }>
  /** Of some cells, exactly these are allowed. */
  | ClaimOf<{ of: Where<N>; exactlyIf: Where<N> }>
  /**
   * Of some cells, exactly those are allowed that another policy allows, such as the one that was extended. The cells
   * are those of both policies, including any caps, conditions, roles and permissions that only the other has.
   */
  | ClaimOf<{ of: Where<N>; sameAs: Authorizer }>
  | ((cell: Cell<N>, ask: Ask<N>) => boolean);

/** Claims by their statement in words, which a failing proof prints. */
export type Claims<N extends Names = Names> = Readonly<Record<string, Claim<N>>>;

type Matcher = (cell: Cell) => boolean;

/** A claim in the form that is checked cell by cell. */
export interface Check {
  readonly statement: string;
  /** The subjects of the claim, one for each pattern. One that matches no cell would otherwise go unnoticed. */
  readonly subjects: readonly Matcher[];
  /** Whether it says anything about a cell, that is, whether any subject matches. */
  readonly speaksOf: Matcher;
  readonly holds: (cell: Cell, ask: Ask) => boolean;
  /** Whether it may ask about other cells than the one it is given. */
  readonly looksAround: boolean;
  /** The policy whose cells it covers as well. */
  readonly other?: Pick<Policy, "spec">;
}

/** The name that a ValidationError gives a claim. */
export function fieldOf(statement: string): string {
  return `claims[${JSON.stringify(statement)}]`;
}

export function checksOf(claims: Claims): Check[] {
  return Object.entries(claims).map(([statement, claim]) => ({
    statement,
    ...checkOf(claim, (part, where) => matchers(where, `${fieldOf(statement)}.${part}`)),
  }));
}

function checkOf(
  claim: Claim,
  matchersOf: (part: ClaimPart, where: Where) => readonly Matcher[],
): Omit<Check, "statement"> {
  if (typeof claim === "function") {
    const every = () => true;
    // Only `true` counts: a promise, for one, does not.
    const holds: Check["holds"] = (cell, ask) => claim(cell, ask) === true;
    return { subjects: [every], speaksOf: every, holds, looksAround: true };
  }
  // What is undefined is left out, as in a pattern.
  if (claim.allowed !== undefined)
    return check(matchersOf("allowed", claim.allowed), (_, allowed) => allowed);
  if (claim.denied !== undefined) return check(matchersOf("denied", claim.denied), (_, allowed) => !allowed);
  const subjects = matchersOf("of", claim.of);
  if (claim.onlyIf !== undefined) {
    const may = anyOf(matchersOf("onlyIf", claim.onlyIf));
    return check(subjects, (cell, allowed) => !allowed || may(cell));
  }
  if (claim.sameAs !== undefined) {
    const { sameAs } = claim;
    return {
      ...check(subjects, (cell, allowed) => allowed === askAbout(sameAs, {}, cell)().allowed),
      ...(isPolicy(sameAs) && { other: sameAs }),
    };
  }
  const may = anyOf(matchersOf("exactlyIf", claim.exactlyIf));
  return check(subjects, (cell, allowed) => allowed === may(cell));
}

/** Whether its rules can be looked at, and not only asked. */
function isPolicy(authorizer: Authorizer): authorizer is Policy {
  return "spec" in authorizer;
}

function check(
  subjects: readonly Matcher[],
  right: (cell: Cell, allowed: boolean) => boolean,
): Omit<Check, "statement"> {
  return {
    subjects,
    speaksOf: anyOf(subjects),
    holds: (cell, ask) => right(cell, ask().allowed),
    looksAround: false,
  };
}

function matchers(where: Where, field: string): readonly Matcher[] {
  if (typeof where !== "function") return listOf(where).map(patternMatcher);
  const picks: Matcher = (cell) => {
    const is: unknown = where(cell);
    if (typeof is === "boolean") return is;
    // A promise would be a yes for every cell.
    throw new ValidationError([{ field, expected: "a function that returns true or false" }]);
  };
  return [picks];
}

function anyOf(some: readonly Matcher[]): Matcher {
  const [only, ...others] = some;
  if (only !== undefined && others.length === 0) return only;
  return (cell) => some.some((matches) => matches(cell));
}

function patternMatcher({ conditions, caps, ...facts }: Pattern): Matcher {
  const wanted = Object.entries({ sameOrg: true, key: null, ...Object.fromEntries(said(facts)) }).map(
    // Sound: a pattern's other fields are fields of a cell.
    ([fact, values]) => ({ fact: fact as keyof Cell, values: new Set(listOf<unknown>(values)) }),
  );
  const held = said(conditions ?? {});
  const capIds = caps === undefined ? undefined : new Set<string>(listOf(caps));
  return (cell) => {
    for (const { fact, values } of wanted) if (!values.has(cell[fact])) return false;
    if (!held.every(([name, value]) => (cell.conditions[name] === true) === value)) return false;
    if (capIds === undefined) return true;
    return capIds.size === 0 ? cell.caps.length === 0 : cell.caps.some((id) => capIds.has(id));
  };
}

/** What is not left out: `undefined` is no value that a cell could have. */
function said(facts: object): [string, unknown][] {
  return Object.entries(facts).filter(([, value]) => value !== undefined);
}

function listOf<T>(values: OneOf<T>): readonly T[] {
  return Array.isArray(values) ? values : [values as T]; // Sound: what is no list is one of them.
}

/** The first cell of some that a claim is wrong about. */
export function counterexample(
  { speaksOf, holds }: Check,
  policy: Authorizer,
  kinds: Readonly<Record<string, Kind>>,
  cells: Iterable<Cell>,
): Cell | undefined {
  for (const cell of cells) {
    if (speaksOf(cell) && !holds(cell, askAbout(policy, kinds, cell))) return cell;
  }
  return undefined;
}
