import { type Conditions, holds } from "./condition.js";
import { isWider, type Kind, type Reach, type ReachOf } from "./permission.js";

/** A grant whose reach depends on a condition. */
export type ConditionalGrant<K extends Kind = Kind, Condition extends string = string> = K extends "owned"
  ?
      | { readonly reach: "own"; readonly when: Condition; readonly otherwise?: undefined }
      /** `otherwise` is the reach while the condition does not hold. */
      | { readonly reach: "all"; readonly when: Condition; readonly otherwise?: "own" | undefined }
  : { readonly reach: "all"; readonly when: Condition; readonly otherwise?: undefined };

/** What a role grants of a permission of some kind: a reach, or a reach that depends on a condition. */
export type Grant<K extends Kind = Kind, Condition extends string = string> =
  | ReachOf<K>
  | ConditionalGrant<K, Condition>;

/** What a role grants, by permission, if both are known only at run time. */
export type Grants = Readonly<Record<string, Grant | undefined>>;

/**
 * A grant with nothing left out.
 *
 * INVARIANT: `within` is at least as wide as `reach`, so a condition that holds never takes anything away.
 */
export interface FullGrant {
  /** The reach regardless of conditions. */
  readonly reach: Reach;
  /** The condition that widens it. */
  readonly when: string | undefined;
  /** The reach while the condition holds. Equal to `reach` if there is no condition. */
  readonly within: Reach;
}

const NOTHING: FullGrant = { reach: "none", when: undefined, within: "none" };

/** The grant for a permission. Only own properties count: `constructor` must not find what objects inherit. */
export function grantOf(grants: Grants, permission: string): FullGrant {
  const grant = Object.hasOwn(grants, permission) ? grants[permission] : undefined;
  if (grant === undefined) return NOTHING;
  if (typeof grant === "string") return { reach: grant, when: undefined, within: grant };
  return { reach: grant.otherwise ?? "none", when: grant.when, within: grant.reach };
}

/** How far a grant reaches while the given conditions hold. */
export function reachUnder({ reach, when, within }: FullGrant, conditions: Conditions | undefined): Reach {
  return when !== undefined && holds(conditions, when) ? within : reach;
}

/** Whether `a` reaches further than `b` under some combination of conditions. */
export function goesBeyond(a: FullGrant, b: FullGrant): boolean {
  if (isWider(a.reach, b.reach)) return true;
  // `b` counts with its condition only if that is also the condition of `a`. Other conditions can only widen `b`.
  return isWider(a.within, b.when === a.when ? b.within : b.reach);
}
