import { membershipId, type Records } from "../../model/records.js";
import { mayReach } from "../../policy/assignment.js";
import type { Principal } from "../../policy/principal.js";
import type { StandardPermission } from "../../policy/standard.js";
import { OWNER } from "../chain/storage-directory.js";
import type { Acting } from "./actor.js";
import { type Bound, type Ceiling, checkCeiling, type Grant, type GrantField } from "./ceiling.js";
import type { Control } from "./control.js";
import type { Draft } from "./draft.js";

/** What of an actor bounds what they give. */
type Bounded = Pick<Acting, "principal" | "issuer" | "chain">;

/**
 * Holds what is given to a project against its org.
 *
 * @param present what there is already, where that is changed
 */
export async function checkProject(
  draft: Draft,
  acting: Bounded,
  grant: Grant,
  fields?: readonly GrantField[],
  present?: Grant,
): Promise<void> {
  const [org, virtualModels] = await Promise.all([draft.get("org", draft.orgId), virtualModelsOf(draft)]);
  const own = acting.chain ? [keyBound(acting.chain.key)] : [];
  checkCeiling(grant, { enclosing: org ? [orgBound(org)] : [], own, present, virtualModels }, fields);
}

/**
 * Holds what is given to a member of a project against the project and its org, and what the actor has there. What a membership
 * does not say, as models, comes with it from the project.
 *
 * @param present what there is already, where that is changed
 */
export async function checkMembership(
  control: Control,
  draft: Draft,
  acting: Bounded,
  project: Records["project"],
  grant: MembershipGrant,
  fields?: readonly GrantField[],
  present?: MembershipGrant,
): Promise<void> {
  checkCeiling(grant, { ...(await membershipCeiling(control, draft, acting, project)), present }, fields);
}

/** Holds more of a role, which is given for as long as a membership lasts and under its limits, against the same. */
export async function checkMoreOfRole(
  control: Control,
  draft: Draft,
  acting: Bounded,
  project: Records["project"],
  membership: MembershipGrant,
): Promise<void> {
  const ceiling = await membershipCeiling(control, draft, acting, project);
  const enclosing = [memberBound(membership, "the membership"), ...ceiling.enclosing];
  checkCeiling({}, { ...ceiling, enclosing });
}

async function membershipCeiling(
  control: Control,
  draft: Draft,
  acting: Bounded,
  project: Records["project"],
): Promise<Ceiling> {
  const [org, own] = await Promise.all([draft.get("org", draft.orgId), ownOf(draft, acting, project.id)]);
  return {
    enclosing: [enclosingProject(control, own, project), ...(org ? [enclosingOrg(control, own, org)] : [])],
    own: own.bounds,
  };
}

type MembershipGrant = Pick<Records["projectMember"], "limits" | "expiresAt">;

/**
 * Holds what is given to a key against its holder's membership, the project and the org, and what the actor has there.
 *
 * @param present what there is already, where that is changed
 */
export async function checkKey(
  control: Control,
  draft: Draft,
  acting: Bounded,
  { projectId, userId }: { readonly projectId: string; readonly userId: string },
  grant: Grant,
  fields?: readonly GrantField[],
  present?: Grant,
): Promise<void> {
  const [org, project, member, membership, own, virtualModels] = await Promise.all([
    draft.get("org", draft.orgId),
    draft.get("project", projectId),
    draft.get("orgMember", membershipId(draft.orgId, userId)),
    draft.get("projectMember", membershipId(draft.orgId, projectId, userId)),
    ownOf(draft, acting, projectId),
    virtualModelsOf(draft),
  ]);
  const enclosing = [
    ...(membership ? [enclosingMembership(membership, member?.role === OWNER)] : []),
    ...(project ? [enclosingProject(control, own, project)] : []),
    ...(org ? [enclosingOrg(control, own, org)] : []),
  ];
  checkCeiling(grant, { enclosing, own: own.bounds, present, virtualModels }, fields);
}

/** What a record of a key gives. Logging that is merely not off is no gift: it stays within whatever is above it. */
export function grantOf({ limits, models, mcpServers, expiresAt, contentLogging }: Grant): Grant {
  return {
    limits,
    models,
    mcpServers,
    expiresAt,
    contentLogging: contentLogging === false ? false : undefined,
  };
}

interface Own {
  readonly bounds: readonly Bound[];
  /** Who could move what encloses a gift, each of them. */
  readonly movers: readonly Principal[];
}

/**
 * What the actor has only under a bound: through a key what the key has, as a member what the membership has. Whoever was handed
 * somebody else's token is under their own membership too.
 */
async function ownOf(draft: Draft, { principal, issuer, chain }: Bounded, projectId: string): Promise<Own> {
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
  // Nobody gets out of their own bounds by a token, so what they may move as themselves counts, where they are under any.
  const { via: _, ...person } = issuer ?? principal;
  const isBound = (issuer ? issuers : holders).length > 0;
  return {
    bounds: [...(chain ? [keyBound(chain.key)] : []), ...holders, ...issuers],
    movers: isBound ? [person] : [principal, ...(issuer ? [issuer] : [])],
  };
}

function orgBound({ limits, contentLogging }: Records["org"]): Bound {
  return { of: "the org", limits, contentLogging };
}

/**
 * A project, as what is given in it is held against it. Whoever may change it could let it keep their key or their member to
 * their own bounds, and then take that away.
 */
function enclosingProject(control: Control, own: Own, project: Records["project"]): Bound {
  return { ...projectBound(project), isMovable: mayChange(control, own, "project.update", project.id) };
}

/** The same of an org. */
function enclosingOrg(control: Control, own: Own, org: Records["org"]): Bound {
  return { ...orgBound(org), isMovable: mayChange(control, own, "org.update") };
}

/** A holder's membership. An owner's does not end them, and can be taken away from the keys that are under it. */
function enclosingMembership({ limits, expiresAt }: MembershipGrant, isOwners: boolean): Bound {
  const end = isOwners ? undefined : expiresAt;
  return { ...memberBound({ limits, expiresAt: end }, "the holder's membership"), isMovable: isOwners };
}

function mayChange(
  { policy }: Control,
  { movers }: Own,
  permission: StandardPermission,
  projectId?: string,
): boolean {
  return mayReach(policy.spec, movers, permission, projectId);
}

function projectBound({ limits, models, mcpServers, contentLogging }: Records["project"]): Bound {
  return { of: "the project", limits, models, mcpServers, contentLogging };
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
