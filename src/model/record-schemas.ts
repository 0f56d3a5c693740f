import * as z from "zod";
import { allowListSchema } from "./chain.js";
import { limitsSchema } from "./limits.js";
import type {
  AuditEventRecord,
  CreditGrantRecord,
  ExternalKeyRecord,
  InvitationRecord,
  KeyRecord,
  KeyUseRecord,
  McpServerRecord,
  OrgMemberRecord,
  OrgRecord,
  ProjectGrant,
  ProjectMemberRecord,
  ProjectRecord,
  RecordKind,
  Records,
  TrailRecord,
  VirtualModelRecord,
} from "./records.js";
import { idSchema, modelSchema, momentSchema, nameSchema, tagsSchema, text } from "./text.js";
import { timeZoneSchema } from "./time-zone.js";
import { schemaOf } from "./validation.js";

/** The name of a role. Whether the policy has such a role is checked when it is given to somebody. */
export const roleSchema = text(1, 64);

const base = {
  id: text(1, 4000),
  orgId: idSchema,
  version: z.int().positive(),
};

const made = { ...base, createdAt: momentSchema };

const orgSchema = schemaOf<OrgRecord>()(
  z.strictObject({
    ...made,
    name: nameSchema,
    status: z.enum(["active", "suspended"]),
    timeZone: timeZoneSchema,
    limits: limitsSchema.optional(),
    contentLogging: z.boolean(),
  }),
);

const orgMemberSchema = schemaOf<OrgMemberRecord>()(
  z.strictObject({ ...made, userId: idSchema, role: roleSchema }),
);

/** What an invitation grants in one project. */
export const projectGrantSchema = schemaOf<ProjectGrant>()(
  z.strictObject({
    projectId: idSchema,
    role: roleSchema,
    limits: limitsSchema.optional(),
  }),
);

const invitationSchema = schemaOf<InvitationRecord>()(
  z.strictObject({
    ...made,
    hash: z.string(),
    preview: z.string(),
    invitedBy: idSchema,
    email: text(1, 320).optional(),
    userId: idSchema.optional(),
    role: roleSchema,
    projects: z.array(projectGrantSchema),
    membershipExpiresAt: momentSchema.optional(),
    expiresAt: momentSchema,
    status: z.enum(["pending", "accepted", "revoked"]),
    acceptedBy: idSchema.optional(),
    conditions: z.array(z.string()).optional(),
  }),
);

const projectSchema = schemaOf<ProjectRecord>()(
  z.strictObject({
    ...made,
    name: nameSchema,
    status: z.enum(["active", "archived"]),
    models: allowListSchema,
    mcpServers: allowListSchema,
    limits: limitsSchema.optional(),
    contentLogging: z.boolean(),
  }),
);

const projectMemberSchema = schemaOf<ProjectMemberRecord>()(
  z.strictObject({
    ...made,
    projectId: idSchema,
    userId: idSchema,
    role: roleSchema,
    limits: limitsSchema.optional(),
    expiresAt: momentSchema.optional(),
  }),
);

const keySchema = schemaOf<KeyRecord>()(
  z.strictObject({
    ...made,
    projectId: idSchema,
    userId: idSchema,
    name: nameSchema.optional(),
    tags: tagsSchema,
    status: z.enum(["active", "disabled", "revoked"]),
    disabledBy: idSchema.optional(),
    revokedWithHolder: z.literal(true).optional(),
    hash: z.string(),
    preview: z.string(),
    issuedTo: idSchema,
    previousHash: z.string().optional(),
    previousExpiresAt: momentSchema.optional(),
    previousIssuedTo: idSchema.optional(),
    models: allowListSchema,
    mcpServers: allowListSchema,
    limits: limitsSchema.optional(),
    contentLogging: z.boolean(),
    expiresAt: momentSchema.optional(),
  }),
);

/** When a key was last used. It is a record of its own so that using a key does not change the key's version. */
const keyUseSchema = schemaOf<KeyUseRecord>()(z.strictObject({ ...base, usedAt: momentSchema }));

const virtualModelSchema = schemaOf<VirtualModelRecord>()(
  z.strictObject({
    ...made,
    alias: modelSchema,
    models: z.array(modelSchema).min(1).max(50),
  }),
);

const mcpServerSchema = schemaOf<McpServerRecord>()(
  z.strictObject({
    ...made,
    name: modelSchema,
    url: text(1, 2000).optional(),
    description: text(1, 2000).optional(),
  }),
);

const externalKeySchema = schemaOf<ExternalKeyRecord>()(
  z.strictObject({
    ...made,
    provider: nameSchema,
    projectId: idSchema.optional(),
    name: nameSchema.optional(),
    secretRef: text(1, 1000),
  }),
);

const creditGrantSchema = schemaOf<CreditGrantRecord>()(
  z.strictObject({
    ...made,
    nanoUsd: z.int().min(0),
    note: text(1, 1000).optional(),
    status: z.enum(["granted", "revoked"]),
  }),
);

/** Its `version` counts the writes of an org, so a write that does not know the latest one conflicts. */
const trailSchema = schemaOf<TrailRecord>()(
  z.strictObject({
    ...base,
    latestAt: momentSchema,
    behindMs: z.int().min(0),
    creditsNanoUsd: z.int().min(0).optional(),
  }),
);

const auditEventSchema = schemaOf<AuditEventRecord>()(
  z.strictObject({
    ...base,
    sequence: z.int().positive(),
    at: momentSchema,
    latestAt: momentSchema,
    actorUserId: idSchema,
    actorKeyId: idSchema.optional(),
    action: text(1, 100),
    outcome: z.enum(["done", "denied"]),
    reason: z.string().optional(),
    subjectKind: z.string(),
    subjectId: z.string(),
    projectId: idSchema.optional(),
    changes: z.array(
      z.strictObject({
        kind: z.string(),
        id: z.string(),
        before: z.record(z.string(), z.unknown()).optional(),
        after: z.record(z.string(), z.unknown()).optional(),
      }),
    ),
  }),
);

/** The zod schema of each kind of record that a `Storage` keeps. */
export const recordSchemas: { readonly [K in RecordKind]: z.ZodType<Records[K]> } = {
  org: orgSchema,
  orgMember: orgMemberSchema,
  invitation: invitationSchema,
  project: projectSchema,
  projectMember: projectMemberSchema,
  key: keySchema,
  keyUse: keyUseSchema,
  virtualModel: virtualModelSchema,
  mcpServer: mcpServerSchema,
  externalKey: externalKeySchema,
  creditGrant: creditGrantSchema,
  trail: trailSchema,
  auditEvent: auditEventSchema,
};

export const recordKinds = Object.keys(recordSchemas) as RecordKind[]; // sound: a literal has the keys of its type
