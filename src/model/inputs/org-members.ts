import * as z from "zod";
import { roleSchema } from "../record-schemas.js";
import { idSchema } from "../text.js";
import { schemaOf } from "../validation.js";
import { type AtVersion, type PageInput, pageFields, versionField } from "./fields.js";

/** Names a member of an org. */
export interface OrgMemberById {
  orgId: string;
  userId: string;
}

/** Names a member of an org to write to. */
export interface OrgMemberAtVersion extends OrgMemberById, AtVersion {}

/** A member of an org to make. */
export interface NewOrgMember extends OrgMemberById {
  /** An org role of the policy. */
  role: string;
}

/** Which members of an org to list. */
export interface OrgMemberQuery extends PageInput {
  orgId: string;
  /** Only those with this role. */
  role?: string | undefined;
}

/** Another role for a member of an org. */
export interface OrgMemberRole extends OrgMemberAtVersion {
  /** An org role of the policy. */
  role: string;
}

const member = { orgId: idSchema, userId: idSchema };

export const orgMemberSchemas = {
  add: schemaOf<NewOrgMember>()(z.strictObject({ ...member, role: roleSchema })),
  list: schemaOf<OrgMemberQuery>()(
    z.strictObject({ orgId: idSchema, role: roleSchema.optional(), ...pageFields }),
  ),
  setRole: schemaOf<OrgMemberRole>()(z.strictObject({ ...member, ...versionField, role: roleSchema })),
  remove: schemaOf<OrgMemberAtVersion>()(z.strictObject({ ...member, ...versionField })),
} as const;
