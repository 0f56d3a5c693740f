import type { Policy } from "../../policy/policy.js";
import { type Authorizer, askAbout, type Cell, type NamesOf } from "./cell.js";
import { cellsOf } from "./cells.js";
import { type Check, type Claims, checksOf, counterexample } from "./claim.js";
import { mutantsOf, withoutEachRule } from "./mutants.js";
import { prove, shapesFor } from "./prove.js";
import { forAsking, type Shape, shapeAbout, shapeOf } from "./shape.js";
import { cellInWords } from "./words.js";

/** A change to one rule of a policy that no claim notices. */
export interface Survivor {
  /** The id of the rule, as in a verdict. */
  readonly rule: string;
  /** What the rule says. */
  readonly from: string;
  /** What it says after the change. */
  readonly to: string;
  /** The first cell that the change allows or denies, in words. */
  readonly words: string;
}

/** How much of a policy some claims pin down. */
export interface SurvivorReport {
  /** How many changes to one rule change what is allowed somewhere. */
  readonly mutants: number;
  /** The share of them that some claim notices, from 0 to 1. */
  readonly noticed: number;
  /** The changes that no claim notices. */
  readonly survivors: readonly Survivor[];
}

/**
 * Changes one rule of a policy at a time and lists the changes that no claim notices: the coverage of a policy's tests.
 *
 * Each grant of each role becomes every other grant that its permission can have, under every condition. Each cap loses
 * or gains a permission or gets another condition. A change that leaves every verdict the same is not counted.
 *
 * @throws CounterexampleError if the claims do not hold for the unchanged policy
 * @throws ValidationError as {@link prove} does
 */
export function survivors<T extends Policy>(policy: T, claims: Claims<NamesOf<T>>): SurvivorReport {
  prove(policy, claims);
  const shape = shapeOf(policy);
  const shapeFor = shapesFor(shape);
  const asking = forAsking(shape);
  const checks = checksOf(claims as Claims); // Sound: as in `prove`.
  const crossing = checks.filter(
    (check) => check.looksAround && asksForOthers(check, policy, cellsOf(asking)),
  );
  // A function may pick some of their cells that the policy does not have.
  const wider = checks.filter((check) => !check.looksAround && shapeFor(check) !== shape);
  const names = Object.keys(policy.spec.conditions);
  const found: Survivor[] = [];
  let mutants = 0;
  // Mutants of one permission come together.
  let near: readonly Cell[] = [];
  for (const mutant of mutantsOf(policy)) {
    const { permission } = mutant;
    if (near[0]?.permission !== permission) {
      near = [...cellsOf(withOnly(permission, asking))];
    }
    const changed = near.filter((cell) => differsIn(cell, policy, mutant.policy));
    const [cell] = changed;
    if (cell === undefined) continue;
    mutants++;
    const wrongAbout = (some: Iterable<Cell>) => (check: Check) =>
      counterexample(check, mutant.policy, policy.spec.permissions, some) !== undefined;
    if (checks.some(wrongAbout(changed))) continue;
    // Beyond the cells that changed, only a claim that asks about other cells can notice anything.
    if (checks.filter(({ looksAround }) => looksAround).some(wrongAbout(near))) continue;
    if (wider.some((check) => wrongAbout(cellsOf(withOnly(permission, shapeFor(check))))(check))) continue;
    if (crossing.some((check) => wrongAbout(cellsOf(asking))(check))) continue;
    const { allowed } = mutant.policy.authorize(...questionIn(cell));
    const words = `${cellInWords(cell, names)}: would be ${allowed ? "allowed" : "denied"}`;
    found.push({ rule: mutant.rule, from: mutant.from, to: mutant.to, words });
  }
  return { mutants, noticed: mutants === 0 ? 1 : (mutants - found.length) / mutants, survivors: found };
}

/**
 * Lists the rules of a policy whose removal changes nothing, by id: what they grant is granted by others, or what they
 * deny is allowed to nobody.
 */
export function idle(policy: Policy): string[] {
  const shape = shapeOf(policy);
  const found: string[] = [];
  for (const without of withoutEachRule(policy)) {
    const about = shapeAbout(without.permission, shape, [policy]);
    const cells = cellsOf(about, { key: null, sameOrg: true, otherProjectRole: null });
    if (!differsSomewhere(cells, policy, without.policy)) found.push(without.rule);
  }
  return found;
}

function withOnly(permission: string, shape: Shape): Shape {
  return { ...shape, permissions: { [permission]: shape.permissions[permission] ?? "org" } };
}

function differsSomewhere(cells: Iterable<Cell>, a: Authorizer, b: Authorizer): boolean {
  for (const cell of cells) if (differsIn(cell, a, b)) return true;
  return false;
}

/**
 * Whether, in a cell of one permission, a claim asks about another. If it does not, the cells of other permissions
 * cannot tell it anything about a mutant: nothing it sees there has changed.
 */
function asksForOthers({ holds }: Check, policy: Policy, all: Iterable<Cell>): boolean {
  let asks = false;
  for (const cell of all) {
    const ask = askAbout(policy, policy.spec.permissions, cell);
    holds(cell, (change) => {
      asks ||= change?.permission !== undefined && change.permission !== cell.permission;
      return ask(change);
    });
    if (asks) return true;
  }
  return false;
}

function differsIn(cell: Cell, a: Authorizer, b: Authorizer): boolean {
  return a.authorize(...questionIn(cell)).allowed !== b.authorize(...questionIn(cell)).allowed;
}

function questionIn({ principal, permission, resource, conditions }: Cell) {
  return [principal, permission, resource, conditions] as const;
}
