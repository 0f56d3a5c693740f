export type { AuditQuery } from "./audit.js";
export { controlSchemas } from "./control-schemas.js";
export type { CreditGrantAtVersion, CreditQuery, NewCreditGrant } from "./credits.js";
export type {
  ExternalKeyAtVersion,
  ExternalKeyById,
  ExternalKeyQuery,
  ExternalKeyUpdate,
  NewExternalKey,
} from "./external-keys.js";
export type { AtVersion, OfOrg, PageInput, Restrictions } from "./fields.js";
export type {
  Acceptance,
  InvitationAtVersion,
  InvitationById,
  InvitationQuery,
  NewInvitation,
} from "./invitations.js";
export type { KeyAtVersion, KeyById, KeyQuery, KeyRotation, KeyUpdate, NewKey } from "./keys.js";
export type {
  McpServerAtVersion,
  McpServerById,
  McpServerQuery,
  McpServerUpdate,
  NewMcpServer,
} from "./mcp-servers.js";
export type {
  NewOrgMember,
  OrgMemberAtVersion,
  OrgMemberById,
  OrgMemberQuery,
  OrgMemberRole,
} from "./org-members.js";
export type { NewOrg, OrgById, OrgDeletion, OrgUpdate } from "./orgs.js";
export type {
  NewProjectMember,
  ProjectMemberAtVersion,
  ProjectMemberById,
  ProjectMemberExpiry,
  ProjectMemberLimits,
  ProjectMemberQuery,
  ProjectMemberRole,
} from "./project-members.js";
export type { NewProject, ProjectAtVersion, ProjectById, ProjectQuery, ProjectUpdate } from "./projects.js";
export type { ReportGroup, ReportQuery } from "./report.js";
export type {
  NewVirtualModel,
  VirtualModelAtVersion,
  VirtualModelById,
  VirtualModelQuery,
  VirtualModelUpdate,
} from "./virtual-models.js";
