import { LimitError, NotFoundError, PermissionError, ValidationError } from "../../model/errors.js";
import { auditEventsEnd, membershipId, type ProjectGrant, type Records } from "../../model/records.js";
import { type RoleInOrg, requireProjectReach } from "./authority.js";
import { checkMembership, type Giving } from "./bounds.js";
import type { Draft } from "./draft.js";
import { requireLater } from "./ends.js";
import type { ProjectMember } from "./project-members.js";
import { projectIn } from "./projects.js";
import { viewOf } from "./views.js";

/**
 * Checks whether an inviter may make somebody a member of a project.
 *
 * @param expiresAt when the membership is to end
 */
export async function checkProjectGrant(
  giving: Giving,
  invitee: RoleInOrg,
  { projectId, role, limits }: ProjectGrant,
  expiresAt: number | undefined,
): Promise<Records["project"]> {
  const { control, draft, acting } = giving;
  control.require(acting, "projectMember.add", { orgId: draft.orgId, projectId });
  const project = await projectIn(draft, projectId);
  requireProjectReach(control.policy, acting, invitee, projectId, role, "projects");
  await checkMembership(giving, project, { limits, expiresAt });
  return project;
}

/** Makes whoever accepts an invitation a member of its projects, except those that the inviter may not give any more. */
export async function joinProjects(
  giving: Giving,
  orgMember: Records["orgMember"],
  invitation: Records["invitation"],
): Promise<{ projectMembers: ProjectMember[]; notGranted: { projectId: string; why: string }[] }> {
  const { draft } = giving;
  const { orgId, userId } = orgMember;
  const { membershipExpiresAt: expiresAt } = invitation;
  const projectMembers: ProjectMember[] = [];
  const notGranted: { projectId: string; why: string }[] = [];
  for (const grant of invitation.projects) {
    const { projectId } = grant;
    try {
      requireLater("invitation.membershipExpiresAt", expiresAt, draft.now);
      await requireOlder(draft, projectId, invitation);
      await checkProjectGrant(giving, orgMember, grant, expiresAt);
    } catch (error) {
      if (!REASONS_NOT_TO_GRANT.some((type) => error instanceof type)) throw error;
      notGranted.push({ projectId, why: (error as Error).message }); // sound: all of them are errors
      continue;
    }
    const id = membershipId(orgId, projectId, userId);
    const made = { id, orgId, userId, createdAt: draft.now, ...grant, expiresAt };
    projectMembers.push(viewOf("projectMember", draft.create("projectMember", made)));
  }
  return { projectMembers, notGranted };
}

/**
 * Thrown if the project is gone, if the inviter may not add members to it or not give that much, or if the membership
 * would have ended already.
 */
const REASONS_NOT_TO_GRANT = [NotFoundError, PermissionError, LimitError, ValidationError];

/** A project that was deleted and created again under the same id is not the one that the invitation meant. */
async function requireOlder(
  draft: Draft,
  projectId: string,
  { id, createdAt }: Records["invitation"],
): Promise<void> {
  const project = await projectIn(draft, projectId);
  // Clocks go back and differ between processes; the trail has one order. The invitation's place in it is 0 if its
  // events of that time were removed from the tables.
  const invited = Math.max(0, ...(await writesThatMade(draft, "invitation", id)));
  const madeSince = await writesThatMade(draft, "project", projectId, auditEventsEnd(draft.orgId, invited));
  if (madeSince.length > 0 || project.createdAt > createdAt) throw new NotFoundError("project", projectId);
}

/**
 * The numbers of the writes that made a record, or made it again.
 *
 * @param after the place in the trail from which to look: a project may have had any number of writes before
 */
async function writesThatMade(
  draft: Draft,
  kind: "project" | "invitation",
  id: string,
  after?: string,
): Promise<number[]> {
  const made = { subjectKind: kind, subjectId: id, action: `${kind}.create`, outcome: "done" };
  const events = await draft.find("auditEvent", made, after === undefined ? {} : { after });
  return events.map(({ sequence }) => sequence);
}
