import { beforeEach, describe, expect, it } from "vitest";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import { LimitError, NotFoundError, PermissionError } from "../../../src/model/errors.js";
import { standardPolicy } from "../../../src/policy/standard.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import { createWeb, ORG, START, WEB } from "./web.js";

/** Makes keys for anybody, and manages none but their own. */
const issuer = {
  "project.view": "all",
  "key.create": "all",
  "key.view": "own",
  "key.update": "own",
  "key.disable": "own",
  "key.rotate": "own",
  "key.revoke": "own",
  "usage.view": "own",
} as const;

describe("whoever was handed a token that stands for somebody else", () => {
  let gate: Gate;
  const clock = { time: START, now: () => clock.time };
  const as = (userId: string) => gate.as({ userId });

  beforeEach(async () => {
    clock.time = START;
    const policy = standardPolicy.extend({ projectRoles: { issuer } });
    // Sound: a gate of an extended policy takes what a plain one takes.
    gate = createGate({ clock, storage: memoryStorage(), policy }) as Gate;
    await createWeb(gate, { ada: "admin", ian: "issuer", mel: "member" });
  });

  it.each(["ian", "ada"])(
    "has nothing of the holder's own through it, where %s may do that to their own alone",
    async (userId) => {
      const { key } = await as("mel").keys.create(WEB);
      const { token } = await as(userId).keys.create({ ...WEB, userId: "mel" });
      if (userId === "ada") await as("olga").projectMembers.setRole({ ...WEB, userId, role: "member" });
      const through = gate.as({ token }).keys;
      expect((await through.list(ORG)).items).toEqual([]);
      for (const verb of ["rotate", "revoke", "update"] as const)
        await expect(through[verb]({ keyId: key.id })).rejects.toThrow(NotFoundError);
      if (userId === "ada") await expect(through.create(WEB)).rejects.toThrow(PermissionError);
    },
  );

  it("manages through it what they may manage of everybody's", async () => {
    const { key } = await as("mel").keys.create(WEB);
    const { token } = await as("ada").keys.create({ ...WEB, userId: "mel" });
    const through = gate.as({ token }).keys;
    expect((await through.list(ORG)).items).toHaveLength(2);
    await through.update({ keyId: key.id, name: "evaluation" });
    await through.create(WEB);
  });

  it("gets no key of their own through it that may do more than the holder", async () => {
    const { key } = await as("olga").keys.create(WEB);
    const { token } = await as("olga").keys.create({ ...WEB, userId: "ada" });
    const { keys, projects } = gate.as({ token });
    await expect(projects.delete(WEB)).rejects.toThrow(PermissionError);
    const refusal = /^userId: it comes with project\.delete, which goes beyond/;
    await expect(keys.create({ ...WEB, userId: "olga" })).rejects.toThrow(refusal);
    await expect(keys.rotate({ keyId: key.id })).rejects.toThrow(refusal);
    await as("olga").orgMembers.add({ ...ORG, userId: "ben", role: "member" });
    await as("olga").projectMembers.add({ ...WEB, userId: "ben", role: "admin" });
    const bens = await as("ben").keys.create({ ...WEB, userId: "ada" });
    await gate.as({ token: bens.token }).keys.create({ ...WEB, userId: "ben" });
  });

  it("is under the bounds of their own membership, too, and not under any as an owner", async () => {
    const [web, end] = [{ ...WEB, userId: "ada" }, START + 1_000];
    const limits = { budget: { usd: 1, reset: "monthly" as const } };
    await as("olga").projectMembers.setRole({ ...WEB, userId: "mel", role: "admin" });
    const { key, token } = await as("ada").keys.create({ ...WEB, userId: "mel" });
    const olgas = await as("olga").keys.create({ ...WEB, userId: "mel" });
    await as("olga").projectMembers.setLimits({ ...web, limits });
    await as("olga").projectMembers.setExpiry({ ...web, expiresAt: end });
    const { projectMembers, keys } = gate.as({ token });
    await expect(projectMembers.setExpiry({ ...web, expiresAt: null })).rejects.toThrow(
      /^expiresAt: at most/,
    );
    await expect(projectMembers.setLimits({ ...web, limits: null })).rejects.toThrow(/^limits\.budget\.usd/);
    await expect(keys.create(WEB)).rejects.toThrow(LimitError);
    await keys.create({ ...WEB, limits, expiresAt: end });
    await keys.update({ keyId: key.id, limits });
    const through = gate.as({ token: olgas.token });
    await through.keys.create(WEB);
    await through.projectMembers.setExpiry({ ...web, expiresAt: null });
  });

  it("takes no limits away under a project that they may change as themselves", async () => {
    const limits = { rpm: 2, budget: { usd: 1, reset: "monthly" as const } };
    await as("olga").projectMembers.setLimits({ ...WEB, userId: "ada", limits });
    const { key, token } = await as("ada").keys.create({ ...WEB, userId: "mel", limits });
    await as("ada").projects.update({ ...WEB, limits });
    const { keys } = gate.as({ token });
    await expect(keys.update({ keyId: key.id, limits: null })).rejects.toThrow(/^limits\.rpm: at most 2/);
    await expect(keys.create(WEB)).rejects.toThrow(LimitError);
  });

  it("gives under that project what they may give as themselves", async () => {
    const limits = { rpm: 2 };
    const { token } = await as("ada").keys.create({ ...WEB, userId: "mel", limits });
    await as("olga").projects.update({ ...WEB, limits });
    await gate.as({ token }).keys.create(WEB);
  });
});

describe("a key of somebody who may change the org", () => {
  const limits = { rpm: 2 };
  const orgRoles = { ops: { "org.view": "all", "org.update": "all" } } as const;

  it("gives nothing under the org alone that they may not give as themselves", async () => {
    const gate = createGate({ policy: standardPolicy.extend({ orgRoles }) });
    const olga = gate.as({ userId: "olga" });
    await olga.orgs.create({ id: "acme", name: "Acme" });
    await olga.projects.create({ ...ORG, id: "web", name: "Web" });
    await olga.orgMembers.add({ ...ORG, userId: "opal", role: "ops" });
    await olga.projectMembers.add({ ...WEB, userId: "opal", role: "admin", limits });
    const opal = gate.as({ userId: "opal" });
    const { token } = await opal.keys.create(WEB);
    await olga.orgMembers.add({ ...ORG, userId: "mel", role: "member" });
    await olga.projectMembers.add({ ...WEB, userId: "mel", role: "member" });
    await opal.orgs.update({ ...ORG, limits });
    const forMel = { ...WEB, userId: "mel" };
    for (const { keys } of [opal, gate.as({ token })])
      await expect(keys.create(forMel)).rejects.toThrow(/^limits\.rpm: at most 2/);
    await gate.as({ token }).keys.create({ ...forMel, limits });
  });

  it("gives under the org what an owner may give, who is under no bound", async () => {
    const gate = createGate();
    const olga = gate.as({ userId: "olga" });
    await olga.orgs.create({ id: "acme", name: "Acme", contentLogging: false });
    await olga.projects.create({ ...ORG, id: "web", name: "Web" });
    const { token } = await olga.keys.create({ ...WEB, contentLogging: false });
    const { key } = await olga.keys.create(WEB);
    await gate.as({ token }).keys.rotate({ keyId: key.id });
  });
});
