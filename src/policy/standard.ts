import { definePolicy, type Policy } from "./policy.js";

const permissions = {
  "project.create": "org",
  "project.view": "project",
  "project.update": "project",
  "project.delete": "project",
  "projectMember.view": "project",
  "projectMember.add": "project",
  "projectMember.remove": "project",
  "projectMember.setRole": "project",
  "projectMember.setLimits": "project",
  "key.create": "owned",
  "key.view": "owned",
  "key.update": "owned",
  "key.disable": "owned",
  "key.rotate": "owned",
  "key.revoke": "owned",
  "usage.view": "owned",
  "billing.view": "org",
  "billing.manage": "org",
  "org.view": "org",
  "org.update": "org",
  "org.delete": "org",
  "orgMember.view": "org",
  "orgMember.add": "org",
  "orgMember.setRole": "org",
  "orgMember.remove": "org",
  "invitation.create": "org",
  "invitation.view": "org",
  "invitation.revoke": "org",
  "audit.view": "org",
  "externalKey.manage": "org",
  "virtualModel.manage": "org",
  "mcpServer.manage": "org",
  "prompt.manage": "org",
} as const;

// An interface, so that editors show its name.
/** The permissions of the standard policy, each with its kind. */
export interface StandardPermissions extends Readonly<typeof permissions> {}

/** What can be done with a key, whoever holds it. Three rows ask about these same permissions. */
const keyPermissions = [
  "key.create",
  "key.view",
  "key.update",
  "key.disable",
  "key.rotate",
  "key.revoke",
  "usage.view",
] as const;

/**
 * The standard policy: the permissions matrix of an LLM gateway's console, cell by cell.
 *
 * An org owner is an admin of every project, without a membership record. Somebody who is only in the org can do
 * nothing until they are given a project role. Permissions finer than a row of the matrix belong to the row that
 * contains them.
 */
export const standardPolicy = definePolicy<StandardPermissions, "owner" | "member", "admin" | "member">({
  permissions,
  orgRoles: {
    owner: {
      "project.create": "all",
      "project.view": "all",
      "project.update": "all",
      "project.delete": "all",
      "projectMember.view": "all",
      "projectMember.add": "all",
      "projectMember.remove": "all",
      "projectMember.setRole": "all",
      "projectMember.setLimits": "all",
      "key.create": "all",
      "key.view": "all",
      "key.update": "all",
      "key.disable": "all",
      "key.rotate": "all",
      "key.revoke": "all",
      "usage.view": "all",
      "billing.view": "all",
      "billing.manage": "all",
      "org.view": "all",
      "org.update": "all",
      "org.delete": "all",
      "orgMember.view": "all",
      "orgMember.add": "all",
      "orgMember.setRole": "all",
      "orgMember.remove": "all",
      "invitation.create": "all",
      "invitation.view": "all",
      "invitation.revoke": "all",
      "audit.view": "all",
      "externalKey.manage": "all",
      "virtualModel.manage": "all",
      "mcpServer.manage": "all",
      "prompt.manage": "all",
    },
    member: {},
  },
  projectRoles: {
    admin: {
      "project.view": "all",
      "project.update": "all",
      "projectMember.view": "all",
      "projectMember.add": "all",
      "projectMember.remove": "all",
      "projectMember.setRole": "all",
      "projectMember.setLimits": "all",
      "key.create": "all",
      "key.view": "all",
      "key.update": "all",
      "key.disable": "all",
      "key.rotate": "all",
      "key.revoke": "all",
      "usage.view": "all",
    },
    member: {
      "project.view": "all",
      "key.create": "own",
      "key.view": "own",
      "key.update": "own",
      "key.disable": "own",
      "key.rotate": "own",
      "key.revoke": "own",
      "usage.view": "own",
    },
  },
  baseOrgRole: "member",
  rows: [
    { label: "Create projects", ask: "org", permissions: ["project.create"] },
    { label: "View project", ask: "anyProject", permissions: ["project.view"] },
    { label: "Edit project settings", ask: "project", permissions: ["project.update"] },
    { label: "Delete project", ask: "project", permissions: ["project.delete"] },
    { label: "View project members", ask: "project", permissions: ["projectMember.view"] },
    {
      label: "Add project members",
      ask: "project",
      permissions: ["projectMember.add", "projectMember.remove"],
    },
    {
      label: "Edit member roles",
      ask: "project",
      permissions: ["projectMember.setRole", "projectMember.setLimits"],
    },
    {
      label: "Create & manage own keys",
      ask: "own",
      permissions: keyPermissions,
    },
    {
      label: "Manage all keys in a project",
      ask: "others",
      permissions: keyPermissions,
    },
    {
      label: "Manage keys across all projects",
      ask: "othersElsewhere",
      permissions: keyPermissions,
    },
    { label: "Billing & credits", ask: "org", permissions: ["billing.view", "billing.manage"] },
    {
      label: "Manage organization members",
      ask: "org",
      permissions: [
        "org.view",
        "org.update",
        "org.delete",
        "orgMember.view",
        "orgMember.add",
        "orgMember.setRole",
        "orgMember.remove",
        "invitation.create",
        "invitation.view",
        "invitation.revoke",
        "audit.view",
      ],
    },
    { label: "External keys (BYOK)", ask: "org", permissions: ["externalKey.manage"] },
    { label: "Virtual models", ask: "org", permissions: ["virtualModel.manage"] },
    { label: "MCP servers", ask: "org", permissions: ["mcpServer.manage"] },
    { label: "Prompt management", ask: "org", permissions: ["prompt.manage"] },
  ],
});

/** A permission of the standard policy. */
export type StandardPermission = keyof StandardPermissions;

/** A policy with the permissions and roles of the standard one: itself, or an extension of it with any conditions. */
export type StandardPolicy = Policy<StandardPermissions, "owner" | "member", "admin" | "member">;
