import { type Conditions, holds } from "./condition.js";
import { isWider, type Kind, type Reach, type ReachOf } from "./permission.js";

/** A reach that a role has only while a condition holds. */
export type ConditionalGrant<K extends Kind = Kind, Condition extends string = string> = K extends "owned"
  ?
      | { readonly reach: "own"; readonly when: Condition; readonly otherwise?: never }
      /** `otherwise`: what it reaches while the condition does not hold. */
      | { readonly reach: "all"; readonly when: Condition; readonly otherwise?: "own" }
  : { readonly reach: "all"; readonly when: Condition; readonly otherwise?: never };

/** What a role gives a permission of a kind: a reach, or one that needs a condition. */
export type Grant<K extends Kind = Kind, Condition extends string = string> =
  | ReachOf<K>
  | ConditionalGrant<K, Condition>;

/** What a role grants, by permission, where neither is known until run time. */
export type Grants = Readonly<Record<string, Grant | undefined>>;

/**
 * A grant with nothing left out.
 *
 * INVARIANT: `within` is at least as wide as `reach`, so a condition that holds never takes anything.
 */
export interface FullGrant {
  /** What it reaches whatever holds. */
  readonly reach: Reach;
  /** The condition that widens it. */
  readonly when: string | undefined;
  /** What it reaches while the condition holds; `reach` where there is none. */
  readonly within: Reach;
}

const NOTHING: FullGrant = { reach: "none", when: undefined, within: "none" };

/** What grants give a permission. Own properties only: `constructor` must not find what objects inherit. */
export function grantOf(grants: Grants, permission: string): FullGrant {
  const grant = Object.hasOwn(grants, permission) ? grants[permission] : undefined;
  if (grant === undefined) return NOTHING;
  if (typeof grant === "string") return { reach: grant, when: undefined, within: grant };
  return { reach: grant.otherwise ?? "none", when: grant.when, within: grant.reach };
}

/** How far a grant goes while some conditions hold. */
export function reachUnder({ reach, when, within }: FullGrant, conditions: Conditions | undefined): Reach {
  return when !== undefined && holds(conditions, when) ? within : reach;
}

/** Whether `a` goes further than `b` under some conditions. */
export function goesBeyond(a: FullGrant, b: FullGrant): boolean {
  if (isWider(a.reach, b.reach)) return true;
  // With the condition of `a`, and of `b` only where that is the same one: what else holds can only widen `b`.
  return isWider(a.within, b.when === a.when ? b.within : b.reach);
}
