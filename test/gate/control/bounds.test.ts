import { beforeEach, describe, expect, it } from "vitest";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import { LimitError, PermissionError } from "../../../src/model/errors.js";
import { standardPolicy } from "../../../src/policy/standard.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import type { Storage } from "../../../src/storage/storage.js";
import { createWeb, ORG, START, WEB } from "./web.js";

describe("what somebody has only under a bound", () => {
  let gate: Gate;
  const clock = { time: START, now: () => clock.time };
  const as = (userId: string) => gate.as({ userId });

  beforeEach(async () => {
    clock.time = START;
    gate = createGate({ clock, storage: memoryStorage() });
    await createWeb(gate, { ada: "admin", mel: "member" });
  });

  it("is not lifted by an admin's membership in steps: through the project, which they may change", async () => {
    const limits = { rpm: 10, budget: { usd: 50, reset: "monthly" as const } };
    await as("olga").projectMembers.setLimits({ ...WEB, userId: "ada", limits });
    await as("ada").projects.update({ ...WEB, limits });
    const lifted = as("ada").projectMembers.setLimits({ ...WEB, userId: "ada", limits: null });
    await expect(lifted).rejects.toThrow(/^limits\.rpm: at most 10, which is what your own membership has$/);
    const wide = as("ada").keys.create({ ...WEB, userId: "mel" });
    await expect(wide).rejects.toThrow(LimitError);
    await as("ada").keys.create({ ...WEB, userId: "mel", limits });
  });

  it("is not lifted through the org by whoever may change that, nor while the project is frozen", async () => {
    const storage = memoryStorage();
    const ops = standardPolicy.extend({ orgRoles: { ops: { "org.update": "all" } } });
    const frozen = ops.extend({
      caps: { freeze: { at: "project", projects: [WEB], permissions: ["project.update"] } },
    });
    const [now, then] = [createGate({ policy: ops, storage }), createGate({ policy: frozen, storage })];
    const olga = now.as({ userId: "olga" });
    await olga.orgs.create({ id: "acme", name: "Acme" });
    await olga.projects.create({ ...ORG, id: "web", name: "Web" });
    const limits = { rpm: 10 };
    await olga.orgMembers.add({ ...ORG, userId: "opal", role: "ops" });
    await olga.orgMembers.add({ ...ORG, userId: "ada", role: "member" });
    for (const userId of ["opal", "ada"])
      await olga.projectMembers.add({ ...WEB, userId, role: "admin", limits });
    await now.as({ userId: "ada" }).projects.update({ ...WEB, limits });
    const lift = (gate: typeof now, userId: string) =>
      gate.as({ userId }).projectMembers.setLimits({ ...WEB, userId, limits: null });
    await expect(lift(then as never, "ada")).rejects.toThrow(LimitError);
    await now.as({ userId: "ada" }).projects.update({ ...WEB, limits: null });
    await now.as({ userId: "opal" }).orgs.update({ ...ORG, limits });
    await expect(lift(now, "opal")).rejects.toThrow(LimitError);
  });

  it("is not lifted by two who are under it: the one tightens the project or the org, and the other gives by that", async () => {
    const limits = { rpm: 10 };
    const host = { "projectMember.setLimits": "all", "key.create": "all", "key.update": "all" } as const;
    const policy = standardPolicy.extend({
      orgRoles: { ops: { "org.update": "all" } },
      projectRoles: { host },
    });
    const other = createGate({ clock, policy });
    const as = (userId: string) => other.as({ userId });
    await createWeb(other, { ada: "admin", hal: "host", mel: "member" });
    await as("olga").orgMembers.setRole({ ...ORG, userId: "ada", role: "ops" });
    await as("olga").keys.create({ ...WEB, id: "mels", userId: "mel", limits });
    for (const userId of ["ada", "hal"])
      await as("olga").projectMembers.setLimits({ ...WEB, userId, limits });
    for (const tighten of [
      (limits: object | null) => as("ada").projects.update({ ...WEB, limits }),
      (limits: object | null) => as("ada").orgs.update({ ...ORG, limits }),
    ]) {
      await tighten(limits);
      for (const lift of [
        as("hal").projectMembers.setLimits({ ...WEB, userId: "hal", limits: null }),
        as("hal").keys.update({ keyId: "mels", limits: null }),
      ])
        await expect(lift).rejects.toThrow(
          /^limits\.rpm: at most 10, which is what your own membership has$/,
        );
      await tighten(null);
    }
  });

  it("is not lifted by a key in steps, neither its limits nor its models", async () => {
    const scope = { limits: { rpm: 10 }, models: ["m"] };
    const { key, token } = await as("ada").keys.create({ ...WEB, ...scope });
    const through = gate.as({ token });
    await through.projects.update({ ...WEB, ...scope });
    const keyId = key.id;
    await expect(through.keys.update({ keyId, limits: null })).rejects.toThrow(/^limits\.rpm/);
    await expect(through.keys.update({ keyId, models: null })).rejects.toThrow(/^models/);
    expect(await gate.admit(token, { model: "other", inputTokens: 1 })).toMatchObject({
      reason: "model_not_allowed",
    });
  });

  it("keeps its own BYOK calls under a budget that counts them", async () => {
    const counted = { budget: { usd: 1, reset: "never" as const, countByok: true } };
    const { key, token } = await as("mel").keys.create({ ...WEB, limits: counted });
    const limits = { budget: { usd: 1, reset: "never" as const } };
    const lifted = gate.as({ token }).keys.update({ keyId: key.id, limits });
    await expect(lifted).rejects.toThrow(/^limits\.budget\.usd/);
    await gate.as({ token }).keys.update({ keyId: key.id, limits: counted });
  });

  it("does not stop them from taking away: less than there was is no gift", async () => {
    await as("olga").projectMembers.setLimits({ ...WEB, userId: "mel", limits: { rpm: 100 } });
    const { key } = await as("olga").keys.create({ ...WEB, userId: "mel", limits: { rpm: 100 } });
    await as("olga").projectMembers.setLimits({ ...WEB, userId: "ada", limits: { rpm: 10 } });
    await as("olga").projectMembers.setExpiry({ ...WEB, userId: "ada", expiresAt: START + 1_000 });
    const ada = as("ada");
    await ada.projectMembers.setLimits({ ...WEB, userId: "mel", limits: { rpm: 50 } });
    await ada.keys.update({ keyId: key.id, limits: { rpm: 50 }, expiresAt: START + 9_000 });
    for (const limits of [{ rpm: 51 }, { tpm: 50 }, null]) {
      await expect(ada.keys.update({ keyId: key.id, limits })).rejects.toThrow(LimitError);
      await expect(ada.projectMembers.setLimits({ ...WEB, userId: "mel", limits })).rejects.toThrow(
        LimitError,
      );
    }
    await expect(ada.keys.update({ keyId: key.id, expiresAt: START + 9_001 })).rejects.toThrow(LimitError);
  });

  it("keeps whoever makes a member an admin to it: with the role comes what the membership has", async () => {
    await as("olga").projectMembers.setLimits({ ...WEB, userId: "ada", limits: { rpm: 10 } });
    const promoted = as("ada").projectMembers.setRole({ ...WEB, userId: "mel", role: "admin" });
    await expect(promoted).rejects.toThrow(/^limits\.rpm: at most 10/);
    await as("olga").projectMembers.setLimits({ ...WEB, userId: "mel", limits: { rpm: 10 } });
    await as("ada").projectMembers.setRole({ ...WEB, userId: "mel", role: "admin" });
  });

  it("is not got back by a role that goes beyond, of a membership that has ended", async () => {
    const storage = memoryStorage();
    const policy = standardPolicy.extend({ projectRoles: { host: { "projectMember.add": "all" } } });
    const other = createGate({ clock, storage, policy });
    const olga = other.as({ userId: "olga" });
    await olga.orgs.create({ id: "acme", name: "Acme" });
    await olga.projects.create({ ...ORG, id: "web", name: "Web" });
    for (const userId of ["hal", "ada"]) await olga.orgMembers.add({ ...ORG, userId, role: "member" });
    await olga.projectMembers.add({ ...WEB, userId: "hal", role: "host" as "member" });
    await olga.projectMembers.add({ ...WEB, userId: "ada", role: "admin", expiresAt: START + 5 });
    clock.time += 5;
    const again = other
      .as({ userId: "hal" })
      .projectMembers.setExpiry({ ...WEB, userId: "ada", expiresAt: null });
    await expect(again).rejects.toThrow(LimitError);
  });

  it("is kept to by a project that the holder of a token may change, and whoever has the token may not", async () => {
    const limits = { rpm: 10 };
    const keeper = { "key.create": "all", "key.update": "all", "key.view": "all" } as const;
    const policy = standardPolicy.extend({ projectRoles: { keeper } });
    const storage = memoryStorage();
    const [plain, kept] = [createGate({ storage }), createGate({ storage, policy })];
    const olga = plain.as({ userId: "olga" });
    await olga.orgs.create({ id: "acme", name: "Acme" });
    await olga.projects.create({ ...ORG, id: "web", name: "Web", limits });
    for (const userId of ["ada", "mel"]) {
      await olga.orgMembers.add({ ...ORG, userId, role: "member" });
      await olga.projectMembers.add({ ...WEB, userId, role: "admin" });
    }
    const { key, token } = await plain.as({ userId: "ada" }).keys.create({ ...WEB, userId: "mel", limits });
    await kept.as({ userId: "olga" }).projectMembers.setRole({ ...WEB, userId: "ada", role: "keeper" });
    await kept.as({ token }).keys.update({ keyId: key.id, limits: null });
  });

  it("is no bound of an owner: neither the end nor the limits of a membership that they do not need", async () => {
    const limits = { rpm: 10 };
    await as("olga").projectMembers.add({
      ...WEB,
      userId: "olga",
      role: "member",
      limits,
      expiresAt: START + 5,
    });
    await as("olga").keys.create({ ...WEB, limits, expiresAt: START + 9 });
    await as("olga").keys.create({ ...WEB, userId: "mel" });
  });

  it("keeps a project to what the key has through which it is changed", async () => {
    await as("olga").projects.update({ ...WEB, limits: { rpm: 10 } });
    const { token } = await as("ada").keys.create({ ...WEB, limits: { rpm: 5 } });
    const through = gate.as({ token }).projects;
    await expect(through.update({ ...WEB, limits: { rpm: 20 } })).rejects.toThrow(LimitError);
    await through.update({ ...WEB, limits: { rpm: 5 } });
  });

  it.each([
    ["later", 1],
    ["in the same millisecond", 0],
    ["by a clock that has gone back", -1],
  ])("does not come back with a project that is made again under its id, %s", async (_, ms) => {
    const projects = [{ projectId: "web", role: "admin" }];
    const { token } = await as("olga").invitations.create({ ...ORG, role: "member", projects });
    await as("olga").projects.delete({ projectId: "web" });
    clock.time += ms;
    await as("olga").projects.create({ ...ORG, id: "web", name: "Web again" });
    const { projectMembers, notGranted } = await as("eva").invitations.accept({ token });
    expect(projectMembers).toEqual([]);
    expect(notGranted).toMatchObject([{ projectId: "web" }]);
  });

  it("does not look at what the trail has of its projects from before it", async () => {
    const kept = memoryStorage();
    const seen: string[] = [];
    const storage: Storage = {
      ...kept,
      async find(kind, where, page) {
        const found = await kept.find(kind, where, page);
        if (kind === "auditEvent") seen.push(...found.map(({ id }) => id));
        return found;
      },
    };
    const olga = createGate({ storage }).as({ userId: "olga" });
    await olga.orgs.create({ id: "acme", name: "Acme" });
    for (let times = 0; times < 3; times++) {
      await olga.projects.create({ ...ORG, id: "web", name: "Web" });
      if (times < 2) await olga.projects.delete({ projectId: "web" });
    }
    const projects = [{ projectId: "web", role: "member" }];
    const { token } = await olga.invitations.create({ ...ORG, role: "member", projects });
    const { items: trail } = await olga.audit.list(ORG);
    seen.length = 0;
    const accepted = await createGate({ storage }).as({ userId: "eva" }).invitations.accept({ token });
    expect(accepted.projectMembers).toMatchObject([{ projectId: "web" }]);
    expect(seen).toEqual([trail.at(-1)?.id]); // of the invitation itself
  });
});

it("an invitation made under a condition is accepted, as long as its maker may invite under some", async () => {
  const policy = standardPolicy.extend({
    conditions: { mfa: "signed in with a second factor" },
    orgRoles: { hr: { "invitation.create": { reach: "all", when: "mfa" } } },
  });
  const gate = createGate({ policy });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.orgMembers.add({ ...ORG, userId: "hugo", role: "hr" });
  const invite = (mfa: boolean) =>
    gate.as({ userId: "hugo", conditions: { mfa } }).invitations.create({ ...ORG, role: "member" });
  await expect(invite(false)).rejects.toThrow("condition_unmet");
  const [one, two] = [await invite(true), await invite(true)];
  await gate.as({ userId: "eva" }).invitations.accept({ token: one.token });
  await olga.orgMembers.setRole({ ...ORG, userId: "hugo", role: "member" });
  await expect(gate.as({ userId: "ed" }).invitations.accept({ token: two.token })).rejects.toThrow(
    "invitation.create",
  );
});

it("an invitation gives nothing that is frozen by the time it is accepted, and a project made by a clock that is ahead is the one that was meant", async () => {
  const storage = memoryStorage();
  const clock = { time: START, now: () => clock.time };
  const open = standardPolicy.extend({ conditions: { incident: "an incident is open" } });
  const caps = {
    freeze: { at: "project", projects: [WEB], permissions: ["projectMember.add"], unless: "incident" },
  } as const;
  const frozen = open.extend({ caps });
  const olga = createGate({ policy: open, storage, clock }).as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme" });
  clock.time += 500;
  for (const id of ["web", "new"]) await olga.projects.create({ ...ORG, id, name: id });
  clock.time -= 400;
  const projects = ["web", "new"].map((projectId) => ({ projectId, role: "member" }));
  const { token } = await olga.invitations.create({ ...ORG, role: "member", projects });
  const { projectMembers, notGranted } = await createGate({ policy: frozen, storage, clock })
    .as({ userId: "eva", conditions: { incident: true } })
    .invitations.accept({ token });
  expect(projectMembers.map(({ projectId }) => projectId)).toEqual(["new"]);
  expect(notGranted).toMatchObject([{ projectId: "web", why: expect.stringContaining("capped") }]);
});

it("a token that does not work learns nothing of which ids there are", async () => {
  const gate = createGate({ auditDenied: true });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.projects.create({ ...ORG, id: "web", name: "Web" });
  const { key, token } = await olga.keys.create(WEB);
  await olga.keys.revoke({ keyId: key.id });
  for (const dead of ["x", token]) {
    const through = gate.as({ token: dead });
    const said = (write: Promise<unknown>) => write.then(String, (error: Error) => error.message);
    for (const id of [key.id, "nobodys"]) {
      const because = dead === token ? "key_revoked" : "invalid_key";
      expect(await said(through.keys.get({ keyId: id }))).toContain(because);
      expect(await said(through.keys.update({ keyId: id, name: "mine" }))).toContain(because);
      expect(await said(through.orgs.list())).toContain(because);
      expect(await said(through.invitations.accept({ token: id }))).toContain(because);
    }
  }
});

it("a key, though an owner's, makes no org and accepts no invitation", async () => {
  const gate = createGate();
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.projects.create({ ...ORG, id: "web", name: "Web" });
  const through = gate.as({ token: (await olga.keys.create(WEB)).token });
  const { token } = await olga.invitations.create({ ...ORG, role: "member" });
  for (const write of [through.orgs.create({ name: "Own" }), through.invitations.accept({ token })])
    await expect(write).rejects.toThrow(/is not allowed: key_confined$/);
});

it("a token that is taken for an id is masked in the trail of what was denied, and in errors", async () => {
  const gate = createGate({ auditDenied: true });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.projects.create({ ...ORG, id: "web", name: "Web" });
  const { token } = await olga.keys.create(WEB);
  await olga.orgMembers.add({ ...ORG, userId: "mel", role: "member" });
  const denied = async (write: Promise<unknown>) => {
    const error = await write.catch((thrown: unknown) => thrown);
    expect(JSON.stringify(error)).not.toContain(token);
    return error;
  };
  await denied(
    gate.as({ userId: "mel" }).projectMembers.add({ ...ORG, projectId: token, userId: "x", role: "member" }),
  );
  await denied(gate.as({ userId: token }).projects.create({ ...ORG, name: "Mine" }));
  await olga.projects.update({ ...WEB, limits: { perModel: { "*": { rpm: 1 } } } });
  const limits = { perModel: { [token]: { rpm: 2 } } };
  expect(await denied(olga.keys.create({ ...WEB, limits }))).toBeInstanceOf(LimitError);
  const { items } = await olga.audit.list(ORG);
  expect(items.filter(({ outcome }) => outcome === "denied")).toHaveLength(3);
  expect(JSON.stringify(items)).not.toContain(token);
});

describe("somebody who leaves a project", () => {
  let gate: Gate;
  const call = (token: string) => gate.admit(token, { model: "m" });

  beforeEach(async () => {
    gate = createGate({ storage: memoryStorage() });
    const olga = gate.as({ userId: "olga" });
    await olga.orgs.create({ id: "acme", name: "Acme" });
    for (const id of ["web", "api"]) await olga.projects.create({ ...ORG, id, name: id });
    await olga.orgMembers.add({ ...ORG, userId: "ota", role: "owner" });
    await olga.projectMembers.add({ ...WEB, userId: "ota", role: "member" });
  });

  it("keeps their keys where they own the org: they are in it all the same", async () => {
    const { token } = await gate.as({ userId: "ota" }).keys.create(WEB);
    await gate.as({ userId: "olga" }).projectMembers.remove({ ...WEB, userId: "ota" });
    expect(await call(token)).toMatchObject({ admitted: true });
  });

  it("by being an owner no more loses the keys of the projects in which they were nothing else, for good", async () => {
    const { keys } = gate.as({ userId: "ota" });
    const [web, api] = [await keys.create(WEB), await keys.create({ ...ORG, projectId: "api" })];
    const olga = gate.as({ userId: "olga" });
    await olga.orgMembers.setRole({ ...ORG, userId: "ota", role: "member" });
    expect(await call(web.token)).toMatchObject({ admitted: true });
    expect(await call(api.token)).toMatchObject({ reason: "holder_removed" });
    await olga.projectMembers.add({ ...ORG, projectId: "api", userId: "ota", role: "member" });
    expect(await call(api.token)).toMatchObject({ reason: "key_revoked" });
  });
});

it.each([
  [0, "is one that works no more"],
  [60_000, "is still bound by what whoever has it may do"],
])("a token that is rotated, with %i ms of grace, while it is looked up %s", async (graceMs) => {
  const storage = memoryStorage();
  const { get } = storage;
  let meanwhile: (() => Promise<unknown>) | undefined;
  storage.get = async (kind, id) => {
    const first = kind === "key" ? meanwhile : undefined;
    if (first) meanwhile = undefined;
    await first?.();
    return get(kind, id);
  };
  const gate = createGate({ storage });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.projects.create({ ...ORG, id: "web", name: "Web" });
  for (const userId of ["ada", "mel"]) await olga.orgMembers.add({ ...ORG, userId, role: "member" });
  await olga.projectMembers.add({ ...WEB, userId: "ada", role: "admin" });
  await olga.projectMembers.add({ ...WEB, userId: "mel", role: "member" });
  const { key, token } = await gate.as({ userId: "ada" }).keys.create({ ...WEB, userId: "mel" });
  await olga.projectMembers.remove({ ...WEB, userId: "ada" });
  const list = () => gate.as({ token }).keys.list(ORG);
  expect(await list()).toEqual({ items: [] });

  meanwhile = () => gate.as({ userId: "mel" }).keys.rotate({ keyId: key.id, graceMs });
  if (graceMs > 0) expect(await list()).toEqual({ items: [] });
  else await expect(list()).rejects.toThrow(PermissionError);
});
