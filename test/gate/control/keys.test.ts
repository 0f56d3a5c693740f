import { beforeEach, describe, expect, test } from "vitest";
import { OrgQueue } from "../../../src/gate/control/org-queue.js";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import {
  ConflictError,
  LimitError,
  NotFoundError,
  PermissionError,
  TollgateError,
  ValidationError,
} from "../../../src/model/errors.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import { createWorld, ORG, type World } from "./world.js";

const at = { orgId: ORG, projectId: "p0" };

describe("keys", () => {
  let world: World;
  const as = (userId: string) => world.gates[0].as({ userId });
  const call = (token: string) => world.gates[0].admit(token, { model: "a", inputTokens: 1 });
  beforeEach(async () => {
    world = await createWorld();
  });

  test("a rotated key keeps its id and limits, and both tokens work for the time of grace", async () => {
    const { key, token } = await as("cem").keys.create({ ...at, limits: { rpm: 3 } });
    const rotated = await as("cem").keys.rotate({ keyId: key.id, graceMs: 10 });
    expect(rotated.key).toMatchObject({ id: key.id, limits: { rpm: 3 } });
    expect(await call(token)).toMatchObject({ admitted: true });
    expect(await call(rotated.token)).toMatchObject({ admitted: true });
    world.clock.time += 10;
    expect(await call(token)).toMatchObject({ admitted: false, reason: "invalid_key" });
    expect(await call(rotated.token)).toMatchObject({ admitted: true });
    expect(await call(rotated.token)).toMatchObject({ admitted: false, reason: "rate_limited" });
  });

  test("a rotation without grace ends both tokens before at once, and a second one with grace the first", async () => {
    const first = await as("cem").keys.create(at);
    const second = await as("cem").keys.rotate({ keyId: first.key.id, graceMs: 1000 });
    const third = await as("cem").keys.rotate({ keyId: first.key.id, graceMs: 1000 });
    expect(await call(first.token)).toMatchObject({ reason: "invalid_key" });
    expect(await call(second.token)).toMatchObject({ admitted: true });
    await as("cem").keys.rotate({ keyId: first.key.id });
    expect(await call(third.token)).toMatchObject({ reason: "invalid_key" });
    // Nor is the one that was in its time of grace left over.
    expect(await call(second.token)).toMatchObject({ reason: "invalid_key" });
  });

  test("revoking is final, and ends both tokens", async () => {
    const { key, token } = await as("cem").keys.create(at);
    const rotated = await as("cem").keys.rotate({ keyId: key.id, graceMs: 1000 });
    await as("ben").keys.revoke({ keyId: key.id });
    expect(await call(rotated.token)).toMatchObject({ reason: "key_revoked" });
    expect(await call(token)).toMatchObject({ admitted: false });
    expect((await world.storage.get("key", key.id))?.previousHash).toBeUndefined();
    for (const verb of ["enable", "disable", "rotate"] as const) {
      await expect(as("ann").keys[verb]({ keyId: key.id })).rejects.toThrow(ConflictError);
    }
  });

  test("a disabled key stops and an enabled one goes on", async () => {
    const { key, token } = await as("cem").keys.create(at);
    await as("ben").keys.disable({ keyId: key.id });
    expect(await call(token)).toMatchObject({ reason: "key_disabled" });
    await as("ben").keys.enable({ keyId: key.id });
    expect(await call(token)).toMatchObject({ admitted: true });
  });

  test("a key that an admin disabled is not enabled by its holder, not even after disabling it too", async () => {
    const { key } = await as("cem").keys.create(at);
    const keyId = key.id;
    await as("cem").keys.disable({ keyId });
    expect(await as("ben").keys.disable({ keyId })).toMatchObject({ disabledBy: "ben" });
    await expect(as("cem").keys.enable({ keyId })).rejects.toThrow(
      /^key\.disable is not allowed: not_granted$/,
    );
    expect(await as("cem").keys.disable({ keyId })).toMatchObject({ disabledBy: "ben" });
    await expect(as("cem").keys.enable({ keyId })).rejects.toThrow(PermissionError);
    expect(await as("ann").keys.disable({ keyId })).toMatchObject({ disabledBy: "ann" });
    expect(await as("ben").keys.enable({ keyId })).not.toHaveProperty("disabledBy");
    expect(await as("cem").keys.disable({ keyId })).toMatchObject({ disabledBy: "cem" });
    await as("cem").keys.enable({ keyId });
  });

  test("a key that was disabled and is revoked, itself or with its holder, is disabled by nobody any more", async () => {
    for (const revoke of [
      (keyId: string) => as("ben").keys.revoke({ keyId }),
      () => as("ben").projectMembers.remove({ ...at, userId: "cem" }),
    ]) {
      const { key } = await as("cem").keys.create(at);
      await as("ben").keys.disable({ keyId: key.id });
      await revoke(key.id);
      const stored = await world.storage.get("key", key.id);
      expect(stored).toMatchObject({ status: "revoked" });
      expect(stored?.disabledBy).toBeUndefined();
    }
  });

  test("a key beyond its tightened project is neither enabled nor rotated before it fits again", async () => {
    const { key } = await as("cem").keys.create({ ...at, limits: { rpm: 50 } });
    await as("ann").projects.update({ projectId: "p0", limits: { rpm: 10 } });
    await as("cem").keys.update({ keyId: key.id, name: "a name gives nothing" });
    await expect(as("cem").keys.rotate({ keyId: key.id })).rejects.toThrow(/^limits.rpm: at most 10/);
    await as("cem").keys.disable({ keyId: key.id });
    await expect(as("cem").keys.enable({ keyId: key.id })).rejects.toThrow(LimitError);
    await as("cem").keys.update({ keyId: key.id, limits: { rpm: 10 } });
    await as("cem").keys.enable({ keyId: key.id });
  });

  test("through a key nobody gives more than the key has", async () => {
    const small = { limits: { rpm: 5 }, models: ["a"], contentLogging: false };
    const expiresAt = world.clock.time + 100;
    const { key, token } = await as("cem").keys.create({ ...at, ...small, expiresAt });
    const through = world.gates[0].as({ token }).keys;
    const more = async (change: object, field: string) =>
      expect(
        await through.create({ ...at, ...small, expiresAt, ...change }).catch((error: unknown) => error),
      ).toMatchObject({ field });
    await more({ limits: undefined }, "limits.rpm");
    await more({ limits: { rpm: 6 } }, "limits.rpm");
    await more({ models: undefined }, "models");
    await more({ models: ["a", "b"] }, "models");
    await more({ expiresAt: expiresAt + 1 }, "expiresAt");
    await more({ expiresAt: undefined }, "expiresAt");
    await more({ contentLogging: undefined }, "contentLogging");
    await expect(through.update({ keyId: key.id, limits: null })).rejects.toThrow(LimitError);
    const wide = await as("cem").keys.create(at);
    await expect(through.rotate({ keyId: wide.key.id })).rejects.toThrow(LimitError);
    await through.create({ ...at, ...small, expiresAt });
  });

  test("a token that an admin made for somebody does not rise with them", async () => {
    const { key, token } = await as("ben").keys.create({ ...at, userId: "cem" });
    const through = world.gates[0].as({ token });
    const { token: another } = await through.keys.create(at);
    await as("ann").orgMembers.setRole({ orgId: ORG, userId: "cem", role: "owner" });
    for (const handed of [token, another]) {
      const deletion = world.gates[0].as({ token: handed }).projects.delete({ projectId: "p0" });
      await expect(deletion).rejects.toThrow(PermissionError);
    }
    await expect(through.keys.create(at)).rejects.toThrow(/^userId: it comes with project.delete/);
    await expect(through.keys.rotate({ keyId: key.id })).rejects.toThrow(LimitError);
    await through.projects.update({ projectId: "p0", name: "what Ben may do" });
    const own = await as("cem").keys.create(at);
    await world.gates[0].as({ token: own.token }).projects.delete({ projectId: "p0" });
  });

  test("an admin makes and rotates no token of somebody who may do more", async () => {
    await as("ann").projectMembers.add({ ...at, userId: "ann", role: "member" });
    await expect(as("ben").keys.create({ ...at, userId: "ann" })).rejects.toThrow(
      /^userId: it comes with project.delete/,
    );
    const { key } = await as("ann").keys.create(at);
    await expect(as("ben").keys.rotate({ keyId: key.id })).rejects.toThrow(LimitError);
    await as("ben").keys.disable({ keyId: key.id });
  });

  test("somebody who may not see a key gets the same answer as for none", async () => {
    const { key } = await as("ben").keys.create(at);
    for (const userId of ["cem", "dan", "fay"]) {
      const { keys } = as(userId);
      for (const verb of ["get", "update", "disable", "enable", "revoke", "rotate", "effective"] as const) {
        await expect(keys[verb]({ keyId: key.id })).rejects.toThrow(new NotFoundError("key", key.id));
        await expect(keys[verb]({ keyId: "none" })).rejects.toThrow(new NotFoundError("key", "none"));
      }
    }
    await expect(as("ann").keys.get({ keyId: key.id, orgId: "other" })).rejects.toThrow(NotFoundError);
  });

  test("the holder has to be in the project, and the project in the org", async () => {
    await expect(as("ben").keys.create({ ...at, userId: "dan" })).rejects.toThrow(NotFoundError);
    await expect(as("ann").keys.create({ orgId: ORG, projectId: "none" })).rejects.toThrow(NotFoundError);
    await expect(as("fay").keys.create({ orgId: "other", projectId: "p0" })).rejects.toThrow(NotFoundError);
    await expect(as("dan").keys.create(at)).rejects.toThrow(PermissionError);
    await expect(as("dan").keys.create({ orgId: ORG, projectId: "none" })).rejects.toThrow(PermissionError);
    for (const projectId of ["constructor", "__proto__"]) {
      await as("ann").projects.create({ orgId: ORG, id: projectId, name: "one like any other" });
      const forDan = as("ann").keys.create({ orgId: ORG, projectId, userId: "dan" });
      await expect(forDan).rejects.toThrow(NotFoundError);
    }
  });

  test("list filters by holder, status, tag, end and last use", async () => {
    const { keys } = as("ann");
    const end = world.clock.time + 100;
    await keys.create({ ...at, id: "k1", userId: "cem", tags: { purpose: "batch" } });
    await keys.create({ ...at, id: "k2", userId: "ben", expiresAt: end });
    await keys.create({ ...at, id: "k3", userId: "ben", tags: { purpose: "chat" } });
    await keys.revoke({ keyId: "k1" });
    world.clock.time += 10;
    const since = world.clock.time;
    const ids = async (query: object) =>
      (await keys.list({ orgId: ORG, ...query })).items.map(({ id }) => id);
    expect(await ids({ userId: "cem" })).toEqual(["k1"]);
    expect(await ids({ status: "revoked" })).toEqual(["k1"]);
    expect(await ids({ tag: "purpose" })).toEqual(["k1", "k3"]);
    expect(await ids({ tag: { name: "purpose", value: "chat" } })).toEqual(["k3"]);
    expect(await ids({ expiringBefore: end + 1 })).toEqual(["k2"]);
    expect(await ids({ expiringBefore: end })).toEqual([]);
    expect(await ids({ unusedSince: since })).toEqual(["k1", "k2", "k3"]);
    expect(await ids({ projectId: "p1" })).toEqual([]);
    await as("ann").projectMembers.setExpiry({ ...at, userId: "cem", expiresAt: end });
    expect(await ids({ expiringBefore: end + 1 })).toEqual(["k1", "k2"]);
  });

  test("a misspelt field, a holder in an update and a hash in anything are a ValidationError", async () => {
    const { key } = await as("cem").keys.create(at);
    const update = as("cem").keys.update as (input: object) => Promise<unknown>; // what a caller without types does
    await expect(update({ keyId: key.id, userId: "ben" })).rejects.toThrow(/^key.userId: no such field/);
    await expect(update({ keyId: key.id, limits: { rmp: 5 } })).rejects.toThrow(ValidationError);
    await expect(update({ keyId: key.id, hash: "x" })).rejects.toThrow(ValidationError);
  });

  test("effective shows each limit with its scope, the models that are left, the end, and why", async () => {
    await as("ann").orgs.update({ orgId: ORG, limits: { budget: { usd: 100, reset: "monthly" } } });
    await as("ann").virtualModels.create({ orgId: ORG, alias: "fast", models: ["b/c", "a"] });
    await as("ann").virtualModels.create({ orgId: ORG, alias: "slow", models: ["a"] });
    await as("ann").projects.update({
      projectId: "p0",
      models: ["b/*"],
      contentLogging: false,
      limits: { rpm: 10 },
    });
    const end = world.clock.time + 50;
    await as("ann").projectMembers.setExpiry({ ...at, userId: "cem", expiresAt: end });
    const { key } = await as("cem").keys.create({ ...at, models: ["b/c", "b/d/*"], limits: { rpm: 4 } });
    await as("ann").projects.update({ projectId: "p0", limits: { rpm: 3 } });
    expect(await as("cem").keys.effective({ keyId: key.id })).toEqual({
      keyId: key.id,
      ...at,
      userId: "cem",
      usable: true,
      limits: [
        {
          scope: "org",
          scopeId: ORG,
          meter: "cost",
          max: 100e9,
          usd: 100,
          window: "monthly",
          mode: "enforce",
        },
        { scope: "project", scopeId: "p0", meter: "requests", max: 3, window: "minute", mode: "enforce" },
        {
          scope: "key",
          scopeId: key.id,
          meter: "requests",
          max: 4,
          window: "minute",
          mode: "enforce",
          within: "project",
        },
      ],
      models: { allowed: ["b/c", "b/d/*"], because: ["project", "key"] },
      virtualModels: { fast: ["b/c"] },
      mcpServers: { allowed: null, because: [] },
      expiresAt: end,
      expiresBecause: "member",
      contentLogging: false,
      contentLoggingOffBecause: ["project"],
    });
    world.clock.time = end;
    expect(await as("ben").keys.effective({ keyId: key.id })).toMatchObject({
      usable: false,
      reason: "holder_removed",
    });
  });

  test("a limit is within a lower one that counts all that it counts, calls on the customer's own keys too", async () => {
    const budget = (countByok: boolean) => ({ budget: { usd: 10, reset: "monthly" as const, countByok } });
    const within = async (outer: boolean, inner: boolean) => {
      await as("ann").projects.update({ projectId: "p0", limits: budget(outer) });
      const { key } = await as("cem").keys.create({ ...at, limits: budget(inner) });
      const { limits } = await as("cem").keys.effective({ keyId: key.id });
      return limits.find(({ scope }) => scope === "key")?.within;
    };
    expect(await within(false, true)).toBeUndefined();
    expect(await within(false, false)).toBe("project");
    expect(await within(true, true)).toBe("project");
    expect(await within(true, false)).toBe("project");
  });

  test("of two tokens of one key each acts for whom it was handed to", async () => {
    const own = await as("cem").keys.create(at);
    const { token: bens } = await as("ben").keys.rotate({ keyId: own.key.id, graceMs: 1000 });
    const handed = await as("ben").keys.create({ ...at, userId: "cem" });
    const { token: cems } = await as("cem").keys.rotate({ keyId: handed.key.id, graceMs: 1000 });
    await as("ann").orgMembers.setRole({ orgId: ORG, userId: "cem", role: "owner" });
    const mayDelete = async (token: string) => {
      const write = world.gates[0].as({ token }).projects.delete({ projectId: "p0", version: 99 });
      return write.catch((error: unknown) => error instanceof ConflictError); // of the version: they may
    };
    expect([await mayDelete(own.token), await mayDelete(cems)]).toEqual([true, true]);
    expect([await mayDelete(bens), await mayDelete(handed.token)]).toEqual([false, false]);
  });

  test("an update switches no logging on that the project has off, and what was on before keeps nobody from the rest", async () => {
    const { key } = await as("cem").keys.create(at);
    await as("ann").projects.update({ projectId: "p0", contentLogging: false });
    const on = as("cem").keys.update({ keyId: key.id, contentLogging: true });
    await expect(on).rejects.toThrow(/^contentLogging: off, because it is off for the project/);
    await as("cem").keys.disable({ keyId: key.id });
    await as("cem").keys.enable({ keyId: key.id });
    await as("cem").keys.rotate({ keyId: key.id });
  });

  test("a token whose time of grace is over acts for nobody, from that millisecond on", async () => {
    const { key, token } = await as("cem").keys.create(at);
    await as("cem").keys.rotate({ keyId: key.id, graceMs: 10 });
    const through = world.gates[0].as({ token });
    world.clock.time += 9;
    await through.keys.get({ keyId: key.id });
    world.clock.time += 1;
    await expect(through.keys.get({ keyId: key.id })).rejects.toThrow("invalid_key");
  });

  test("an org that is named besides an id is the one that the key is in, for every verb", async () => {
    const { key } = await as("ann").keys.create(at);
    for (const verb of ["update", "disable", "enable", "revoke", "rotate"] as const) {
      await expect(as("ann").keys[verb]({ keyId: key.id, orgId: "other" })).rejects.toThrow(NotFoundError);
    }
    expect(await as("ann").keys.get({ keyId: key.id, orgId: ORG })).toMatchObject({
      version: 1,
      status: "active",
    });
  });

  test("no key and no membership is made that is over before it begins", async () => {
    const expiresAt = world.clock.time;
    await expect(as("cem").keys.create({ ...at, expiresAt })).rejects.toThrow(/^key.expiresAt: a moment/);
    const membership = { ...at, userId: "dan", role: "member", expiresAt };
    await expect(as("ann").projectMembers.add(membership)).rejects.toThrow(
      /^projectMember.expiresAt: a moment/,
    );
  });

  test("null takes a name, limits and an end away", async () => {
    const given = { name: "laptop", limits: { rpm: 1 }, expiresAt: world.clock.time + 5 };
    const { key } = await as("cem").keys.create({ ...at, ...given });
    await as("cem").keys.update({ keyId: key.id, expiresAt: key.createdAt });
    const cleared = await as("cem").keys.update({ keyId: key.id, name: null, limits: null, expiresAt: null });
    for (const field of Object.keys(given)) expect(cleared).not.toHaveProperty(field);
  });

  test("one that is revoked stays so for whoever comes back, though its holder's leaving had revoked it before", async () => {
    const { key, token } = await as("cem").keys.create(at);
    await as("ann").projectMembers.remove({ ...at, userId: "cem" });
    expect(await call(token)).toMatchObject({ reason: "holder_removed" });
    await as("ann").keys.revoke({ keyId: key.id });
    expect(await call(token)).toMatchObject({ reason: "key_revoked" });
  });

  test("one that its holder's leaving revoked passes no call, though their new membership ends while it is looked up", async () => {
    const storage = memoryStorage();
    const { clock } = world;
    const gate = createGate({ clock, storage });
    const ann = gate.as({ userId: "ann" });
    await ann.orgs.create({ id: ORG, name: "Acme" });
    await ann.projects.create({ orgId: ORG, id: "p0", name: "p0" });
    await ann.orgMembers.add({ orgId: ORG, userId: "cem", role: "member" });
    const member = { ...at, userId: "cem" };
    await ann.projectMembers.add({ ...member, role: "member" });
    const { token } = await gate.as({ userId: "cem" }).keys.create(at);
    await ann.projectMembers.remove(member);
    const expiresAt = clock.time + 1;
    await ann.projectMembers.add({ ...member, role: "member", expiresAt });
    const { find } = storage;
    storage.find = (...query) => {
      clock.time = expiresAt;
      return find(...query);
    };
    expect(await gate.admit(token, { model: "a" })).toMatchObject({ admitted: false });
  });

  test("list knows no tag that objects inherit, and no key is unused since before it was made", async () => {
    const { key } = await as("cem").keys.create({ ...at, tags: { purpose: "batch" } });
    const ids = async (query: object) =>
      (await as("ann").keys.list({ orgId: ORG, ...query })).items.map(({ id }) => id);
    for (const tag of ["constructor", "toString"]) expect(await ids({ tag })).toEqual([]);
    expect(await ids({ unusedSince: world.clock.time })).toEqual([]);
    expect(await ids({ unusedSince: world.clock.time + 1 })).toEqual([key.id]);
  });

  test("an owner's key does not end with a membership that the owner does not need", async () => {
    const end = world.clock.time + 5;
    await as("ann").projectMembers.add({ ...at, userId: "ann", role: "member", expiresAt: end });
    const { key, token } = await as("ann").keys.create(at);
    expect((await as("ann").keys.list({ orgId: ORG, expiringBefore: end + 1 })).items).toEqual([]);
    await as("ann").keys.update({ keyId: key.id, expiresAt: end + 100 });
    expect(await as("ann").keys.get({ keyId: key.id })).toMatchObject({ expiresAt: end + 100 });
    world.clock.time = end;
    expect(await world.gates[0].admit(token, { model: "gpt-4o" })).toMatchObject({ admitted: true });
    expect(await as("ann").keys.effective({ keyId: key.id })).toMatchObject({
      expiresAt: end + 100,
      expiresBecause: "key",
    });
  });

  test("effective names the lowest of the limits above, and none that refuses nothing", async () => {
    await as("ann").orgs.update({ orgId: ORG, limits: { rpm: 9, tpm: 1, mode: "shadow" } });
    const { key } = await as("cem").keys.create({ ...at, limits: { rpm: 20, tpm: 20 } });
    const within = async () => {
      const { limits } = await as("cem").keys.effective({ keyId: key.id });
      return limits.filter(({ scope }) => scope === "key").map((limit) => limit.within);
    };
    expect(await within()).toEqual([undefined, undefined]);
    await as("ann").orgs.update({ orgId: ORG, limits: { rpm: 9 } });
    await as("ann").projects.update({ projectId: "p0", limits: { rpm: 5 } });
    expect(await within()).toEqual(["project", undefined]);
  });

  test("a write through a gate is seen by its very next call, also where the storage tells of nothing", async () => {
    const { watch, ...mute } = memoryStorage();
    const gate = createGate({ storage: mute });
    const ann = gate.as({ userId: "ann" });
    await ann.orgs.create({ id: ORG, name: "Acme" });
    await ann.projects.create({ orgId: ORG, id: "p0", name: "p0" });
    const { key, token } = await ann.keys.create(at);
    expect(watch).toBeDefined();
    expect(await gate.admit(token, { model: "a" })).toMatchObject({ admitted: true });
    await ann.keys.disable({ keyId: key.id });
    expect(await gate.admit(token, { model: "a" })).toMatchObject({
      admitted: false,
      reason: "key_disabled",
    });
  });
});

test("a write begins again as often as something of it changes that is no write of the org: a key was used", async () => {
  const storage = memoryStorage();
  const gate = createGate({ storage });
  const ann = gate.as({ userId: "ann" });
  await ann.orgs.create({ id: ORG, name: "Acme" });
  await ann.projects.create({ orgId: ORG, id: "p0", name: "p0" });
  const { key } = await ann.keys.create(at);
  const use = (version: number) =>
    storage.commit([
      {
        kind: "keyUse",
        id: key.id,
        expectedVersion: version - 1,
        record: { id: key.id, orgId: ORG, version, usedAt: version },
      },
    ]);
  await use(1);
  const { commit } = storage;
  let uses = 1;
  storage.commit = async (changes) => {
    if (uses < 20) {
      const begun = storage.commit;
      storage.commit = commit;
      await use(++uses);
      storage.commit = begun;
    }
    return commit(changes);
  };
  await ann.projects.delete({ projectId: "p0" });
  expect(uses).toBe(20);
  expect(await storage.find("keyUse", { orgId: ORG })).toEqual([]);
});

describe("the uses of many keys are asked for together, not one after another", () => {
  const keyIds = Array.from({ length: 20 }, (_, i) => `k${i}`);

  test.each<[string, (ann: ReturnType<Gate["as"]>) => Promise<unknown>]>([
    ["by the deletion of their project", ({ projects }) => projects.delete({ projectId: "p0" })],
    ["by a list of the keys unused since then", ({ keys }) => keys.list({ orgId: ORG, unusedSince: 1 })],
  ])("%s", async (_, ask) => {
    const { get, ...rest } = memoryStorage();
    const asked = new Set<string>();
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const slow: typeof get = async (kind, id) => {
      if (kind === "keyUse") {
        if (asked.add(id).size === keyIds.length) answer();
        await answered;
      }
      return get(kind, id);
    };
    const ann = createGate({ storage: { ...rest, get: slow } }).as({ userId: "ann" });
    await ann.orgs.create({ id: ORG, name: "Acme" });
    await ann.projects.create({ orgId: ORG, id: "p0", name: "p0" });
    for (const id of keyIds) await ann.keys.create({ ...at, id });
    const done = ask(ann);
    await expect.poll(() => asked.size).toBe(keyIds.length);
    await done;
  });
});

test("a list of the keys that end soon looks up no holder unless it depends on them", async () => {
  const { get, ...rest } = memoryStorage();
  const asked: string[] = [];
  const counted: typeof get = async (kind, id) => {
    asked.push(kind);
    return get(kind, id);
  };
  const ann = createGate({ storage: { ...rest, get: counted }, clock: { now: () => 0 } }).as({
    userId: "ann",
  });
  await ann.orgs.create({ id: ORG, name: "Acme" });
  await ann.projects.create({ orgId: ORG, id: "p0", name: "p0" });
  for (const [userId, expiresAt] of [
    ["ben", undefined],
    ["eve", 50],
  ] as const) {
    await ann.orgMembers.add({ orgId: ORG, userId, role: "member" });
    await ann.projectMembers.add({ ...at, userId, role: "member", expiresAt });
    for (const id of ["a", "b", "c"]) await ann.keys.create({ ...at, id: userId + id, userId });
    await ann.keys.create({ ...at, id: `${userId}ends`, userId, expiresAt: 20 });
  }
  const list = async (expiringBefore: number) => {
    asked.length = 0;
    const { items } = await ann.keys.list({ orgId: ORG, expiringBefore });
    const times = (kind: string) => asked.filter((one) => one === kind).length;
    return [items.map(({ id }) => id), times("projectMember"), times("orgMember") - 1]; // the actor's own
  };
  expect(await list(30)).toEqual([["benends", "eveends"], 6, 0]);
  expect(await list(60)).toEqual([["benends", "evea", "eveb", "evec", "eveends"], 6, 3]);
});

test("a write that others overtake begins again: neither what it read nor what it was refused by holds", async () => {
  const storage = memoryStorage();
  const ann = createGate({ storage }).as({ userId: "ann" });
  await ann.orgs.create({ id: ORG, name: "Acme" });
  await ann.projects.create({ orgId: ORG, id: "p0", name: "p0", limits: { rpm: 1 } });
  const { watch, get, ...rest } = storage;
  const loosened = [2, 3, 4, 5, 6];
  const slow: typeof get = async (kind, id) => {
    const found = await get(kind, id);
    const rpm = kind === "project" ? loosened.shift() : undefined;
    if (rpm !== undefined) await ann.projects.update({ projectId: "p0", limits: { rpm } });
    return found;
  };
  const other = createGate({ storage: { ...rest, get: slow } }).as({ userId: "ann" });
  const { key } = await other.keys.create({ ...at, limits: { rpm: 6 } });
  expect(key).toMatchObject({ limits: { rpm: 6 } });
  expect(loosened).toEqual([]);
});

test("nobody writes who is removed or demoted while they are looked up, themselves or through a key", async () => {
  for (const [how, who] of ["remove", "setRole"].flatMap((how) => [
    [how, "user"] as const,
    [how, "key"] as const,
  ])) {
    const storage = memoryStorage();
    const ann = createGate({ storage }).as({ userId: "ann" });
    await ann.orgs.create({ id: ORG, name: "Acme" });
    await ann.projects.create({ orgId: ORG, id: "p0", name: "p0" });
    const ben = { orgId: ORG, userId: "ben" };
    await ann.orgMembers.add({ ...ben, role: "owner" });
    const { token } = await createGate({ storage }).as({ userId: "ben" }).keys.create(at);
    const { watch, get, ...rest } = storage;
    let looks = 0;
    const slow: typeof get = async (kind, id) => {
      const found = await get(kind, id);
      if (kind !== "orgMember" || looks++ > 0) return found;
      await (how === "remove"
        ? ann.orgMembers.remove(ben)
        : ann.orgMembers.setRole({ ...ben, role: "member" }));
      return found;
    };
    const actor = who === "user" ? { userId: "ben" } : { token };
    const other = createGate({ storage: { ...rest, get: slow } }).as(actor);
    await expect(other.projects.update({ projectId: "p0", name: "Ben's" })).rejects.toThrow(TollgateError);
    expect(await storage.get("project", "p0")).toMatchObject({ name: "p0" });
  }
});

test("a token that another process rotates while it is looked up works as long as its time of grace", async () => {
  const storage = memoryStorage();
  const ann = createGate({ storage }).as({ userId: "ann" });
  await ann.orgs.create({ id: ORG, name: "Acme" });
  await ann.projects.create({ orgId: ORG, id: "p0", name: "p0" });
  const { key, token } = await ann.keys.create(at);
  const { watch, find, ...rest } = storage;
  let isRotated = false;
  const slow: typeof find = async (kind, where, page) => {
    if ("hash" in where && !isRotated) {
      isRotated = true;
      await ann.keys.rotate({ keyId: key.id, graceMs: 1_000 });
    }
    return find(kind, where, page);
  };
  const other = createGate({ storage: { ...rest, find: slow } });
  expect(await other.admit(token, { model: "a" })).toMatchObject({ admitted: true });
});

test("effective tells nothing of another org's key, made under the id of one that is deleted while it is looked up", async () => {
  const storage = memoryStorage();
  const gate = createGate({ storage });
  const [ann, fay] = ["ann", "fay"].map((userId) => gate.as({ userId }));
  if (!ann || !fay) throw new Error("two people");
  await ann.orgs.create({ id: ORG, name: "Acme" });
  await ann.projects.create({ orgId: ORG, id: "p0", name: "p0" });
  await fay.orgs.create({ id: "other", name: "Other" });
  await fay.projects.create({ orgId: "other", id: "secret", name: "Secret" });
  await ann.keys.create({ ...at, id: "k" });
  const { watch, get, ...rest } = storage;
  let looks = 0;
  const slow: typeof get = async (kind, id) => {
    const found = await get(kind, id);
    if (kind === "key" && looks++ === 0) {
      await ann.projects.delete({ projectId: "p0" });
      await fay.keys.create({ orgId: "other", projectId: "secret", id: "k", limits: { rpm: 7 } });
    }
    return found;
  };
  const other = createGate({ storage: { ...rest, get: slow } }).as({ userId: "ann" });
  await expect(other.keys.effective({ keyId: "k" })).rejects.toThrow(NotFoundError);
  expect(looks).toBe(2);
});

test("the orgs of somebody come page by page", async () => {
  const { gates } = await createWorld();
  const { orgs } = gates[0].as({ userId: "ann" });
  for (const id of ["beta", "zeta"]) await orgs.create({ id, name: id });
  const seen: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = await orgs.list({ limit: 1, after });
    seen.push(...page.items.map(({ id }) => id));
    if (page.next === undefined) break;
    after = page.next;
  }
  expect(seen).toEqual([ORG, "beta", "zeta"]);
});

test("the orgs of somebody go on after a page whose orgs were deleted while it was read", async () => {
  const storage = memoryStorage();
  const { orgs } = createGate({ storage }).as({ userId: "ann" });
  for (const id of ["alpha", "beta"]) await orgs.create({ id, name: id });
  const { get } = storage;
  storage.get = async (kind, id) => {
    if (kind !== "org") return get(kind, id);
    storage.get = get;
    await orgs.delete({ orgId: "alpha", confirm: "alpha" });
    return get(kind, id);
  };
  const { items, next } = await orgs.list({ limit: 1 });
  expect(items).toEqual([]);
  expect((await orgs.list({ limit: 1, after: next })).items.map(({ id }) => id)).toEqual(["beta"]);
});

test("a write that failed does not fail the one behind it", async () => {
  const queue = new OrgQueue();
  const failing = queue.run(ORG, async () => {
    throw new Error("the first one");
  });
  const next = queue.run(ORG, async () => "done");
  await expect(failing).rejects.toThrow("the first one");
  expect(await next).toBe("done");
});
