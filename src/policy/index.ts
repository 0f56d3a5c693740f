export type { Assignment, RoleGiven } from "./assignment.js";
export type { Cap, CappedProject } from "./cap.js";
export type { Conditions } from "./condition.js";
export type { Extended, PolicyExtension, Untaken } from "./extension.js";
export type { ConditionalGrant, Grant } from "./grant.js";
export { type Matrix, type MatrixCell, matrix, toMarkdown } from "./matrix.js";
export type { Kind, Permissions, PermissionsOfKind, Reach, ReachOf, ResourceOf } from "./permission.js";
export { definePolicy, type PermissionsOf, type Policy } from "./policy.js";
export type { Principal, Resource } from "./principal.js";
export type { Ask, AskKinds, OrgGrants, PolicyData, PolicySpec, ProjectGrants, Row } from "./spec.js";
export {
  type StandardPermission,
  type StandardPermissions,
  type StandardPolicy,
  standardPolicy,
} from "./standard.js";
export type { Verdict, VerdictReason } from "./verdict.js";
export type { Visible } from "./visible.js";
