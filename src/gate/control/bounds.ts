import { membershipId, type Records } from "../../model/records.js";
import { mayReach } from "../../policy/assignment.js";
import type { Principal } from "../../policy/principal.js";
import type { StandardPermission } from "../../policy/standard.js";
import { OWNER } from "../chain/storage-directory.js";
import type { Acting } from "./actor.js";
import { type Bound, type Ceiling, checkCeiling, type Grant, type GrantChange } from "./ceiling.js";
import type { Control } from "./control.js";
import type { Draft } from "./draft.js";

/** The part of an actor that bounds what they may give. */
type Bounded = Pick<Acting, "principal" | "issuer" | "chain">;

/**
 * Checks what is given to a project against its org.
 *
 * @param change where a project that is there is changed
 * @throws LimitError naming the field that is too much
 */
export async function checkProject(
  draft: Draft,
  acting: Bounded,
  grant: Grant,
  change?: GrantChange,
): Promise<void> {
  const [org, virtualModels] = await Promise.all([draft.get("org", draft.orgId), virtualModelsOf(draft)]);
  const own = acting.chain ? [keyBound(acting.chain.key)] : [];
  checkCeiling(grant, { enclosing: org ? [orgBound(org)] : [], own, virtualModels }, change);
}

/**
 * Checks what is given to a member of a project against the project, its org, and what the actor has there. What a membership
 * has no field for, such as models, it gives as the project does.
 *
 * @param change where a membership that is there is changed
 * @throws LimitError naming the field that is too much
 */
export async function checkMembership(
  control: Control,
  draft: Draft,
  acting: Bounded,
  project: Records["project"],
  grant: MembershipGrant,
  change?: GrantChange,
): Promise<void> {
  checkCeiling(grant, await membershipCeiling(control, draft, acting, project), change);
}

/**
 * Checks a role that is more than the one before: it is given under the limits of a membership and for as long as that lasts.
 *
 * @throws LimitError as {@link checkMembership}
 */
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
 * Checks what is given to a key against its holder's membership, the project, the org, and what the actor has there.
 *
 * @param change where a key that is there is changed
 * @throws LimitError naming the field that is too much
 */
export async function checkKey(
  control: Control,
  draft: Draft,
  acting: Bounded,
  { projectId, userId }: { readonly projectId: string; readonly userId: string },
  grant: Grant,
  change?: GrantChange,
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
  checkCeiling(grant, { enclosing, own: own.bounds, virtualModels }, change);
}

/** What a key gives. `contentLogging: true` gives nothing: it only means that the key does not switch logging off. */
export function grantOf({ limits, models, mcpServers, expiresAt, contentLogging }: Grant): Grant {
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
  /** Bounds that they are under. */
  readonly bounds: readonly Bound[];
  /** The principals as whom they could change what encloses a grant; a change needs the permission of all of them. */
  readonly movers: readonly Principal[];
}

/**
 * The bounds that an actor is under: of the key that they act through, of their membership, and, where they were handed somebody
 * else's token, of that one's membership too.
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
  // Whoever is under a bound as a member may act without the token in the next step. So what they may change as themselves counts.
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
 * The bound of a project on what is given in it. An actor who may change the project could rely on its limits to give a wide key,
 * and then lift those limits: hence `isMovable`.
 */
function enclosingProject(control: Control, own: Own, project: Records["project"]): Bound {
  return { ...projectBound(project), isMovable: mayChange(control, own, "project.update", project.id) };
}

/** The same of an org. */
function enclosingOrg(control: Control, own: Own, org: Records["org"]): Bound {
  return { ...orgBound(org), isMovable: mayChange(control, own, "org.update") };
}

/** The bound of a holder's membership. An owner's membership does not end their keys, and it can be removed while the keys stay. */
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
