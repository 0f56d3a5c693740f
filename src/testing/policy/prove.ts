import type { Policy } from "../../policy/policy.js";
import { askAbout, type Cell, type NamesOf } from "./cell.js";
import { cellsOf, checkSize, shapeOf } from "./cells.js";
import { type Check, type Claims, checksOf } from "./claim.js";
import { checkForm } from "./claim-form.js";
import { cellInWords, verdictInWords } from "./words.js";

/** A claim that does not hold. */
export interface Counterexample {
  /** The claim, in its own words. */
  readonly claim: string;
  /** The first cell that it is wrong about; undefined where it speaks of no cell at all. */
  readonly cell: Cell | undefined;
  /** How many cells it is wrong about. */
  readonly count: number;
  /** The cell and its verdict, as a person would say it. */
  readonly words: string;
}

/** Some claims do not hold; the message says which, and where. */
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
 * Proves claims about a policy: each is checked on every cell, so one that passes has no exception.
 *
 * @param claims by what they say; names of permissions, roles, conditions and caps are checked by the compiler
 * @returns how many cells there are
 * @throws CounterexampleError naming, for each claim that does not hold, the simplest cell that it is wrong about; a claim
 *   that speaks of no cell does not hold either; ValidationError for a claim of no form, or about what the policy does not
 *   name, which the compiler would not take, and for a policy of more than 10,000,000 cells
 */
export function prove<T extends Policy>(policy: T, claims: Claims<NamesOf<T>>): { readonly cells: number } {
  const { found, cells } = search(policy, claims as Claims); // Sound: the cells have the policy's names.
  if (found.length > 0) throw new CounterexampleError(found, cells);
  return { cells };
}

/** The claims that do not hold, each with its first counterexample; for whoever wants to go on after one. */
export function counterexamples<T extends Policy>(policy: T, claims: Claims<NamesOf<T>>): Counterexample[] {
  return search(policy, claims as Claims).found; // Sound: as in `prove`.
}

function search(
  policy: Policy,
  claims: Claims,
): { readonly found: Counterexample[]; readonly cells: number } {
  const { permissions, conditions } = policy.spec;
  checkForm(claims, policy.spec);
  const shape = shapeOf(policy);
  checkSize(shape);
  const names = Object.keys(conditions);
  const states = checksOf(claims).map(
    (check): State => ({ check, spoken: false, first: undefined, count: 0 }),
  );
  let cells = 0;
  for (const cell of cellsOf(shape)) {
    cells++;
    const ask = askAbout(policy, permissions, cell);
    for (const state of states) {
      if (!state.check.speaksOf(cell)) continue;
      state.spoken = true;
      if (state.check.holds(cell, ask)) continue;
      state.first ??= cell;
      state.count++;
    }
  }
  const found = states.flatMap(({ check, spoken, first: cell, count }): Counterexample[] => {
    if (!spoken) return [{ claim: check.statement, cell, count, words: "it speaks of no cell" }];
    if (cell === undefined) return [];
    const verdict = askAbout(policy, permissions, cell)();
    return [
      {
        claim: check.statement,
        cell,
        count,
        words: `${cellInWords(cell, names)}: ${verdictInWords(verdict)}`,
      },
    ];
  });
  return { found, cells };
}

/** What was found about one claim so far. */
interface State {
  readonly check: Check;
  spoken: boolean;
  first: Cell | undefined;
  count: number;
}
