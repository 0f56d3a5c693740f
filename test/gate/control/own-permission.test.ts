import type { StandardPermission } from "tollgate";
import { expect, test } from "vitest";
import { methodOf, methods } from "./every-method.js";

/** What each method asks for; null for the few that anybody may call. */
const PERMISSIONS: Readonly<Record<string, StandardPermission | null>> = {
  "orgs.create": null,
  "orgs.get": "org.view",
  "orgs.list": "org.view",
  "orgs.update": "org.update",
  "orgs.delete": "org.delete",
  "orgMembers.add": "orgMember.add",
  "orgMembers.list": "orgMember.view",
  "orgMembers.setRole": "orgMember.setRole",
  "orgMembers.remove": "orgMember.remove",
  "invitations.create": "invitation.create",
  "invitations.get": "invitation.view",
  "invitations.list": "invitation.view",
  "invitations.revoke": "invitation.revoke",
  "invitations.accept": null,
  "projects.create": "project.create",
  "projects.get": "project.view",
  "projects.list": "project.view",
  "projects.update": "project.update",
  "projects.delete": "project.delete",
  "projectMembers.add": "projectMember.add",
  "projectMembers.list": "projectMember.view",
  "projectMembers.setRole": "projectMember.setRole",
  "projectMembers.setLimits": "projectMember.setLimits",
  "projectMembers.setExpiry": "projectMember.add",
  "projectMembers.remove": "projectMember.remove",
  "keys.create": "key.create",
  "keys.get": "key.view",
  "keys.list": "key.view",
  "keys.update": "key.update",
  "keys.disable": "key.disable",
  "keys.enable": "key.disable",
  "keys.revoke": "key.revoke",
  "keys.rotate": "key.rotate",
  "keys.effective": "key.view",
  "virtualModels.create": "virtualModel.manage",
  "virtualModels.get": "virtualModel.manage",
  "virtualModels.list": "virtualModel.manage",
  "virtualModels.update": "virtualModel.manage",
  "virtualModels.delete": "virtualModel.manage",
  "mcpServers.create": "mcpServer.manage",
  "mcpServers.get": "mcpServer.manage",
  "mcpServers.list": "mcpServer.manage",
  "mcpServers.update": "mcpServer.manage",
  "mcpServers.delete": "mcpServer.manage",
  "externalKeys.create": "externalKey.manage",
  "externalKeys.get": "externalKey.manage",
  "externalKeys.list": "externalKey.manage",
  "externalKeys.update": "externalKey.manage",
  "externalKeys.delete": "externalKey.manage",
  "credits.grant": "billing.manage",
  "credits.list": "billing.view",
  "credits.revoke": "billing.manage",
  "credits.balance": "billing.view",
  "audit.list": "audit.view",
  "ledger.report": "usage.view",
};

/** Those that leave out what one may not see, instead of refusing. */
const LEAVE_OUT = ["orgs.list", "projects.list", "keys.list"];

test("every method is here with what it asks for", () => {
  expect(Object.keys(PERMISSIONS).sort()).toEqual(methods.map(([name]) => name).sort());
});

const asking = methods.flatMap(([name, noun, verb]) => {
  const permission = PERMISSIONS[name];
  return permission ? [[name, permission, noun, verb] as const] : [];
});

test.each(asking)(
  "%s asks for %s, and no other permission stands in for it",
  async (name, permission, noun, verb) => {
    const { call, denied } = await methodOf(noun, verb, "una", permission);
    if (LEAVE_OUT.includes(name)) return expect(await call()).toEqual({ items: [] });
    await expect(call()).rejects.toMatchObject({ code: expect.stringMatching(/^(permission|not_found)$/) });
    expect(await denied()).toMatchObject([{ reason: `${permission} is not allowed: not_granted` }]);
  },
);
