import type { Policy } from "../../policy/policy.js";
import { askAbout, type Cell, type NamesOf } from "./cell.js";
import { cellsOf, checkSize, countOf } from "./cells.js";
import { type Check, type Claims, checksOf } from "./claim.js";
import { checkForm } from "./claim-form.js";
import { forAsking, type Shape, shapeOf, union } from "./shape.js";
import { cellInWords, verdictInWords } from "./words.js";

/** A claim that does not hold. */
export interface Counterexample {
  /** The claim's statement. */
  readonly claim: string;
  /** The first cell for which it is wrong. `undefined` if the claim, or one of its patterns, matches no cell. */
  readonly cell: Cell | undefined;
  /** For how many cells it is wrong. */
  readonly count: number;
  /** The cell and its verdict in words. */
  readonly words: string;
}

/** Some claims do not hold. The message says which, and where. */
export class CounterexampleError extends Error {
  readonly counterexamples: readonly Counterexample[];

  constructor(counterexamples: readonly Counterexample[], cellCount: number) {
    const lines = counterexamples.map(({ claim, words, count }) => {
      const more = count > 1 ? `\n  and ${count - 1} more of ${cellCount} cells` : "";
      return `does not hold: ${claim}\n  ${words}${more}`;
    });
    super(lines.join("\n"));
    this.name = "CounterexampleError";
    this.counterexamples = counterexamples;
  }
}

/**
 * Proves claims about a policy by checking each on every cell, so a claim that passes has no exception.
 *
 * @param claims the claims by their statements. The compiler checks names of permissions, roles, conditions and caps.
 * @returns how many cells were looked at: those of the policy; those of both policies for a `sameAs` whose policy has
 *   others; and, for a function, once more each permission about the org with each capped project
 * @throws CounterexampleError naming, for each claim that does not hold, the simplest cell for which it is wrong. A
 *   claim does not hold if it, or one of its patterns, matches no cell.
 * @throws ValidationError for a claim that the compiler would refuse (of no known form, with a name that the policy
 *   does not have, or a function that does not return true or false), and for a policy of more than 10,000,000 cells
 */
export function prove<T extends Policy>(policy: T, claims: Claims<NamesOf<T>>): { readonly cells: number } {
  const { found, cells } = search(policy, claims as Claims); // Sound: the cells have the policy's names.
  if (found.length > 0) throw new CounterexampleError(found, cells);
  return { cells };
}

/**
 * Finds the claims that do not hold, each with its first counterexample, for use where a proof should not throw.
 *
 * @throws ValidationError as {@link prove} does
 */
export function counterexamples<T extends Policy>(policy: T, claims: Claims<NamesOf<T>>): Counterexample[] {
  return search(policy, claims as Claims).found; // Sound: as in `prove`.
}

function search(
  policy: Policy,
  claims: Claims,
): { readonly found: Counterexample[]; readonly cells: number } {
  const { permissions } = policy.spec;
  checkForm(claims, policy.spec);
  const own = shapeOf(policy);
  const shapeFor = shapesFor(own);
  const states = checksOf(claims).map(
    (check): State => ({
      check,
      shape: shapeFor(check),
      silent: new Set(check.subjects),
      first: undefined,
      count: 0,
    }),
  );
  const shapes = new Set([own, ...states.map(({ shape }) => shape)]);
  for (const shape of shapes) checkSize(shape);
  let cells = 0;
  for (const shape of shapes) {
    const about = states.filter((state) => state.shape === shape);
    for (const cell of cellsOf(shape)) {
      cells++;
      const ask = askAbout(policy, permissions, cell);
      for (const state of about) {
        if (!state.check.speaksOf(cell)) continue;
        for (const subject of state.silent) if (subject(cell)) state.silent.delete(subject);
        if (state.check.holds(cell, ask)) continue;
        state.first ??= cell;
        state.count++;
      }
    }
  }
  const found = states.flatMap(({ check, shape, silent, first: cell, count }): Counterexample[] => {
    const words = silenceInWords(check, silent);
    if (words !== undefined) return [{ claim: check.statement, cell: undefined, count: 0, words }];
    if (cell === undefined) return [];
    const verdict = askAbout(policy, permissions, cell)();
    return [
      {
        claim: check.statement,
        cell,
        count,
        words: `${cellInWords(cell, shape.conditions)}: ${verdictInWords(verdict)}`,
      },
    ];
  });
  return { found, cells };
}

/**
 * The cells of each check: those of the proved policy; those of a policy to compare with, if that makes more; and more
 * for permissions about the org if the claim may ask about a project of it.
 */
export function shapesFor(own: Shape): (check: Check) => Shape {
  const asking = forAsking(own);
  return ({ looksAround, other }) => {
    if (looksAround) return asking;
    if (other === undefined) return own;
    const { caps, ...names } = shapeOf(other);
    // The places of the other policy's caps, without their ids: a claim names the caps of the policy that is proved.
    const both = union(own, { ...names, caps: caps.map(([, cap]) => [undefined, cap]) });
    // The count alone does not tell: a permission has as many cells about a project as about the org, but different
    // ones.
    const sameKinds = Object.entries(both.permissions).every(([id, kind]) => own.permissions[id] === kind);
    return sameKinds && countOf(both) === countOf(own) ? own : both;
  };
}

/** Says that a claim, or one of its patterns, matches no cell. `undefined` if each matches some. */
function silenceInWords({ subjects }: Check, silent: State["silent"]): string | undefined {
  if (subjects.length === silent.size) return "it matches no cell";
  const at = subjects.findIndex((subject) => silent.has(subject));
  return at === -1 ? undefined : `pattern ${at + 1} of ${subjects.length} matches no cell`;
}

/** What was found about one claim so far. */
interface State {
  readonly check: Check;
  readonly shape: Shape;
  /** The subjects that have matched no cell yet. */
  readonly silent: Set<Check["subjects"][number]>;
  first: Cell | undefined;
  count: number;
}
