import { beforeEach, describe, expect, test } from "vitest";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import { LimitError, NotFoundError, PermissionError, ValidationError } from "../../../src/model/errors.js";
import { standardPolicy } from "../../../src/policy/index.js";
import { memoryStorage } from "../../../src/storage/memory.js";

const orgId = "acme";
const mfa = { mfa: true };

const policy = standardPolicy.extend({
  conditions: { mfa: "a second factor" },
  orgRoles: {
    people: {
      "orgMember.add": "all",
      "orgMember.setRole": "all",
      "orgMember.remove": "all",
      "orgMember.view": "all",
      "invitation.create": "all",
    },
    greeter: { "invitation.create": "all", "projectMember.add": "all" },
    keyKeeper: { "key.view": "all", "key.revoke": "all" },
  },
  projectRoles: { steward: { "projectMember.setRole": "all", "project.view": "all" }, guest: {} },
  caps: {
    freeze: { at: "project", projects: [{ orgId, projectId: "web" }], permissions: ["key.view"] },
    careful: { at: "org", permissions: ["key.revoke"], unless: "mfa" },
  },
});

describe("a gate with a policy of one's own", () => {
  let gate: Gate;
  let webKey: string;
  let mlKey: string;

  beforeEach(async () => {
    gate = createGate({ policy });
    const olga = gate.as({ userId: "olga" });
    await olga.orgs.create({ id: orgId, name: "Acme" });
    await olga.orgMembers.add({ orgId, userId: "pia", role: "people" });
    await olga.orgMembers.add({ orgId, userId: "kim", role: "keyKeeper" });
    await olga.orgMembers.add({ orgId, userId: "mia", role: "member" });
    for (const id of ["web", "ml"]) await olga.projects.create({ orgId, id, name: id });
    webKey = (await olga.keys.create({ orgId, projectId: "web", name: "web" })).key.id;
    mlKey = (await olga.keys.create({ orgId, projectId: "ml", name: "ml" })).key.id;
  });

  test("lists what is not capped, as authorize says for each item", async () => {
    const listed = await gate.as({ userId: "kim" }).keys.list({ orgId });
    expect(listed.items.map(({ id }) => id)).toEqual([mlKey]);
    expect(webKey).not.toBe(mlKey);
  });

  test("gives nobody a hold on members who may do more than they: not on their role, nor on their place, nor makes any", async () => {
    const { orgMembers } = gate.as({ userId: "pia" });
    await expect(orgMembers.setRole({ orgId, userId: "kim", role: "member" })).rejects.toThrow(LimitError);
    await expect(orgMembers.remove({ orgId, userId: "kim" })).rejects.toThrow(LimitError);
    await expect(orgMembers.add({ orgId, userId: "eva", role: "keyKeeper" })).rejects.toThrow(LimitError);
    const { invitations } = gate.as({ userId: "pia" });
    await expect(invitations.create({ orgId, userId: "eva", role: "keyKeeper" })).rejects.toThrow(LimitError);
    expect((await orgMembers.list({ orgId, role: "keyKeeper" })).items).toMatchObject([{ userId: "kim" }]);
    await orgMembers.remove({ orgId, userId: "mia" });
  });

  test("lets whoever may remove org members remove the admin of a project, where they may remove nobody", async () => {
    const [olga, pia] = [gate.as({ userId: "olga" }), gate.as({ userId: "pia" })];
    const mia = { orgId, projectId: "web", userId: "mia" };
    await olga.projectMembers.add({ ...mia, role: "admin" });
    const { key } = await gate.as({ userId: "mia" }).keys.create({ orgId, projectId: "web" });
    await expect(pia.projectMembers.remove(mia)).rejects.toThrow(PermissionError);
    await pia.orgMembers.remove({ orgId, userId: "mia" });
    expect(await gate.check({ keyId: key.id }, { model: "m" })).toMatchObject({ reason: "holder_removed" });
    expect((await olga.projectMembers.list({ orgId, projectId: "web" })).items).toEqual([]);
  });

  test("shows who may view members nothing of the org's that takes another permission", async () => {
    const olga = gate.as({ userId: "olga" });
    const virtualModelId = (await olga.virtualModels.create({ orgId, alias: "fast", models: ["a"] })).id;
    const mcpServerId = (await olga.mcpServers.create({ orgId, name: "files" })).id;
    const externalKeyId = (await olga.externalKeys.create({ orgId, provider: "p", secretRef: "vault/1" })).id;
    const invitationId = (await olga.invitations.create({ orgId, role: "member", userId: "eva" })).invitation
      .id;
    const pia = gate.as({ userId: "pia" });
    for (const look of [
      () => pia.virtualModels.get({ virtualModelId }),
      () => pia.virtualModels.delete({ virtualModelId }),
      () => pia.mcpServers.get({ mcpServerId }),
      () => pia.mcpServers.delete({ mcpServerId }),
      () => pia.externalKeys.get({ externalKeyId }),
      () => pia.externalKeys.delete({ externalKeyId }),
      () => pia.invitations.revoke({ invitationId }),
    ]) {
      await expect(look()).rejects.toThrow(NotFoundError);
    }
  });

  test("writes what needs a condition only while it holds", async () => {
    await expect(gate.as({ userId: "kim" }).keys.revoke({ keyId: mlKey })).rejects.toThrow(PermissionError);
    const unlocked = gate.as({ userId: "kim", conditions: { mfa: false } });
    await expect(unlocked.keys.revoke({ keyId: mlKey })).rejects.toThrow(PermissionError);
    await gate.as({ userId: "kim", conditions: mfa }).keys.revoke({ keyId: mlKey });
  });

  test("answers authorize by the conditions of the call", async () => {
    const key = { orgId, projectId: "ml", userId: "olga" };
    expect(await gate.authorize({ userId: "kim" }, "key.revoke", key)).toEqual({
      allowed: false,
      reason: "capped",
      by: "cap:careful",
      needs: "mfa",
    });
    expect(await gate.authorize({ userId: "kim" }, "key.revoke", key, mfa)).toEqual({
      allowed: true,
      by: "org:keyKeeper/key.revoke",
    });
  });

  test("answers what it was asked, whatever the caller does to it meanwhile", async () => {
    const key = { orgId, projectId: "ml", userId: "olga" };
    const conditions = { mfa: true };
    const kim = { userId: "kim", orgId, orgRole: "keyKeeper", projectRoles: {} };
    const asked = [{ userId: "kim" }, kim].map((who) => gate.authorize(who, "key.revoke", key, conditions));
    Object.assign(key, { orgId: "another", projectId: "another" });
    Object.assign(kim, { orgRole: "member" });
    conditions.mfa = false;
    expect((await Promise.all(asked)).map(({ allowed }) => allowed)).toEqual([true, true]);
  });

  test("lets nobody give a custom role that goes beyond their own, capped or not", async () => {
    const pia = gate.as({ userId: "pia" });
    await expect(pia.orgMembers.setRole({ orgId, userId: "mia", role: "keyKeeper" })).rejects.toThrow(
      LimitError,
    );
    await expect(pia.orgMembers.setRole({ orgId, userId: "mia", role: "emperor" })).rejects.toThrow(
      ValidationError,
    );
    await expect(pia.orgMembers.add({ orgId, userId: "eva", role: "emperor" })).rejects.toThrow(
      ValidationError,
    );
    await pia.orgMembers.setRole({ orgId, userId: "mia", role: "people" });
  });

  test("lets nobody set a role in a project that goes beyond their own there, nor take one away", async () => {
    const [olga, sam] = [gate.as({ userId: "olga" }), gate.as({ userId: "sam" })];
    const of = (userId: string) => ({ orgId, projectId: "ml", userId });
    await olga.orgMembers.add({ orgId, userId: "sam", role: "member" });
    await olga.projectMembers.add({ ...of("sam"), role: "steward" });
    await olga.projectMembers.add({ ...of("mia"), role: "guest" });
    await sam.projectMembers.setRole({ ...of("mia"), role: "steward" });
    for (const role of ["member", "admin"])
      await expect(sam.projectMembers.setRole({ ...of("mia"), role })).rejects.toThrow(
        /^role: it comes with/,
      );
    await olga.projectMembers.setRole({ ...of("mia"), role: "admin" });
    await expect(sam.projectMembers.setRole({ ...of("mia"), role: "guest" })).rejects.toThrow(LimitError);
  });

  test("lets nobody invite to more than they may give, neither when they invite nor when it is accepted", async () => {
    const [olga, pia] = [gate.as({ userId: "olga" }), gate.as({ userId: "pia" })];
    const { token } = await pia.invitations.create({ orgId, role: "people" });
    await olga.orgMembers.setRole({ orgId, userId: "pia", role: "greeter" });
    await expect(gate.as({ userId: "eva" }).invitations.accept({ token })).rejects.toThrow(LimitError);
    const admin = { orgId, role: "member", projects: [{ projectId: "ml", role: "admin" }] };
    await expect(pia.invitations.create(admin)).rejects.toThrow(/^projects: it comes with project\.view/);
    await olga.invitations.create(admin);
  });

  test("refuses conditions that are no record of booleans", () => {
    const loose: (actor: never) => unknown = gate.as;
    for (const conditions of ["mfa", { mfa: "yes" }, ["mfa"]]) {
      // Sound: plain JavaScript may pass anything.
      expect(() => loose({ userId: "kim", conditions } as never)).toThrow(ValidationError);
    }
  });
});

test("somebody whose org role the policy knows no more is given no role in a project that goes beyond the giver's", async () => {
  const storage = memoryStorage();
  const projectRoles = { host: { "projectMember.add": "all", "projectMember.setRole": "all" } } as const;
  const web = { orgId, projectId: "web" };
  const before = createGate({
    storage,
    policy: standardPolicy.extend({ orgRoles: { temp: {} }, projectRoles }),
  }).as({ userId: "olga" });
  await before.orgs.create({ id: orgId, name: "Acme" });
  await before.projects.create({ orgId, id: "web", name: "Web" });
  for (const userId of ["tom", "tim"]) await before.orgMembers.add({ orgId, userId, role: "temp" });
  await before.orgMembers.add({ orgId, userId: "hal", role: "member" });
  await before.projectMembers.add({ ...web, userId: "hal", role: "host" });
  await before.projectMembers.add({ ...web, userId: "tim", role: "host" });

  const { projectMembers } = createGate({ storage, policy: standardPolicy.extend({ projectRoles }) }).as({
    userId: "hal",
  });
  await expect(projectMembers.add({ ...web, userId: "tom", role: "admin" })).rejects.toThrow(LimitError);
  await expect(projectMembers.setRole({ ...web, userId: "tim", role: "admin" })).rejects.toThrow(LimitError);
  await projectMembers.add({ ...web, userId: "tom", role: "host" });
});

test("a role that the policy knows no more is not made known again for what its projects give, by one who has less", async () => {
  const storage = memoryStorage();
  const orgRoles = { people: { "orgMember.setRole": "all" } } as const;
  const before = standardPolicy.extend({ orgRoles: { ...orgRoles, temp: {} } });
  const olga = createGate({ storage, policy: before }).as({ userId: "olga" });
  await olga.orgs.create({ id: orgId, name: "Acme" });
  await olga.projects.create({ orgId, id: "web", name: "Web" });
  await olga.orgMembers.add({ orgId, userId: "pia", role: "people" });
  await olga.orgMembers.add({ orgId, userId: "tom", role: "temp" });
  await olga.projectMembers.add({ orgId, projectId: "web", userId: "tom", role: "admin" });

  const gate = createGate({ storage, policy: standardPolicy.extend({ orgRoles }) });
  const member = { orgId, userId: "tom", role: "member" };
  await expect(gate.as({ userId: "pia" }).orgMembers.setRole(member)).rejects.toThrow(LimitError);
  await gate.as({ userId: "olga" }).orgMembers.setRole(member);
});
