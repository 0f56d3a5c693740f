import { ConflictError, NotFoundError } from "../../model/errors.js";
import {
  type NewProjectMember,
  type ProjectMemberAtVersion,
  type ProjectMemberById,
  type ProjectMemberExpiry,
  type ProjectMemberLimits,
  type ProjectMemberQuery,
  type ProjectMemberRole,
  projectMemberSchemas,
} from "../../model/inputs/project-members.js";
import { membershipId, OWNER, type Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import { principalOf } from "../chain/storage-directory.js";
import { requireVersion } from "./addressed.js";
import { firstBeyond, inProject, requireProjectReach, requireReach, requireRole } from "./authority.js";
import { checkMembership, checkMoreOfRole, type Giving } from "./bounds.js";
import type { Ask, Control } from "./control.js";
import { beginsAgain, requireLater, requireSinceMade } from "./ends.js";
import { revokeKeysLeft } from "./leaving.js";
import { checkRemoval } from "./org-role-bounds.js";
import { fewProjectsOf, type Listed, listViews } from "./paging.js";
import { projectIn } from "./projects.js";
import { type View, viewOf } from "./views.js";

/** A user's membership in a project. */
export type ProjectMember = View<"projectMember">;

/** The members of a project. */
export interface ProjectMembers {
  /**
   * Adds somebody who is in the org.
   *
   * @throws NotFoundError if they are not in the org
   * @throws ConflictError if they are already in the project
   * @throws LimitError if the role, limits, end or anything that comes with the project goes beyond what the actor has
   */
  add(input: NewProjectMember): Promise<ProjectMember>;
  /**
   * Lists the memberships by id: of a project, of a user, or all. Without a project, it has those in projects whose
   * members the actor may see.
   */
  list(input: ProjectMemberQuery): Promise<Listed<ProjectMember>>;
  /**
   * Gives a member another role.
   *
   * @throws NotFoundError if they are not in the project
   * @throws LimitError if the role before or after, or anything that comes with it, goes beyond what the actor has
   */
  setRole(input: ProjectMemberRole): Promise<ProjectMember>;
  /**
   * Sets a member's limits. What was used stays counted.
   *
   * @throws NotFoundError if they are not in the project
   * @throws LimitError if the member reaches further than the actor does, or the limits go beyond what the actor has
   */
  setLimits(input: ProjectMemberLimits): Promise<ProjectMember>;
  /**
   * Sets when a membership ends. One that has ended starts again with a later end.
   *
   * @throws NotFoundError if they are not in the project
   * @throws LimitError if the end goes beyond what the actor has or, for a membership that starts again, anything in it
   *   does
   */
  setExpiry(input: ProjectMemberExpiry): Promise<ProjectMember>;
  /**
   * Removes somebody from the project. Their keys in it are revoked, unless they own the org.
   *
   * @throws NotFoundError if they are not in the project
   * @throws LimitError if the member reaches further than the actor does, or if by their org role they could then give
   *   more in the project than the actor may
   */
  remove(input: ProjectMemberAtVersion): Promise<void>;
}

export function projectMembersOf(control: Control): ProjectMembers {
  const { policy } = control;

  /** Writes to a membership whose member reaches no further than the actor does. */
  function writeTo<T>(
    { orgId, projectId, userId }: ProjectMemberById,
    version: number | undefined,
    verb: "setRole" | "setLimits" | "setExpiry" | "remove",
    attempt: (
      present: Records["projectMember"],
      giving: Giving,
      orgMember: Records["orgMember"] | undefined,
    ) => Promise<T>,
  ): Promise<T> {
    const id = membershipId(orgId, projectId, userId);
    // Whoever may add a member decides when the membership ends, so changing the end needs the same permission.
    const permission = verb === "setExpiry" ? "projectMember.add" : (`projectMember.${verb}` as const);
    const ask: Ask = { action: `projectMember.${verb}`, permission };
    return control.write(
      ask,
      { orgId, projectId },
      { kind: "projectMember", id, projectId },
      async (draft, acting) => {
        const present = await draft.get("projectMember", id);
        if (present === undefined) throw new NotFoundError("member", userId);
        requireVersion("projectMember", present, version);
        const orgMember = await draft.get("orgMember", membershipId(orgId, userId));
        if (orgMember)
          requireReach(policy, acting, principalOf(orgMember, [present], draft.now), "role", projectId);
        return attempt(present, { control, draft, acting }, orgMember);
      },
    );
  }

  return {
    async add(input) {
      const { orgId, projectId, userId, ...given } = parse(projectMemberSchemas.add, input, "projectMember");
      requireRole(policy, "projectRoles", given.role, "projectMember.role");
      const id = membershipId(orgId, projectId, userId);
      const subject = { kind: "projectMember", id, projectId } as const;
      return control.write("projectMember.add", { orgId, projectId }, subject, async (draft, acting) => {
        requireLater("projectMember.expiresAt", given.expiresAt, draft.now);
        const project = await projectIn(draft, projectId);
        const orgMember = await draft.get("orgMember", membershipId(orgId, userId));
        if (orgMember === undefined) throw new NotFoundError("org member", userId);
        requireProjectReach(policy, acting, orgMember, projectId, given.role);
        await checkMembership({ control, draft, acting }, project, given);
        if (await draft.get("projectMember", id)) {
          throw new ConflictError(`user ${JSON.stringify(userId)} is in the project already`);
        }
        const made = { id, orgId, projectId, userId, createdAt: draft.now, ...given };
        return viewOf("projectMember", draft.create("projectMember", made));
      });
    },

    async list(input) {
      const { orgId, projectId, userId, ...page } = parse(projectMemberSchemas.list, input, "projectMember");
      const ofUser = userId === undefined ? { orgId } : { orgId, userId };
      if (projectId !== undefined) {
        return control.read("projectMember.view", { orgId, projectId }, () =>
          listViews(control.storage, "projectMember", { ...ofUser, projectId }, page),
        );
      }
      const acting = await control.acting(orgId, "projectMember.view");
      const maySee = ({ projectId }: Records["projectMember"]) =>
        control.can(acting, "projectMember.view", { orgId, projectId });
      const seen = fewProjectsOf(policy.visible(acting.principal, "projectMember.view", acting.conditions));
      const any = seen && userId === undefined ? { projectId: seen } : undefined;
      return listViews(control.storage, "projectMember", ofUser, page, maySee, undefined, any);
    },

    async setRole(input) {
      const { version, role, ...of } = parse(projectMemberSchemas.setRole, input, "projectMember");
      requireRole(policy, "projectRoles", role, "projectMember.role");
      return writeTo(of, version, "setRole", async (present, giving, orgMember) => {
        const { draft, acting } = giving;
        if (orgMember) {
          const before = inProject(policy, orgMember, of.projectId, present.role);
          const after = inProject(policy, orgMember, of.projectId, role);
          if (firstBeyond(policy, { principal: before }, after, of.projectId) !== undefined) {
            requireReach(policy, acting, after, "role", of.projectId);
            await checkMoreOfRole(giving, await projectIn(draft, of.projectId), present);
          }
        }
        return viewOf("projectMember", draft.replace("projectMember", present, { role }));
      });
    },

    async setLimits(input) {
      const { version, limits, ...of } = parse(projectMemberSchemas.setLimits, input, "projectMember");
      return writeTo(of, version, "setLimits", async (present, giving) => {
        const { draft } = giving;
        const patch = { limits: limits ?? undefined };
        const project = await projectIn(draft, of.projectId);
        await checkMembership(giving, project, patch, { fields: ["limits"], present });
        return viewOf("projectMember", draft.replace("projectMember", present, patch));
      });
    },

    async setExpiry(input) {
      const { version, expiresAt, ...of } = parse(projectMemberSchemas.setExpiry, input, "projectMember");
      return writeTo(of, version, "setExpiry", async (present, giving, orgMember) => {
        const { draft, acting } = giving;
        requireSinceMade("projectMember.expiresAt", expiresAt, present.createdAt);
        const patch = { expiresAt: expiresAt ?? undefined };
        // The role of a membership that has ended counts for nothing now, but does again with a later end.
        if (orgMember) requireProjectReach(policy, acting, orgMember, of.projectId, present.role);
        const project = await projectIn(draft, of.projectId);
        const change = beginsAgain(present.expiresAt, expiresAt, draft.now)
          ? undefined
          : { fields: ["expiresAt"] as const, present };
        await checkMembership(giving, project, { ...present, ...patch }, change);
        return viewOf("projectMember", draft.replace("projectMember", present, patch));
      });
    },

    async remove(input) {
      const { version, ...of } = parse(projectMemberSchemas.remove, input, "projectMember");
      return writeTo(of, version, "remove", async (present, giving, orgMember) => {
        const { draft } = giving;
        if (orgMember) await checkRemoval(giving, await projectIn(draft, of.projectId), present, orgMember);
        if (orgMember?.role !== OWNER) {
          await revokeKeysLeft(draft, { userId: of.userId, projectId: of.projectId });
        }
        draft.remove("projectMember", present);
      });
    },
  };
}
