import * as z from "zod";
import { projectGrantSchema, roleSchema } from "../record-schemas.js";
import { OWNER, type ProjectGrant } from "../records.js";
import { idSchema, momentSchema, text } from "../text.js";
import { schemaOf } from "../validation.js";
import { type AtVersion, type OfOrg, orgField, type PageInput, pageFields, versionField } from "./fields.js";

/** An invitation to make. */
export interface NewInvitation {
  orgId: string;
  /** 1 to 200 characters, unique across all orgs. Made by the gate by default. */
  id?: string | undefined;
  /** The role in the org that it gives. */
  role: string;
  /** The projects of which it makes the person a member: at most 100, each once. */
  projects?: readonly ProjectGrant[] | undefined;
  /**
   * When the memberships in these projects end, in epoch milliseconds, in the future. Default: never. An invitation of an
   * owner, or without projects, cannot have it.
   */
  membershipExpiresAt?: number | undefined;
  /** Until when it may be accepted, in epoch milliseconds, in the future. Default: a week from now. */
  expiresAt?: number | undefined;
  /** A note of whom it is for, 1 to 320 characters. Nothing is sent: the gateway delivers the token. */
  email?: string | undefined;
  /** Only this user may accept it. */
  userId?: string | undefined;
}

/** Names an invitation. */
export interface InvitationById extends OfOrg {
  invitationId: string;
}

/** Names an invitation to write to. */
export interface InvitationAtVersion extends InvitationById, AtVersion {}

/** Which invitations to list. */
export interface InvitationQuery extends PageInput {
  orgId: string;
  /** `expired` are those that nobody accepted in time. */
  status?: "pending" | "accepted" | "revoked" | "expired" | undefined;
}

/** An invitation that the actor accepts. */
export interface Acceptance {
  /** The token that `create` returned. */
  token: string;
}

const ref = { invitationId: idSchema, ...orgField };

export const invitationSchemas = {
  create: schemaOf<NewInvitation>()(
    z
      .strictObject({
        orgId: idSchema,
        id: idSchema.optional(),
        role: roleSchema,
        projects: z.array(projectGrantSchema).max(100, { error: "at most 100 projects" }).optional(),
        membershipExpiresAt: momentSchema.optional(),
        expiresAt: momentSchema.optional(),
        email: text(1, 320).optional(),
        userId: idSchema.optional(),
      })
      .refine(
        ({ projects = [] }) => new Set(projects.map(({ projectId }) => projectId)).size === projects.length,
        {
          error: "each project once",
          path: ["projects"],
        },
      )
      .refine(
        ({ role, projects = [], membershipExpiresAt }) =>
          membershipExpiresAt === undefined || (role !== OWNER && projects.length > 0),
        {
          error: "left out for an owner or without projects: only project memberships can end",
          path: ["membershipExpiresAt"],
        },
      ),
  ),
  get: schemaOf<InvitationById>()(z.strictObject(ref)),
  list: schemaOf<InvitationQuery>()(
    z.strictObject({
      orgId: idSchema,
      status: z.enum(["pending", "accepted", "revoked", "expired"]).optional(),
      ...pageFields,
    }),
  ),
  revoke: schemaOf<InvitationAtVersion>()(z.strictObject({ ...ref, ...versionField })),
  accept: schemaOf<Acceptance>()(z.strictObject({ token: z.string().max(256) })),
} as const;
