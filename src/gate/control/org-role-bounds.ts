import { LimitError } from "../../model/errors.js";
import { membershipId, OWNER, type Records } from "../../model/records.js";
import { mayReach } from "../../policy/assignment.js";
import type { StandardPermission } from "../../policy/standard.js";
import { firstBeyond, inOrg, type RoleInOrg } from "./authority.js";
import { checkMembership, checkMoreOfRole, type Giving } from "./bounds.js";
import type { Control } from "./control.js";

/**
 * Checks an org role that lets somebody give in projects. In each project where the actor's own membership bounds the
 * actor, one must bound this person as much. Otherwise they could do for the actor what the actor may not.
 *
 * @param before the person with the role that they had
 * @throws LimitError naming the role
 */
export async function checkOrgRole(giving: Giving, given: RoleInOrg, before?: RoleInOrg): Promise<void> {
  const { control, draft, acting } = giving;
  if (!givesInProjects(control, given) || (before && !isMore(control, given, before))) return;
  for (const { projectId } of await draft.find("projectMember", { userId: acting.principal.userId })) {
    const id = membershipId(draft.orgId, projectId, given.userId);
    const [project, membership] = await Promise.all([
      draft.get("project", projectId),
      given.role === OWNER ? undefined : draft.get("projectMember", id), // an owner's bounds nobody
    ]);
    if (project === undefined) continue;
    try {
      await checkMoreOfRole(giving, project, membership ?? {});
    } catch (error) {
      if (!(error instanceof LimitError)) throw error;
      throw new LimitError("role", `in project ${JSON.stringify(projectId)}, ${error.message}`);
    }
  }
}

/**
 * Checks the removal of a membership. If the member's org role lets them give in projects, nothing bounds them in this
 * one any more, so it is as if the limits and the end of the membership were taken off.
 *
 * @throws LimitError naming the field that exceeds a bound
 */
export async function checkRemoval(
  giving: Giving,
  project: Records["project"],
  membership: Records["projectMember"],
  orgMember: RoleInOrg,
): Promise<void> {
  if (!givesInProjects(giving.control, orgMember)) return;
  // An owner's membership ends nothing, but its limits apply to their keys, which stay.
  const fields = orgMember.role === OWNER ? (["limits"] as const) : (["limits", "expiresAt"] as const);
  await checkMembership(giving, project, {}, { fields, present: membership });
}

/** What somebody gives within the bounds of their membership, if they have one. */
const BOUNDED = [
  "projectMember.add",
  "projectMember.remove", // see checkRemoval
  "projectMember.setRole",
  "projectMember.setLimits",
  "key.create",
  "key.update",
  "key.disable",
  "key.rotate",
] as const satisfies readonly StandardPermission[];

/** Whether an org role lets somebody give in projects that they are not a member of. */
function givesInProjects({ policy }: Control, member: RoleInOrg): boolean {
  const people = [inOrg(member)];
  return BOUNDED.some((permission) => mayReach(policy.spec, people, permission, undefined, "all"));
}

/** Whether an org role gives more than the one before. An owner may give no more than some others, but is not bounded. */
function isMore({ policy }: Control, given: RoleInOrg, before: RoleInOrg): boolean {
  if (given.role === OWNER) return before.role !== OWNER;
  return firstBeyond(policy, { principal: inOrg(before) }, inOrg(given)) !== undefined;
}
