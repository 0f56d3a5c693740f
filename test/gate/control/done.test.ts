import { createGate, type Gate, LimitError, NotFoundError, PermissionError } from "tollgate";
import { beforeEach, describe, expect, test } from "vitest";

const web = { orgId: "acme", projectId: "web" };
const DAY_MS = 86_400_000;
const MAY_15 = Date.UTC(2026, 4, 15, 12);

describe("everything that the console of such a product does", () => {
  let gate: Gate;
  let time: number;
  const as = (userId: string) => gate.as({ userId });
  const call = (token: string, more: object = {}) =>
    gate.admit(token, { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10, costUsd: 0, ...more });

  beforeEach(async () => {
    time = MAY_15;
    gate = createGate({ clock: { now: () => time } });
    const olga = as("olga");
    await olga.orgs.create({ id: "acme", name: "Acme" });
    await olga.projects.create({ orgId: "acme", id: "web", name: "Web" });
    await olga.projects.create({ orgId: "acme", id: "api", name: "API" });
    for (const userId of ["max", "ada"]) await olga.orgMembers.add({ orgId: "acme", userId, role: "member" });
    await olga.projectMembers.add({ ...web, userId: "max", role: "member" });
    await olga.projectMembers.add({ ...web, userId: "ada", role: "admin" });
  });

  test("multiple owners", async () => {
    await as("olga").orgMembers.setRole({ orgId: "acme", userId: "ada", role: "owner" });
    await as("ada").orgs.update({ orgId: "acme", name: "Acme Ltd" });
    await as("ada").orgMembers.remove({ orgId: "acme", userId: "olga" });
    await expect(as("olga").orgs.get({ orgId: "acme" })).rejects.toThrow(PermissionError);
  });

  test("members limited to the projects they are invited to", async () => {
    const projects = [{ projectId: "web", role: "member" }];
    const { token } = await as("olga").invitations.create({ orgId: "acme", role: "member", projects });
    await as("ivo").invitations.accept({ token });
    expect((await as("ivo").projects.list({ orgId: "acme" })).items.map(({ id }) => id)).toEqual(["web"]);
    await expect(as("ivo").projects.get({ projectId: "api" })).rejects.toThrow(NotFoundError);
    await expect(as("ivo").keys.create({ orgId: "acme", projectId: "api" })).rejects.toThrow(PermissionError);
  });

  test("owners are admins of every project", async () => {
    const { items } = await as("olga").projects.list({ orgId: "acme" });
    expect(items.map(({ id }) => id)).toEqual(["api", "web"]);
    expect((await as("olga").projectMembers.list(web)).items.map(({ userId }) => userId)).not.toContain(
      "olga",
    );
    const { key } = await as("max").keys.create(web);
    await as("olga").keys.disable({ keyId: key.id });
    await as("olga").projectMembers.setRole({ ...web, userId: "max", role: "admin" });
    const { token } = await as("olga").keys.create({ orgId: "acme", projectId: "api" });
    expect(await call(token)).toMatchObject({ admitted: true });
  });

  test("self-service keys", async () => {
    const { key, token } = await as("max").keys.create(web);
    expect(await call(token)).toMatchObject({ admitted: true, userId: "max", keyId: key.id });
    await as("max").keys.update({ keyId: key.id, name: "laptop" });
    await as("max").keys.rotate({ keyId: key.id });
    await as("max").keys.revoke({ keyId: key.id });
    const { key: hers } = await as("ada").keys.create(web);
    await expect(as("max").keys.revoke({ keyId: hers.id })).rejects.toThrow(NotFoundError);
  });

  test("key shown once", async () => {
    const { key, token } = await as("max").keys.create(web);
    expect(token).toMatch(/^sk-tg-[0-9A-Za-z]{49}$/);
    expect(key.preview).toBe(`sk-tg-••••${token.slice(-4)}`);
    const { keys, audit, projects } = as("olga");
    const later = [
      key,
      await keys.get({ keyId: key.id }),
      await keys.list({ orgId: "acme" }),
      await keys.update({ keyId: key.id, name: "x" }),
      await keys.effective({ keyId: key.id }),
      await projects.list({ orgId: "acme" }),
      await audit.list({ orgId: "acme" }),
    ];
    const text = JSON.stringify(later);
    expect(text).not.toContain(token);
    expect(text).not.toMatch(/"(hash|previousHash)"/);
  });

  test("caps within the project's", async () => {
    const limits = { rpm: 60, tpm: 1000, budget: { usd: 50, reset: "monthly" as const } };
    await as("olga").projects.update({ projectId: "web", limits });
    const create = (more: object) => as("max").keys.create({ ...web, limits: more });
    await expect(create({ rpm: 61 })).rejects.toThrow(LimitError);
    await expect(create({ tpm: 1001 })).rejects.toThrow(LimitError);
    await expect(create({ budget: { usd: 51, reset: "weekly" } })).rejects.toThrow(LimitError);
    const { key } = await create({ rpm: 60, tpm: 500, budget: { usd: 5, reset: "daily" } });
    await expect(as("max").keys.update({ keyId: key.id, limits: { rpm: 61 } })).rejects.toThrow(LimitError);
  });

  test.each([
    ["daily", DAY_MS / 2],
    ["weekly", 2.5 * DAY_MS],
    ["monthly", 16.5 * DAY_MS],
    ["never", undefined],
  ] as const)("daily, weekly, monthly or unlimited budgets: %s", async (reset, resetsInMs) => {
    const { token } = await as("max").keys.create({ ...web, limits: { budget: { usd: 1, reset } } });
    expect(await call(token, { costUsd: 1 })).toMatchObject({ admitted: true });
    expect(await call(token, { costUsd: 0.01 })).toMatchObject({
      admitted: false,
      reason: "budget_exceeded",
      scope: "key",
    });
    time += resetsInMs ?? 400 * DAY_MS;
    expect(await call(token, { costUsd: 0.01 })).toMatchObject({ admitted: resetsInMs !== undefined });
  });

  test("daily, weekly, monthly or unlimited budgets: none at all", async () => {
    const { token } = await as("max").keys.create(web);
    for (let i = 0; i < 20; i++)
      expect(await call(token, { costUsd: 100_000 })).toMatchObject({ admitted: true });
  });

  test("models, TPM, RPM, budget per project", async () => {
    const [first, second] = [await as("max").keys.create(web), await as("ada").keys.create(web)];
    const set = (input: object) => as("ada").projects.update({ projectId: "web", limits: null, ...input });
    await set({ models: ["claude"] });
    expect(await call(first.token)).toMatchObject({ reason: "model_not_allowed" });
    await set({ models: null, limits: { rpm: 1 } });
    expect(await call(first.token)).toMatchObject({ admitted: true });
    expect(await call(second.token)).toMatchObject({
      reason: "rate_limited",
      scope: "project",
      limit: { meter: "requests" },
    });
    await set({ limits: { tpm: 30 } });
    time += 2 * DAY_MS;
    expect(await call(first.token)).toMatchObject({ admitted: true });
    expect(await call(second.token)).toMatchObject({
      reason: "rate_limited",
      scope: "project",
      limit: { meter: "tokens" },
    });
    await set({ limits: { budget: { usd: 1, reset: "monthly" } } });
    expect(await call(first.token, { costUsd: 1 })).toMatchObject({ admitted: true });
    expect(await call(second.token, { costUsd: 1 })).toMatchObject({
      reason: "budget_exceeded",
      scope: "project",
    });
  });

  test("expiry for contractors", async () => {
    const end = time + 30 * DAY_MS;
    const projects = [{ projectId: "web", role: "member" }];
    const invitation = { orgId: "acme", role: "member", projects, membershipExpiresAt: end };
    const { token } = await as("olga").invitations.create(invitation);
    await as("carl").invitations.accept({ token });
    await expect(as("carl").keys.create({ ...web, expiresAt: end + 1 })).rejects.toThrow(LimitError);
    const key = await as("carl").keys.create(web);
    const short = await as("carl").keys.create({ ...web, expiresAt: time + DAY_MS });
    time += DAY_MS;
    expect(await call(short.token)).toMatchObject({ reason: "key_expired" });
    time = end - 1;
    expect(await call(key.token)).toMatchObject({ admitted: true });
    time = end;
    expect(await call(key.token)).toMatchObject({ reason: "holder_removed" });
    await expect(as("carl").projects.get({ projectId: "web" })).rejects.toThrow(NotFoundError);
  });

  test("content logging off for sensitive data", async () => {
    const loud = await as("max").keys.create(web);
    const quiet = await as("max").keys.create({ ...web, contentLogging: false });
    expect(await call(loud.token)).toMatchObject({ contentLogging: true });
    expect(await call(quiet.token)).toMatchObject({ contentLogging: false });
    await as("ada").projects.update({ projectId: "web", contentLogging: false });
    expect(await call(loud.token)).toMatchObject({ contentLogging: false });
    await expect(as("max").keys.create({ ...web, contentLogging: true })).rejects.toThrow(LimitError);
  });

  test("rotate and revoke unused", async () => {
    const [used, unused] = [await as("max").keys.create(web), await as("max").keys.create(web)];
    time += 90 * DAY_MS;
    await call(used.token);
    const { items } = await as("ada").keys.list({ orgId: "acme", unusedSince: time - 30 * DAY_MS });
    expect(items.map(({ id }) => id)).toEqual([unused.key.id]);
    for (const { id } of items) await as("ada").keys.revoke({ keyId: id });
    expect(await call(unused.token)).toMatchObject({ reason: "key_revoked" });
    const rotated = await as("max").keys.rotate({ keyId: used.key.id, graceMs: DAY_MS });
    expect(rotated.key).toMatchObject({ id: used.key.id, lastUsedAt: time });
    for (const token of [used.token, rotated.token])
      expect(await call(token)).toMatchObject({ admitted: true });
    time += DAY_MS;
    expect(await call(used.token)).toMatchObject({ reason: "invalid_key" });
    expect(await call(rotated.token)).toMatchObject({ admitted: true });
  });

  test("tag by purpose", async () => {
    const { key } = await as("max").keys.create({ ...web, tags: { purpose: "evaluation", team: "search" } });
    await as("max").keys.create({ ...web, tags: { purpose: "chat" } });
    const { items } = await as("ada").keys.list({
      orgId: "acme",
      tag: { name: "purpose", value: "evaluation" },
    });
    expect(items).toMatchObject([{ id: key.id, tags: { purpose: "evaluation", team: "search" } }]);
  });

  test("separate environments", async () => {
    const olga = as("olga");
    await olga.projects.create({ orgId: "acme", id: "staging", name: "Staging", limits: { rpm: 1 } });
    await olga.projects.create({ orgId: "acme", id: "production", name: "Production" });
    await olga.projectMembers.add({ orgId: "acme", projectId: "staging", userId: "max", role: "member" });
    const staging = await as("max").keys.create({ orgId: "acme", projectId: "staging" });
    const production = await olga.keys.create({ orgId: "acme", projectId: "production" });
    expect(await call(staging.token)).toMatchObject({ admitted: true });
    expect(await call(staging.token)).toMatchObject({ reason: "rate_limited" });
    expect(await call(production.token)).toMatchObject({ admitted: true });
    await expect(as("max").keys.create({ orgId: "acme", projectId: "production" })).rejects.toThrow(
      PermissionError,
    );
    await olga.projects.update({ projectId: "staging", status: "archived" });
    expect(await call(staging.token)).toMatchObject({ reason: "project_inactive" });
    expect(await call(production.token)).toMatchObject({ admitted: true });
  });
});
