import { membershipId, OWNER, type Records } from "../../model/records.js";
import { mayReach } from "../../policy/assignment.js";
import type { Principal } from "../../policy/principal.js";
import type { StandardPermission } from "../../policy/standard.js";
import type { Acting, Asking } from "./actor.js";
import {
  type Bound,
  type Ceiling,
  checkCeiling,
  type Grant,
  type GrantChange,
  type GrantField,
} from "./ceiling.js";
import type { Control } from "./control.js";
import type { Draft } from "./draft.js";

/** A write that gives something: who gives, and the draft that it is checked in. */
export interface Giving {
  readonly control: Control;
  readonly draft: Draft;
  readonly acting: Asking & Pick<Acting, "chain">;
}

/**
 * Checks what is given to a project against its org.
 *
 * @param change given if an existing project is changed
 * @throws LimitError naming the field that exceeds a bound
 */
export async function checkProject(
  { draft, acting }: Giving,
  grant: Grant,
  change?: GrantChange,
): Promise<void> {
  const [org, virtualModels] = await Promise.all([draft.get("org", draft.orgId), virtualModelsOf(draft)]);
  const own = acting.chain ? [keyBound(acting.chain.key)] : [];
  checkCeiling(grant, { enclosing: org ? [orgBound(org)] : [], own, virtualModels }, change);
}

/**
 * Checks what is given to a member of a project against the project, its org, and what the actor has there. A membership
 * gives what it has no field for, such as models, to the extent that the project does.
 *
 * @param change given if an existing membership is changed
 * @throws LimitError naming the field that exceeds a bound
 */
export async function checkMembership(
  giving: Giving,
  project: Records["project"],
  grant: MembershipGrant,
  change?: GrantChange,
): Promise<void> {
  checkCeiling(grant, await membershipCeiling(giving, project), change);
}

/**
 * Checks a role that gives more than the one before. It is given under the limits of the membership, and for as long as
 * the membership lasts.
 *
 * @throws LimitError as {@link checkMembership}
 */
export async function checkMoreOfRole(
  giving: Giving,
  project: Records["project"],
  membership: MembershipGrant,
): Promise<void> {
  const ceiling = await membershipCeiling(giving, project);
  const enclosing = [memberBound(membership, "the membership"), ...ceiling.enclosing];
  checkCeiling({}, { ...ceiling, enclosing });
}

async function membershipCeiling(giving: Giving, project: Records["project"]): Promise<Ceiling> {
  const { draft } = giving;
  const [org, own] = await Promise.all([draft.get("org", draft.orgId), ownOf(giving, project.id)]);
  return {
    enclosing: [enclosingProject(own, project), ...(org ? [enclosingOrg(own, org)] : [])],
    own: own.bounds,
  };
}

type MembershipGrant = Pick<Records["projectMember"], "limits" | "expiresAt">;

/**
 * Checks what is given to a key against its holder's membership, the project, the org, and what the actor has there.
 *
 * @param change given if an existing key is changed
 * @throws LimitError naming the field that exceeds a bound
 */
export async function checkKey(
  giving: Giving,
  { projectId, userId }: { readonly projectId: string; readonly userId: string },
  grant: Grant,
  change?: GrantChange,
): Promise<void> {
  const { draft } = giving;
  const [org, project, member, membership, own, virtualModels] = await Promise.all([
    draft.get("org", draft.orgId),
    draft.get("project", projectId),
    draft.get("orgMember", membershipId(draft.orgId, userId)),
    draft.get("projectMember", membershipId(draft.orgId, projectId, userId)),
    ownOf(giving, projectId),
    virtualModelsOf(draft),
  ]);
  const enclosing = [
    ...(membership ? [enclosingMembership(membership, member?.role === OWNER)] : []),
    ...(project ? [enclosingProject(own, project)] : []),
    ...(org ? [enclosingOrg(own, org)] : []),
  ];
  checkCeiling(grant, { enclosing, own: own.bounds, virtualModels }, change);
}

/** What a key gives. `contentLogging: true` gives nothing: it only means that the key does not switch logging off. */
export function grantOf({ limits, models, mcpServers, expiresAt, contentLogging }: Grant): {
  readonly [Field in GrantField]: Grant[Field];
} {
  return {
    limits,
    models,
    mcpServers,
    expiresAt,
    contentLogging: contentLogging === false ? false : undefined,
  };
}

/** What the actor has of their own. */
interface Own {
  /** The bounds that the actor is under. */
  readonly bounds: readonly Bound[];
  /** Whether the actor, or somebody under bounds as they are, could change what encloses a grant. */
  mayChange(permission: StandardPermission, projectId?: string): boolean;
}

/**
 * What an actor has: the bounds of the key that they act through and of their membership and, if they act through
 * somebody else's token, those of that person's membership too.
 */
async function ownOf({ control, draft, acting }: Giving, projectId: string): Promise<Own> {
  const { principal, issuer, chain } = acting;
  const membershipOf = async ({ userId, orgRole }: Principal, whose: string): Promise<Bound[]> => {
    const id = membershipId(draft.orgId, projectId, userId);
    const membership = orgRole === OWNER ? undefined : await draft.get("projectMember", id);
    const bounds = membership?.limits !== undefined || membership?.expiresAt !== undefined;
    return membership && bounds ? [memberBound(membership, whose)] : [];
  };
  const holders = await membershipOf(principal, "your own membership");
  const issuers = issuer
    ? await membershipOf(issuer, "the membership of whoever the token was handed to")
    : [];
  // Of two who are under the bounds of a membership, one could tighten the project, and the other give by that.
  const isBound = holders.length + issuers.length > 0;
  // A change is possible only if all of them may make it.
  const movers = [principal, ...(issuer ? [issuer] : [])];
  return {
    bounds: [...(chain ? [keyBound(chain.key)] : []), ...holders, ...issuers],
    mayChange: (permission, within) => isBound || mayReach(control.policy.spec, movers, permission, within),
  };
}

function orgBound({ limits, contentLogging }: Records["org"]): Bound {
  return { of: "the org", limits, contentLogging };
}

/**
 * The bound of a project on what is given in it. `isMovable` says that the project may be changed: the actor could rely
 * on its limits to give a wide key, and those limits be lifted then.
 */
function enclosingProject(own: Own, project: Records["project"]): Bound {
  const { limits, models, mcpServers, contentLogging } = project;
  const isMovable = own.mayChange("project.update", project.id);
  return { of: "the project", limits, models, mcpServers, contentLogging, isMovable };
}

/** The bound of an org, in the same way. */
function enclosingOrg(own: Own, org: Records["org"]): Bound {
  return { ...orgBound(org), isMovable: own.mayChange("org.update") };
}

/**
 * The bound of a holder's membership. An owner's membership does not end their keys, and can be removed while the keys
 * stay.
 */
function enclosingMembership({ limits, expiresAt }: MembershipGrant, isOwners: boolean): Bound {
  const end = isOwners ? undefined : expiresAt;
  return { ...memberBound({ limits, expiresAt: end }, "the holder's membership"), isMovable: isOwners };
}

function memberBound({ limits, expiresAt }: MembershipGrant, of: string): Bound {
  return { of, limits, expiresAt };
}

function keyBound(key: Grant): Bound {
  return { ...grantOf(key), of: "the key you act through" };
}

async function virtualModelsOf(draft: Draft): Promise<Record<string, readonly string[]>> {
  const found = await draft.find("virtualModel", {});
  return Object.fromEntries(found.map(({ alias, models }) => [alias, models]));
}
