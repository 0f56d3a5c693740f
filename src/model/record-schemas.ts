import * as z from "zod";
import { allowListSchema, targetsSchema } from "./chain.js";
import { limitsSchema } from "./limits.js";
import type { ProjectGrant, RecordKind, Records } from "./records.js";
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

const orgSchema = schemaOf<Records["org"]>()(
  z.strictObject({
    ...made,
    name: nameSchema,
    status: z.enum(["active", "suspended"]),
    timeZone: timeZoneSchema,
    limits: limitsSchema.optional(),
    contentLogging: z.boolean(),
  }),
);

const orgMemberSchema = schemaOf<Records["orgMember"]>()(
  z.strictObject({ ...made, userId: idSchema, role: roleSchema }),
);

export const projectGrantSchema = schemaOf<ProjectGrant>()(
  z.strictObject({
    projectId: idSchema,
    role: roleSchema,
    limits: limitsSchema.optional(),
  }),
);

const invitationSchema = schemaOf<Records["invitation"]>()(
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

const projectSchema = schemaOf<Records["project"]>()(
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

const projectMemberSchema = schemaOf<Records["projectMember"]>()(
  z.strictObject({
    ...made,
    projectId: idSchema,
    userId: idSchema,
    role: roleSchema,
    limits: limitsSchema.optional(),
    expiresAt: momentSchema.optional(),
  }),
);

const keySchema = schemaOf<Records["key"]>()(
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

const keyUseSchema = schemaOf<Records["keyUse"]>()(z.strictObject({ ...base, usedAt: momentSchema }));

const virtualModelSchema = schemaOf<Records["virtualModel"]>()(
  z.strictObject({ ...made, alias: modelSchema, models: targetsSchema }),
);

const mcpServerSchema = schemaOf<Records["mcpServer"]>()(
  z.strictObject({
    ...made,
    name: modelSchema,
    url: text(1, 2000).optional(),
    description: text(1, 2000).optional(),
  }),
);

const externalKeySchema = schemaOf<Records["externalKey"]>()(
  z.strictObject({
    ...made,
    provider: nameSchema,
    projectId: idSchema.optional(),
    name: nameSchema.optional(),
    secretRef: text(1, 1000),
  }),
);

const creditGrantSchema = schemaOf<Records["creditGrant"]>()(
  z.strictObject({
    ...made,
    nanoUsd: z.int().min(0),
    note: text(1, 1000).optional(),
    status: z.enum(["granted", "revoked"]),
  }),
);

const trailSchema = schemaOf<Records["trail"]>()(
  z.strictObject({
    ...base,
    latestAt: momentSchema,
    behindMs: z.int().min(0),
    creditsNanoUsd: z.int().min(0).optional(),
  }),
);

const auditEventSchema = schemaOf<Records["auditEvent"]>()(
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

const schemas = {
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

/** The zod schema of each kind of record that a `Storage` keeps. */
export const recordSchemas: { readonly [K in RecordKind]: z.ZodType<Records[K]> } = schemas;

export const recordKinds = Object.keys(schemas) as RecordKind[]; // sound: a literal has the keys of its type

/** The fields of each kind of record. A record that a later version of the package has written may have others. */
export const recordFields: ReadonlyMap<RecordKind, ReadonlySet<string>> = new Map(
  recordKinds.map((kind) => [kind, new Set(Object.keys(schemas[kind].shape))]),
);
