import * as z from "zod";
import { type Limits, limitsSchema } from "../limits.js";
import { roleSchema } from "../record-schemas.js";
import { idSchema, momentSchema } from "../text.js";
import { schemaOf } from "../validation.js";
import {
  type AtVersion,
  expiryPatch,
  limitsPatch,
  type PageInput,
  pageFields,
  versionField,
} from "./fields.js";

/** Names a member of a project. */
export interface ProjectMemberById {
  orgId: string;
  projectId: string;
  userId: string;
}

/** Names a member of a project to write to. */
export interface ProjectMemberAtVersion extends ProjectMemberById, AtVersion {}

/** A member of a project to make. */
export interface NewProjectMember extends ProjectMemberById {
  /** A project role of the policy. */
  role: string;
  /** Limits over all the member's keys in the project. */
  limits?: Limits | undefined;
  /** When the membership ends by itself, in epoch milliseconds, in the future. Default: never. */
  expiresAt?: number | undefined;
}

/** Which memberships in projects to list. */
export interface ProjectMemberQuery extends PageInput {
  orgId: string;
  /** Those in this project. Default: in every project whose members the actor may see. */
  projectId?: string | undefined;
  /** Those of this user. */
  userId?: string | undefined;
}

/** Another role for a member of a project. */
export interface ProjectMemberRole extends ProjectMemberAtVersion {
  /** A project role of the policy. */
  role: string;
}

/** Other limits for a member of a project. */
export interface ProjectMemberLimits extends ProjectMemberAtVersion {
  /** Limits over all the member's keys in the project. `null` removes them. */
  limits: Limits | null;
}

/** Another end for a membership in a project. */
export interface ProjectMemberExpiry extends ProjectMemberAtVersion {
  /**
   * When the membership ends, in epoch milliseconds, not before it was made. A moment in the past ends it now; `null` is
   * never.
   */
  expiresAt: number | null;
}

const member = { orgId: idSchema, projectId: idSchema, userId: idSchema };

const atVersion = { ...member, ...versionField };

export const projectMemberSchemas = {
  add: schemaOf<NewProjectMember>()(
    z.strictObject({
      ...member,
      role: roleSchema,
      limits: limitsSchema.optional(),
      expiresAt: momentSchema.optional(),
    }),
  ),
  list: schemaOf<ProjectMemberQuery>()(
    z.strictObject({
      orgId: idSchema,
      projectId: idSchema.optional(),
      userId: idSchema.optional(),
      ...pageFields,
    }),
  ),
  setRole: schemaOf<ProjectMemberRole>()(z.strictObject({ ...atVersion, role: roleSchema })),
  setLimits: schemaOf<ProjectMemberLimits>()(z.strictObject({ ...atVersion, limits: limitsPatch.unwrap() })),
  setExpiry: schemaOf<ProjectMemberExpiry>()(
    z.strictObject({ ...atVersion, expiresAt: expiryPatch.unwrap() }),
  ),
  remove: schemaOf<ProjectMemberAtVersion>()(z.strictObject(atVersion)),
} as const;
