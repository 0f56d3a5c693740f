import * as z from "zod";
import { reportQuerySchema } from "../../ledger/report.js";
import { usdSchema } from "../../model/money.js";
import { timeZoneSchema } from "../../model/time-zone.js";
import { auditListSchema } from "./audit.js";
import { creditBalanceSchema, creditGrantSchema, creditListSchema, creditRevokeSchema } from "./credits.js";
import {
  externalKeyCreateSchema,
  externalKeyDeleteSchema,
  externalKeyGetSchema,
  externalKeyListSchema,
  externalKeyUpdateSchema,
} from "./external-keys.js";
import {
  invitationAcceptSchema,
  invitationCreateSchema,
  invitationGetSchema,
  invitationListSchema,
  invitationRevokeSchema,
} from "./invitations.js";
import {
  keyCreateSchema,
  keyEffectiveSchema,
  keyGetSchema,
  keyListSchema,
  keyRotateSchema,
  keyStatusSchema,
  keyUpdateSchema,
} from "./key-schemas.js";
import {
  mcpServerCreateSchema,
  mcpServerDeleteSchema,
  mcpServerGetSchema,
  mcpServerListSchema,
  mcpServerUpdateSchema,
} from "./mcp-servers.js";
import {
  orgMemberAddSchema,
  orgMemberListSchema,
  orgMemberRemoveSchema,
  orgMemberSetRoleSchema,
} from "./org-members.js";
import { orgCreateSchema, orgDeleteSchema, orgGetSchema, orgListSchema, orgUpdateSchema } from "./orgs.js";
import {
  projectMemberAddSchema,
  projectMemberListSchema,
  projectMemberRemoveSchema,
  projectMemberSetExpirySchema,
  projectMemberSetLimitsSchema,
  projectMemberSetRoleSchema,
} from "./project-members.js";
import {
  projectCreateSchema,
  projectDeleteSchema,
  projectGetSchema,
  projectListSchema,
  projectUpdateSchema,
} from "./projects.js";
import {
  virtualModelCreateSchema,
  virtualModelDeleteSchema,
  virtualModelGetSchema,
  virtualModelListSchema,
  virtualModelUpdateSchema,
} from "./virtual-models.js";

/** The schema of the input of every method of a control plane, as an admin API needs them: by noun and verb. */
export const controlSchemas = {
  orgs: {
    create: orgCreateSchema,
    get: orgGetSchema,
    list: orgListSchema,
    update: orgUpdateSchema,
    delete: orgDeleteSchema,
  },
  orgMembers: {
    add: orgMemberAddSchema,
    list: orgMemberListSchema,
    setRole: orgMemberSetRoleSchema,
    remove: orgMemberRemoveSchema,
  },
  invitations: {
    create: invitationCreateSchema,
    get: invitationGetSchema,
    list: invitationListSchema,
    revoke: invitationRevokeSchema,
    accept: invitationAcceptSchema,
  },
  projects: {
    create: projectCreateSchema,
    get: projectGetSchema,
    list: projectListSchema,
    update: projectUpdateSchema,
    delete: projectDeleteSchema,
  },
  projectMembers: {
    add: projectMemberAddSchema,
    list: projectMemberListSchema,
    setRole: projectMemberSetRoleSchema,
    setLimits: projectMemberSetLimitsSchema,
    setExpiry: projectMemberSetExpirySchema,
    remove: projectMemberRemoveSchema,
  },
  keys: {
    create: keyCreateSchema,
    get: keyGetSchema,
    list: keyListSchema,
    update: keyUpdateSchema,
    disable: keyStatusSchema,
    enable: keyStatusSchema,
    revoke: keyStatusSchema,
    rotate: keyRotateSchema,
    effective: keyEffectiveSchema,
  },
  virtualModels: {
    create: virtualModelCreateSchema,
    get: virtualModelGetSchema,
    list: virtualModelListSchema,
    update: virtualModelUpdateSchema,
    delete: virtualModelDeleteSchema,
  },
  mcpServers: {
    create: mcpServerCreateSchema,
    get: mcpServerGetSchema,
    list: mcpServerListSchema,
    update: mcpServerUpdateSchema,
    delete: mcpServerDeleteSchema,
  },
  externalKeys: {
    create: externalKeyCreateSchema,
    get: externalKeyGetSchema,
    list: externalKeyListSchema,
    update: externalKeyUpdateSchema,
    delete: externalKeyDeleteSchema,
  },
  credits: {
    grant: creditGrantSchema,
    list: creditListSchema,
    revoke: creditRevokeSchema,
    balance: creditBalanceSchema,
  },
  audit: { list: auditListSchema },
  ledger: { report: reportQuerySchema },
} as const;

/** What JSON Schema can say of the schemas that are functions. */
const FORMS: ReadonlyMap<z.core.$ZodType, object> = new Map<z.core.$ZodType, object>([
  [
    usdSchema,
    {
      anyOf: [
        { type: "number", minimum: 0, maximum: 9_000_000 },
        { type: "string", maxLength: 100 },
      ],
    },
  ],
  [timeZoneSchema, { type: "string", description: "an IANA time zone, such as Europe/Berlin" }],
]);

/**
 * An input schema as JSON Schema, to publish.
 *
 * It says the shape; what JSON Schema cannot say, such as which time zones there are, the zod schema checks.
 */
export function toJsonSchema(schema: z.ZodType): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      Object.assign(jsonSchema, FORMS.get(zodSchema));
      // A record that refuses `__proto__` takes anything in at first; its shape is what it comes to.
      if (zodSchema instanceof z.ZodPipe && zodSchema.in instanceof z.ZodUnknown) {
        const { $schema, ...shape } = toJsonSchema(zodSchema.out as z.ZodType); // sound: only zod schemas are piped
        Object.assign(jsonSchema, shape);
      }
    },
  });
}
