export type { Actor } from "./actor.js";
export type { Audit, AuditEvent, AuditQuery } from "./audit.js";
export type { ControlPlane } from "./control-plane.js";
export type {
  CreditBalance,
  CreditGrant,
  CreditGrantAtVersion,
  CreditQuery,
  Credits,
  NewCreditGrant,
} from "./credits.js";
export type { EffectiveKey, EffectiveLimit, EffectiveList } from "./effective-key.js";
export type {
  ExternalKey,
  ExternalKeyAtVersion,
  ExternalKeyById,
  ExternalKeyQuery,
  ExternalKeys,
  ExternalKeyUpdate,
  NewExternalKey,
} from "./external-keys.js";
export type { AtVersion, OfOrg, Restrictions } from "./fields.js";
export type {
  Acceptance,
  Accepted,
  Invitation,
  InvitationAtVersion,
  InvitationById,
  InvitationQuery,
  Invitations,
  NewInvitation,
} from "./invitations.js";
export type { Key } from "./key-list.js";
export type { KeyAtVersion, KeyById, KeyQuery, KeyRotation, KeyUpdate, NewKey } from "./key-schemas.js";
export type { IssuedKey, Keys } from "./keys.js";
export type { LedgerReports } from "./ledger.js";
export type {
  McpServer,
  McpServerAtVersion,
  McpServerById,
  McpServerQuery,
  McpServers,
  McpServerUpdate,
  NewMcpServer,
} from "./mcp-servers.js";
export type {
  NewOrgMember,
  OrgMember,
  OrgMemberAtVersion,
  OrgMemberById,
  OrgMemberQuery,
  OrgMemberRole,
  OrgMembers,
} from "./org-members.js";
export type { NewOrg, Org, OrgById, OrgDeletion, Orgs, OrgUpdate } from "./orgs.js";
export type { Listed, PageInput } from "./paging.js";
export type {
  NewProjectMember,
  ProjectMember,
  ProjectMemberAtVersion,
  ProjectMemberById,
  ProjectMemberExpiry,
  ProjectMemberLimits,
  ProjectMemberQuery,
  ProjectMemberRole,
  ProjectMembers,
} from "./project-members.js";
export type {
  NewProject,
  Project,
  ProjectAtVersion,
  ProjectById,
  ProjectQuery,
  Projects,
  ProjectUpdate,
} from "./projects.js";
export { type Replayed, replayAudit } from "./replay-audit.js";
export { controlSchemas, toJsonSchema } from "./schemas.js";
export type { View } from "./views.js";
export type {
  NewVirtualModel,
  VirtualModel,
  VirtualModelAtVersion,
  VirtualModelById,
  VirtualModelQuery,
  VirtualModels,
  VirtualModelUpdate,
} from "./virtual-models.js";
