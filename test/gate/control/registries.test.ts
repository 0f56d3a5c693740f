import { beforeEach, describe, expect, test } from "vitest";
import {
  ConflictError,
  LimitError,
  NotFoundError,
  PermissionError,
  ValidationError,
} from "../../../src/model/errors.js";
import { recordKinds } from "../../../src/model/record-schemas.js";
import { createWorld, ORG, type World } from "./world.js";

describe("the org's own", () => {
  let world: World;
  const as = (userId: string) => world.gates[0].as({ userId });
  const call = (token: string, usage: object) =>
    world.gates[0].admit(token, { inputTokens: 1, costUsd: 0, ...usage });
  beforeEach(async () => {
    world = await createWorld();
  });

  test("virtual models resolve in the order of fallback from the very next call on", async () => {
    const { virtualModels, keys } = as("ann");
    const { token } = await keys.create({ orgId: ORG, projectId: "p0" });
    const fast = await virtualModels.create({ orgId: ORG, alias: "fast", models: ["a", "b"] });
    expect(await call(token, { model: "fast" })).toMatchObject({ models: ["a", "b"] });
    await virtualModels.update({ virtualModelId: fast.id, models: ["b"] });
    expect(await call(token, { model: "fast" })).toMatchObject({ models: ["b"] });
    await expect(virtualModels.create({ orgId: ORG, alias: "fast", models: ["c"] })).rejects.toThrow(
      ConflictError,
    );
    await virtualModels.delete({ virtualModelId: fast.id });
    expect(await call(token, { model: "fast" })).toMatchObject({ models: ["fast"] });
  });

  test("records are got and deleted in their own org only, and deleted at the version that was seen only", async () => {
    const { virtualModels, mcpServers, externalKeys } = as("ann");
    const model = await virtualModels.create({ orgId: ORG, alias: "fast", models: ["a"] });
    const server = await mcpServers.create({ orgId: ORG, name: "files" });
    const key = await externalKeys.create({ orgId: ORG, provider: "openai", secretRef: "vault/1" });
    const refs = [
      [virtualModels, { virtualModelId: model.id }],
      [mcpServers, { mcpServerId: server.id }],
      [externalKeys, { externalKeyId: key.id }],
    ] as const;
    for (const [registry, ref] of refs) {
      // Sound: each registry is asked by the name of its own id.
      const { get, delete: remove } = registry as Record<
        "get" | "delete",
        (input: object) => Promise<unknown>
      >;
      await expect(get({ ...ref, orgId: "elsewhere" })).rejects.toThrow(NotFoundError);
      await expect(remove({ ...ref, orgId: "elsewhere" })).rejects.toThrow(NotFoundError);
      await expect(get({ ...ref, version: 1 })).rejects.toThrow(ValidationError);
      await expect(remove({ ...ref, version: 2 })).rejects.toThrow(ConflictError);
      expect(await get({ ...ref, orgId: ORG })).toMatchObject({ orgId: ORG, version: 1 });
      await remove({ ...ref, orgId: ORG, version: 1 });
      await expect(get(ref)).rejects.toThrow(NotFoundError);
    }
  });

  test("no virtual model names another one, whichever of the two is written last", async () => {
    const { virtualModels } = as("ann");
    const fast = await virtualModels.create({ orgId: ORG, alias: "fast", models: ["a", "b"] });
    const chained = virtualModels.create({ orgId: ORG, alias: "smart", models: ["c", "fast"] });
    await expect(chained).rejects.toThrow(
      new ConflictError('virtual model "smart" may not name "fast", which is another virtual model'),
    );
    const smart = await virtualModels.create({ orgId: ORG, alias: "smart", models: ["c"] });
    const refused = [
      virtualModels.update({ virtualModelId: smart.id, models: ["fast"] }),
      virtualModels.update({ virtualModelId: smart.id, alias: "a" }),
      virtualModels.create({ orgId: ORG, alias: "b", models: ["c"] }),
    ];
    for (const write of refused) await expect(write).rejects.toThrow(ConflictError);
    expect((await virtualModels.list({ orgId: ORG })).items).toEqual(expect.arrayContaining([fast, smart]));
  });

  test("an alias that names itself is the name of a model as well, which others may name", async () => {
    const { virtualModels, keys } = as("ann");
    const { token } = await keys.create({ orgId: ORG, projectId: "p0" });
    const own = await virtualModels.create({ orgId: ORG, alias: "a", models: ["a", "b"] });
    await virtualModels.update({ virtualModelId: own.id, models: ["a", "c"] });
    await virtualModels.create({ orgId: ORG, alias: "fast", models: ["a"] });
    expect(await call(token, { model: "a" })).toMatchObject({ models: ["a", "c"] });
    expect(await call(token, { model: "fast" })).toMatchObject({ models: ["a"] });
    const only = virtualModels.update({ virtualModelId: own.id, models: ["c"] });
    await expect(only).rejects.toThrow('"fast" may not name "a"');
    const renamed = await virtualModels.create({ orgId: ORG, alias: "old", models: ["b"] });
    await virtualModels.update({ virtualModelId: renamed.id, alias: "new", models: ["old"] });
  });

  test.each(["__proto__", "a/*", "", "x".repeat(301)])("no virtual model is called %j", async (alias) => {
    const create = as("ann").virtualModels.create({ orgId: ORG, alias, models: ["a"] });
    await expect(create).rejects.toThrow(ValidationError);
  });

  test("MCP servers are a list, and projects and keys say which of them may be called", async () => {
    const { mcpServers, projects, keys } = as("ann");
    const docs = await mcpServers.create({
      orgId: ORG,
      name: "docs",
      url: "https://docs.example",
      description: "x",
    });
    expect(await mcpServers.update({ mcpServerId: docs.id, description: null })).not.toHaveProperty(
      "description",
    );
    await projects.update({ projectId: "p0", mcpServers: ["docs"] });
    const { token } = await keys.create({ orgId: ORG, projectId: "p0" });
    expect(await call(token, { mcpServer: "docs" })).toMatchObject({ admitted: true });
    expect(await call(token, { mcpServer: "mail" })).toMatchObject({ reason: "mcp_server_not_allowed" });
    await expect(keys.create({ orgId: ORG, projectId: "p0", mcpServers: ["mail"] })).rejects.toThrow(
      /^mcpServers/,
    );
  });

  test("external keys are one per project and provider, and calls on them cost only budgets that say so", async () => {
    const { externalKeys, projects, keys } = as("ann");
    const key = { orgId: ORG, projectId: "p0", provider: "openai", secretRef: "vault:acme/openai" };
    await externalKeys.create(key);
    await expect(externalKeys.create(key)).rejects.toThrow(ConflictError);
    await externalKeys.create({ ...key, provider: "anthropic" });
    await expect(externalKeys.create({ ...key, projectId: "none" })).rejects.toThrow(NotFoundError);
    expect(
      (await externalKeys.list({ orgId: ORG, projectId: "p0", provider: "openai" })).items,
    ).toMatchObject([key]);
    await externalKeys.create({ ...key, projectId: "p1" });
    expect((await externalKeys.list({ orgId: ORG, projectId: "p1" })).items).toMatchObject([
      { projectId: "p1" },
    ]);
    await projects.update({ projectId: "p0", limits: { budget: { usd: 1, reset: "monthly" } } });
    const { token } = await keys.create({ orgId: ORG, projectId: "p0" });
    expect(await call(token, { model: "a", byok: true, costUsd: 5 })).toMatchObject({ admitted: true });
    await projects.update({
      projectId: "p0",
      limits: { budget: { usd: 1, reset: "monthly", countByok: true } },
    });
    expect(await call(token, { model: "a", byok: true, costUsd: 5 })).toMatchObject({ admitted: false });
  });

  test("credits are drawn down by what is spent, and no more is spent than was granted", async () => {
    const { credits, keys } = as("ann");
    const { token } = await keys.create({ orgId: ORG, projectId: "p0" });
    await expect(credits.balance({ orgId: ORG })).rejects.toThrow(NotFoundError);
    await credits.grant({ orgId: ORG, usd: "2.50", note: "welcome" });
    expect(await call(token, { model: "a", costUsd: 2 })).toMatchObject({ admitted: true });
    expect(await call(token, { model: "a", costUsd: 1 })).toMatchObject({ reason: "credits_exhausted" });
    world.clock.time++;
    const more = await credits.grant({ orgId: ORG, usd: 1 });
    expect(await credits.balance({ orgId: ORG })).toEqual({
      grantedUsd: 3.5,
      spentUsd: 2,
      remainingUsd: 1.5,
    });
    expect(await call(token, { model: "a", costUsd: 1 })).toMatchObject({ admitted: true });
    await credits.revoke({ creditGrantId: more.id });
    expect(await credits.balance({ orgId: ORG })).toEqual({ grantedUsd: 2.5, spentUsd: 3, remainingUsd: 0 });
    await expect(credits.revoke({ creditGrantId: more.id })).rejects.toThrow(ConflictError);
    await expect(credits.grant({ orgId: ORG, usd: 8_999_999 })).rejects.toThrow(LimitError);
    expect((await credits.list({ orgId: ORG })).items).toMatchObject([
      { usd: 2.5, note: "welcome" },
      { usd: 1, status: "revoked" },
    ]);
  });

  test("an org all whose grants were revoked has no credit rather than no limit", async () => {
    const { credits, keys } = as("ann");
    const grant = await credits.grant({ orgId: ORG, usd: 5 });
    await credits.revoke({ creditGrantId: grant.id });
    const { token } = await keys.create({ orgId: ORG, projectId: "p0" });
    expect(await call(token, { model: "a", costUsd: 1 })).toMatchObject({ admitted: false });
  });

  test("only an owner may", async () => {
    for (const userId of ["ben", "cem", "dan", "fay"]) {
      const { virtualModels, mcpServers, externalKeys, credits, audit, orgs, invitations } = as(userId);
      const tries = [
        virtualModels.create({ orgId: ORG, alias: "x", models: ["a"] }),
        virtualModels.list({ orgId: ORG }),
        mcpServers.create({ orgId: ORG, name: "x" }),
        externalKeys.create({ orgId: ORG, provider: "x", secretRef: "x" }),
        externalKeys.list({ orgId: ORG }),
        credits.grant({ orgId: ORG, usd: 1 }),
        credits.balance({ orgId: ORG }),
        audit.list({ orgId: ORG }),
        orgs.get({ orgId: ORG }),
        orgs.update({ orgId: ORG, name: "x" }),
        orgs.delete({ orgId: ORG, confirm: ORG }),
        invitations.list({ orgId: ORG }),
      ];
      for (const attempt of tries) await expect(attempt).rejects.toThrow(PermissionError);
    }
  });

  test("an outsider gets the same answer for an org that is there and one that is not", async () => {
    const answer = async (orgId: string) =>
      as("eva")
        .orgs.get({ orgId })
        .catch((error: unknown) => error);
    expect(await answer(ORG)).toEqual(await answer("none"));
    expect(await as("eva").projects.list({ orgId: ORG })).toEqual(
      await as("eva").projects.list({ orgId: "none" }),
    );
  });
});

describe("deleting an org", () => {
  test("takes its name or id in writing, everything in it, and leaves its trail", async () => {
    const { gates, storage } = await createWorld();
    const { orgs, keys, credits } = gates[0].as({ userId: "ann" });
    const { token } = await keys.create({ orgId: ORG, projectId: "p0" });
    await credits.grant({ orgId: ORG, usd: 1 });
    await expect(orgs.delete({ orgId: ORG, confirm: "yes" })).rejects.toThrow(ValidationError);
    await orgs.delete({ orgId: ORG, confirm: "Acme" });
    expect(await gates[1].authenticate(token)).toMatchObject({ authenticated: false, reason: "invalid_key" });
    for (const kind of ["org", "orgMember", "project", "projectMember", "key", "creditGrant"] as const) {
      expect(await storage.find(kind, { orgId: ORG })).toEqual([]);
    }
    expect(await storage.find("auditEvent", { orgId: ORG, action: "org.delete" })).toMatchObject([
      { actorUserId: "ann" },
    ]);
    await expect(orgs.create({ id: ORG, name: "Acme again" })).rejects.toThrow(ConflictError);
  });
});

test("an org or a project that is deleted leaves nothing behind but its trail", async () => {
  const { gates, storage } = await createWorld();
  const ann = gates[0].as({ userId: "ann" });
  const at = { orgId: ORG, projectId: "p0" };
  const { token, key } = await ann.keys.create(at);
  await gates[0].admit(token, { model: "a" });
  await gates[0].close();
  const other = gates[1].as({ userId: "ann" });
  expect(await storage.get("keyUse", key.id)).toBeDefined();
  await other.invitations.create({ orgId: ORG, role: "member" });
  await other.externalKeys.create({ ...at, provider: "openai", secretRef: "vault:x" });
  await other.projects.delete({ projectId: "p0" });
  for (const kind of ["key", "keyUse", "externalKey", "projectMember"] as const)
    expect([kind, await storage.find(kind, { orgId: ORG })]).toEqual([kind, []]);
  const { items } = await other.audit.list({ orgId: ORG, action: "project.delete" });
  expect(items.flatMap(({ changes }) => changes).map(({ kind }) => kind)).not.toContain("keyUse");
  await other.orgs.delete({ orgId: ORG, confirm: ORG });
  const kinds = recordKinds.filter((kind) => kind !== "trail" && kind !== "auditEvent");
  for (const kind of kinds) expect([kind, await storage.find(kind, { orgId: ORG })]).toEqual([kind, []]);
});

test("an org is neither changed nor deleted by whoever has seen an older version of it", async () => {
  const { gates } = await createWorld();
  const { orgs } = gates[0].as({ userId: "ann" });
  await orgs.update({ orgId: ORG, name: "Acme Ltd", version: 1 });
  const stale = { orgId: ORG, version: 1 };
  await expect(orgs.update({ ...stale, name: "x" })).rejects.toThrow(ConflictError);
  await expect(orgs.delete({ ...stale, confirm: ORG })).rejects.toThrow(ConflictError);
  await orgs.delete({ ...stale, version: 2, confirm: ORG });
});

test("the use of a key goes with its org", async () => {
  const { gates, storage } = await createWorld();
  const { token } = await gates[0].as({ userId: "ann" }).keys.create({ orgId: ORG, projectId: "p0" });
  await gates[0].admit(token, { model: "a" });
  await gates[0].close();
  await gates[1].as({ userId: "ann" }).orgs.delete({ orgId: ORG, confirm: ORG });
  expect(await storage.find("keyUse", { orgId: ORG })).toEqual([]);
});

test("a project or an org that is beyond a limit which was tightened can be renamed all the same", async () => {
  const { gates } = await createWorld();
  const ann = gates[0].as({ userId: "ann" });
  await ann.projects.update({ projectId: "p0", limits: { rpm: 50 } });
  await ann.orgs.update({ orgId: ORG, limits: { rpm: 10 } });
  await ann.projects.update({ projectId: "p0", name: "a name gives nothing" });
  await expect(ann.projects.update({ projectId: "p0", limits: { rpm: 11 } })).rejects.toThrow(LimitError);
});

test("credits come to 9,000,000 US dollars, and not to a nano-USD more", async () => {
  const { gates } = await createWorld();
  const { credits } = gates[0].as({ userId: "ann" });
  await credits.grant({ orgId: ORG, usd: 8_999_999 });
  await expect(credits.grant({ orgId: ORG, usd: "1.000000001" })).rejects.toThrow(LimitError);
  await credits.grant({ orgId: ORG, usd: 1 });
});

describe("the audit trail", () => {
  test("says who did what to what, when, from which value to which", async () => {
    const { gates, clock } = await createWorld();
    const { projects, audit } = gates[0].as({ userId: "ann" });
    const { token, key } = await gates[0].as({ userId: "ben" }).keys.create({ orgId: ORG, projectId: "p0" });
    clock.time += 5;
    await gates[0].as({ token }).projects.update({ projectId: "p0", name: "Web", limits: { rpm: 5 } });
    await projects.update({ projectId: "p0", limits: null });
    const { items } = await audit.list({
      orgId: ORG,
      subjectKind: "project",
      subjectId: "p0",
      from: clock.time,
    });
    expect(items).toMatchObject([
      {
        at: clock.time,
        actorUserId: "ben",
        actorKeyId: key.id,
        action: "project.update",
        outcome: "done",
        changes: [
          { kind: "project", id: "p0", before: { name: "p0" }, after: { name: "Web", limits: { rpm: 5 } } },
        ],
      },
      { actorUserId: "ann", changes: [{ before: { limits: { rpm: 5 } }, after: { name: "Web" } }] },
    ]);
    expect(items[1]).not.toHaveProperty("actorKeyId");
    expect(items[1]?.changes[0]?.after).not.toHaveProperty("limits");
    expect((await audit.list({ orgId: ORG, userId: "ben", action: "key.create" })).items).toHaveLength(1);
    expect((await audit.list({ orgId: ORG, userId: "dan" })).items).toEqual([]);
    const [one] = (await audit.list({ orgId: ORG, subjectKind: "project", subjectId: "p1" })).items;
    expect(one).toMatchObject({ action: "project.create", changes: [{ id: "p1" }] });
    expect(
      (await audit.list({ orgId: ORG, to: clock.time, projectId: "p0" })).items.map(({ action }) => action),
    ).toEqual(["project.create", "projectMember.add", "projectMember.add", "key.create"]);
  });

  test("tells of a denied attempt why it was, even where the actor was told that there is nothing", async () => {
    const { gates } = await createWorld({ auditDenied: true });
    await gates[0]
      .as({ userId: "dan" })
      .projects.update({ projectId: "p0", name: "x" })
      .catch(() => {});
    const { items } = await gates[0].as({ userId: "ann" }).audit.list({ orgId: ORG, outcome: "denied" });
    expect(items).toMatchObject([
      {
        actorUserId: "dan",
        action: "project.update",
        subjectId: "p0",
        reason: "project.update is not allowed: not_granted",
      },
    ]);
  });

  test("tells of the last owner's attempt to leave, and of attempts that others write in the middle of", async () => {
    const { gates, storage } = await createWorld({ auditDenied: true });
    const [ann, dan] = [gates[0].as({ userId: "ann" }), gates[0].as({ userId: "dan" })];
    await ann.orgMembers.remove({ orgId: ORG, userId: "ann" }).catch(() => {});
    const { commit } = storage;
    storage.commit = async (changes) => {
      storage.commit = commit;
      await gates[1].as({ userId: "ann" }).projects.update({ projectId: "p0", name: "Web" });
      return commit(changes);
    };
    await expect(dan.orgs.update({ orgId: ORG, name: "Dan's" })).rejects.toThrow(PermissionError);
    const { items } = await ann.audit.list({ orgId: ORG, outcome: "denied" });
    expect(items).toMatchObject([
      { actorUserId: "ann", reason: 'org "acme" would be left without an owner' },
      { actorUserId: "dan", reason: "org.update is not allowed: not_granted" },
    ]);
  });

  test("tells of a large deletion in several events of the same write", async () => {
    const { gates } = await createWorld();
    const ann = gates[0].as({ userId: "ann" });
    for (let i = 0; i < 200; i++) await ann.keys.create({ orgId: ORG, projectId: "p1" });
    await ann.projects.delete({ projectId: "p1" });
    const { items } = await ann.audit.list({ orgId: ORG, action: "project.delete" });
    expect(items.map(({ changes }) => changes.length)).toEqual([200, 1]);
    expect(new Set(items.map(({ sequence }) => sequence)).size).toBe(1);
  });

  test("tells of a denied reading too, of a list as of one record", async () => {
    const { gates } = await createWorld({ auditDenied: true });
    const dan = gates[0].as({ userId: "dan" });
    await dan.projects.get({ projectId: "p0" }).catch(() => {});
    await dan.audit.list({ orgId: ORG }).catch(() => {});
    await dan.projectMembers.list({ orgId: ORG, projectId: "p0" }).catch(() => {});
    const { items } = await gates[0].as({ userId: "ann" }).audit.list({ orgId: ORG, outcome: "denied" });
    expect(items.map(({ action, subjectId }) => [action, subjectId]).sort()).toEqual([
      ["audit.view", ORG],
      ["project.view", "p0"],
      ["projectMember.view", "p0"],
    ]);
  });

  test("of an org that never was stays empty, whatever is tried on it", async () => {
    const { gates, storage } = await createWorld({ auditDenied: true });
    await gates[0]
      .as({ userId: "dan" })
      .orgs.update({ orgId: "none", name: "x" })
      .catch(() => {});
    for (const kind of ["trail", "auditEvent"] as const)
      expect(await storage.find(kind, { orgId: "none" })).toEqual([]);
  });

  test("has no hash in it, of a token before a rotation neither", async () => {
    const { gates, storage } = await createWorld();
    const { keys, audit } = gates[0].as({ userId: "ann" });
    const { key } = await keys.create({ orgId: ORG, projectId: "p0" });
    const rotated = await keys.rotate({ keyId: key.id, graceMs: 5 });
    const stored = await storage.get("key", key.id);
    const shown = JSON.stringify([
      rotated.key,
      await keys.get({ keyId: key.id }),
      await audit.list({ orgId: ORG }),
    ]);
    expect(stored?.previousHash).toMatch(/^[0-9a-f]{64}$/);
    for (const hash of [stored?.hash, stored?.previousHash]) expect(shown).not.toContain(hash);
  });

  test("has no denied attempts unless the gate is told to", async () => {
    const { gates } = await createWorld();
    await gates[0]
      .as({ userId: "dan" })
      .projects.update({ projectId: "p0", name: "x" })
      .catch(() => {});
    expect(
      (await gates[0].as({ userId: "ann" }).audit.list({ orgId: ORG, outcome: "denied" })).items,
    ).toEqual([]);
  });
});
