import { auditSchemas } from "./audit.js";
import { creditSchemas } from "./credits.js";
import { externalKeySchemas } from "./external-keys.js";
import { invitationSchemas } from "./invitations.js";
import { keySchemas } from "./keys.js";
import { mcpServerSchemas } from "./mcp-servers.js";
import { orgMemberSchemas } from "./org-members.js";
import { orgSchemas } from "./orgs.js";
import { projectMemberSchemas } from "./project-members.js";
import { projectSchemas } from "./projects.js";
import { reportQuerySchema } from "./report.js";
import { virtualModelSchemas } from "./virtual-models.js";

/** The schema of the input of every method of a control plane, as an admin API needs them: by noun and verb. */
export const controlSchemas = {
  orgs: orgSchemas,
  orgMembers: orgMemberSchemas,
  invitations: invitationSchemas,
  projects: projectSchemas,
  projectMembers: projectMemberSchemas,
  keys: keySchemas,
  virtualModels: virtualModelSchemas,
  mcpServers: mcpServerSchemas,
  externalKeys: externalKeySchemas,
  credits: creditSchemas,
  audit: auditSchemas,
  ledger: { report: reportQuerySchema },
} as const;
