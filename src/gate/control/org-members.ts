import { ConflictError, NotFoundError } from "../../model/errors.js";
import {
  type NewOrgMember,
  type OrgMemberAtVersion,
  type OrgMemberQuery,
  type OrgMemberRole,
  orgMemberSchemas,
} from "../../model/inputs/org-members.js";
import { membershipId, OWNER, type Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import { requireVersion } from "./addressed.js";
import { requireOrgReach, requireProjectReach, requireRole } from "./authority.js";
import type { Control } from "./control.js";
import type { Draft } from "./draft.js";
import { requireOtherOwner, revokeInvitationsFor, revokeKeysLeft } from "./leaving.js";
import { checkOrgRole } from "./org-role-bounds.js";
import { type Listed, listViews } from "./paging.js";
import { type View, viewOf } from "./views.js";

/** A user's membership in an org. */
export type OrgMember = View<"orgMember">;

/** The members of an org. */
export interface OrgMembers {
  /**
   * Adds a user whom the gateway knows, without an invitation.
   *
   * @throws ConflictError if they are already in the org
   * @throws LimitError if the role reaches further than the actor does, or lets them give in projects more than
   *   the actor may
   */
  add(input: NewOrgMember): Promise<OrgMember>;
  /** Lists the members of an org by id. */
  list(input: OrgMemberQuery): Promise<Listed<OrgMember>>;
  /**
   * Gives a member another role. An owner who is demoted loses their keys in projects of which they are not a member.
   *
   * @throws NotFoundError if they are not in the org
   * @throws LastOwnerError if the org would be left without an owner
   * @throws LimitError if the role before or after reaches further than the actor does, or the one after lets them
   *   give in projects more than the actor may
   */
  setRole(input: OrgMemberRole): Promise<OrgMember>;
  /**
   * Removes somebody from the org. Their project memberships end, and their keys and the pending invitations with their
   * `userId` are revoked.
   *
   * Their org role alone decides who may remove them. So somebody with `orgMember.remove` may also remove the admin of a
   * project in which they have no say: whoever lets people go should not have to ask each project first.
   *
   * @throws NotFoundError if they are not in the org
   * @throws LastOwnerError if the org would be left without an owner
   * @throws LimitError if their org role reaches further than the actor's
   */
  remove(input: OrgMemberAtVersion): Promise<void>;
}

export function orgMembersOf(control: Control): OrgMembers {
  const { policy } = control;
  return {
    async add(input) {
      const { orgId, userId, role } = parse(orgMemberSchemas.add, input, "orgMember");
      requireRole(policy, "orgRoles", role, "orgMember.role");
      const id = membershipId(orgId, userId);
      return control.write("orgMember.add", { orgId }, { kind: "orgMember", id }, async (draft, acting) => {
        requireOrgReach(policy, acting, { userId, orgId, role });
        await checkOrgRole({ control, draft, acting }, { userId, orgId, role });
        await requireNotIn(draft, userId);
        const made = { id, orgId, createdAt: draft.now, userId, role };
        return viewOf("orgMember", draft.create("orgMember", made));
      });
    },

    async list(input) {
      const { orgId, role, ...page } = parse(orgMemberSchemas.list, input, "orgMember");
      const where = role === undefined ? { orgId } : { orgId, role };
      return control.read("orgMember.view", { orgId }, () =>
        listViews(control.storage, "orgMember", where, page),
      );
    },

    async setRole(input) {
      const { orgId, userId, role, version } = parse(orgMemberSchemas.setRole, input, "orgMember");
      requireRole(policy, "orgRoles", role, "orgMember.role");
      const subject = { kind: "orgMember", id: membershipId(orgId, userId) } as const;
      return control.write("orgMember.setRole", { orgId }, subject, async (draft, acting) => {
        const present = await memberIn(draft, userId);
        requireVersion("orgMember", present, version);
        for (const one of [present.role, role]) requireOrgReach(policy, acting, { userId, orgId, role: one });
        await checkOrgRole({ control, draft, acting }, { userId, orgId, role }, present);
        // With an org role that the policy does not know, their project roles counted for nothing. With this write they
        // start to count.
        if (!Object.hasOwn(policy.spec.orgRoles, present.role)) {
          for (const { projectId, role: projectRole } of await draft.find("projectMember", { userId })) {
            requireProjectReach(policy, acting, { ...present, role }, projectId, projectRole);
          }
        }
        if (present.role === OWNER && role !== OWNER) {
          await requireOtherOwner(draft, userId);
          const memberships = await draft.find("projectMember", { userId });
          const stays = new Set(memberships.map(({ projectId }) => projectId));
          await revokeKeysLeft(draft, { userId }, ({ projectId }) => !stays.has(projectId));
        }
        return viewOf("orgMember", draft.replace("orgMember", present, { role }));
      });
    },

    async remove(input) {
      const { orgId, userId, version } = parse(orgMemberSchemas.remove, input, "orgMember");
      const subject = { kind: "orgMember", id: membershipId(orgId, userId) } as const;
      return control.write("orgMember.remove", { orgId }, subject, async (draft, acting) => {
        const present = await memberIn(draft, userId);
        requireVersion("orgMember", present, version);
        requireOrgReach(policy, acting, present);
        if (present.role === OWNER) await requireOtherOwner(draft, userId);
        for (const membership of await draft.find("projectMember", { userId })) {
          draft.remove("projectMember", membership);
        }
        await revokeKeysLeft(draft, { userId });
        await revokeInvitationsFor(draft, userId);
        draft.remove("orgMember", present);
      });
    },
  };
}

/** @throws ConflictError if somebody is in the draft's org already */
export async function requireNotIn(draft: Draft, userId: string): Promise<void> {
  if (await draft.get("orgMember", membershipId(draft.orgId, userId))) {
    throw new ConflictError(`user ${JSON.stringify(userId)} is in the org already`);
  }
}

async function memberIn(draft: Draft, userId: string): Promise<Records["orgMember"]> {
  const present = await draft.get("orgMember", membershipId(draft.orgId, userId));
  if (present === undefined) throw new NotFoundError("member", userId);
  return present;
}
