import { ConflictError, NotFoundError, PermissionError } from "../../model/errors.js";
import {
  type Acceptance,
  type InvitationAtVersion,
  type InvitationById,
  type InvitationQuery,
  invitationSchemas,
  type NewInvitation,
} from "../../model/inputs/invitations.js";
import { membershipId, type Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import { holds } from "../../policy/condition.js";
import { createToken, hashToken, isWellFormed, previewOf } from "../chain/token.js";
import type { Asking } from "./actor.js";
import { requireOrgReach, requireRole, SOMEBODY } from "./authority.js";
import type { Control } from "./control.js";
import { requireLater } from "./ends.js";
import { checkProjectGrant, joinProjects } from "./invited-projects.js";
import { newId } from "./new-id.js";
import { type OrgMember, requireNotIn } from "./org-members.js";
import { checkOrgRole } from "./org-role-bounds.js";
import { type Listed, listPage, mapped } from "./paging.js";
import type { ProjectMember } from "./project-members.js";
import { type View, viewOf } from "./views.js";

/** An invitation without its hash. Its status is `expired` if nobody accepted it in time. */
export type Invitation = Omit<View<"invitation">, "status"> & {
  readonly status: Records["invitation"]["status"] | "expired";
};

const WEEK_MS = 604_800_000;

/** What the person who accepted an invitation got. */
export interface Accepted {
  readonly orgMember: OrgMember;
  readonly projectMembers: readonly ProjectMember[];
  /** Projects that were not given because the inviter may not give them any more, and why. */
  readonly notGranted: readonly { readonly projectId: string; readonly why: string }[];
}

/** Invitations to an org, for people who are not in it yet. Tokens are returned once and kept as hashes. */
export interface Invitations {
  /**
   * Invites somebody who is not in the org. The token is returned this once.
   *
   * @throws LimitError if it would give more than the actor may give
   * @throws ConflictError if `userId` is in the org already
   */
  create(input: NewInvitation): Promise<{ invitation: Invitation; token: string }>;
  /**
   * Reads an invitation.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  get(input: InvitationById): Promise<Invitation>;
  /** Lists the invitations of an org by id. */
  list(input: InvitationQuery): Promise<Listed<Invitation>>;
  /**
   * Revokes an invitation.
   *
   * @throws ConflictError if it was accepted
   */
  revoke(input: InvitationAtVersion): Promise<Invitation>;
  /**
   * Makes the actor a member of the org and of the projects of the invitation, once. What the inviter may give is
   * checked again at this moment.
   *
   * @throws NotFoundError if the token cannot be accepted, whatever the reason
   * @throws PermissionError if the inviter may not invite any more
   * @throws ConflictError if the actor is in the org already
   */
  accept(input: Acceptance): Promise<Accepted>;
}

export function invitationsOf(control: Control): Invitations {
  const { engine, policy, storage } = control;
  const prefix = `inv-${engine.settings.keyPrefix}`;
  const seen = (invitation: Records["invitation"]) => invitationAt(invitation, control.now());

  /** The inviter as they are now, with the conditions that held when they invited. Which hold now is not known here. */
  async function inviterOf({ invitedBy, orgId, conditions = [] }: Records["invitation"]): Promise<Asking> {
    const principal = await engine.directory.principal(invitedBy, orgId);
    return {
      principal: principal ?? { userId: invitedBy, orgId, projectRoles: {} },
      conditions: Object.fromEntries(conditions.map((name) => [name, true])),
    };
  }

  return {
    async create(input) {
      const { orgId, id, projects = [], ...given } = parse(invitationSchemas.create, input, "invitation");
      requireRole(policy, "orgRoles", given.role, "invitation.role");
      for (const [i, { role }] of projects.entries()) {
        requireRole(policy, "projectRoles", role, `invitation.projects[${i}].role`);
      }
      const invitationId = id ?? newId("invitation", control.now());
      const subject = { kind: "invitation", id: invitationId } as const;
      return control.write("invitation.create", { orgId }, subject, async (draft, acting) => {
        const { expiresAt = draft.now + WEEK_MS, membershipExpiresAt, userId } = given;
        requireLater("invitation.expiresAt", expiresAt, draft.now);
        requireLater("invitation.membershipExpiresAt", membershipExpiresAt, draft.now);
        const invitee = { userId: userId ?? SOMEBODY, orgId, role: given.role };
        requireOrgReach(policy, acting, invitee);
        const giving = { control, draft, acting };
        await checkOrgRole(giving, invitee);
        let createdAt = draft.now;
        for (const grant of projects) {
          const project = await checkProjectGrant(giving, invitee, grant, membershipExpiresAt);
          createdAt = Math.max(createdAt, project.createdAt); // the clock of another process may be ahead
        }
        if (userId !== undefined) await requireNotIn(draft, userId);
        const token = createToken(prefix);
        const conditions = Object.keys(policy.spec.conditions).filter((name) =>
          holds(acting.conditions, name),
        );
        const made = draft.create("invitation", {
          id: invitationId,
          orgId,
          createdAt,
          invitedBy: acting.principal.userId,
          ...given,
          projects,
          expiresAt,
          hash: hashToken(token),
          preview: previewOf(token, prefix),
          status: "pending",
          ...(conditions.length > 0 && { conditions }),
        });
        return { invitation: seen(made), token };
      });
    },

    async get(input) {
      const { invitationId, orgId } = parse(invitationSchemas.get, input, "invitation");
      return seen(await control.view("invitation", { id: invitationId, orgId }));
    },

    async list(input) {
      const { orgId, status, ...page } = parse(invitationSchemas.list, input, "invitation");
      const stored = status === "expired" ? "pending" : status;
      const where = stored === undefined ? { orgId } : { orgId, status: stored };
      const keep = (found: Records["invitation"]) => status === undefined || seen(found).status === status;
      return control.read("invitation.view", { orgId }, async () =>
        mapped(await listPage(storage, "invitation", where, page, keep), seen),
      );
    },

    async revoke(input) {
      const { invitationId, ...of } = parse(invitationSchemas.revoke, input, "invitation");
      const which = { id: invitationId, ...of };
      return control.writeTo("invitation.revoke", "invitation", which, async (invitation, draft) => {
        if (invitation.status === "accepted") {
          throw new ConflictError(`invitation ${JSON.stringify(invitationId)} was accepted`);
        }
        return seen(draft.replace("invitation", invitation, { status: "revoked" }));
      });
    },

    async accept(input) {
      const { token } = parse(invitationSchemas.accept, input, "invitation");
      const { userId } = control;
      await control.requireToken("invitation.accept");
      if (userId === undefined) throw new PermissionError("invitation.accept", "key_confined");
      const hash = hashToken(token);
      const [found] = isWellFormed(token, prefix)
        ? await storage.find("invitation", { hash }, { limit: 1 })
        : [];
      if (found === undefined) throw notAcceptable();
      const { orgId, id } = found;
      return control.transact(orgId, "invitation.accept", { kind: "invitation", id }, async (draft) => {
        const invitation = await draft.get("invitation", id);
        if (!invitation || seen(invitation).status !== "pending") throw notAcceptable();
        if (invitation.userId !== undefined && invitation.userId !== userId) throw notAcceptable();
        await requireNotIn(draft, userId);
        const { role } = invitation;
        const inviter = await inviterOf(invitation);
        control.require(inviter, "invitation.create", { orgId });
        requireOrgReach(policy, inviter, { userId, orgId, role });
        const giving = { control, draft, acting: inviter };
        await checkOrgRole(giving, { userId, orgId, role });
        const made = { id: membershipId(orgId, userId), orgId, createdAt: draft.now, userId, role };
        const orgMember = draft.create("orgMember", made);
        const joined = await joinProjects(giving, orgMember, invitation);
        draft.replace("invitation", invitation, { status: "accepted", acceptedBy: userId });
        return { orgMember: viewOf("orgMember", orgMember), ...joined };
      });
    },
  };
}

function invitationAt(invitation: Records["invitation"], now: number): Invitation {
  const view = viewOf("invitation", invitation);
  return view.status === "pending" && now >= view.expiresAt ? { ...view, status: "expired" } : view;
}

/** The one answer for a token that is wrong, used, revoked, expired or meant for somebody else. */
function notAcceptable(): NotFoundError {
  return new NotFoundError("invitation");
}
