import { beforeEach, describe, expect, it } from "vitest";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import { ConflictError, LimitError, NotFoundError, PermissionError } from "../../../src/model/errors.js";
import type { ProjectMemberQuery } from "../../../src/model/inputs/project-members.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import type { Storage } from "../../../src/storage/storage.js";
import { createWeb, ORG, WEB } from "./web.js";

describe("a member of a project", () => {
  let gate: Gate;
  const as = (userId: string) => gate.as({ userId });
  const call = (token: string) => gate.admit(token, { model: "m" });

  beforeEach(async () => {
    gate = createGate();
    await createWeb(gate, { ada: "admin", mel: "member" });
  });

  it("is in the org", async () => {
    const { projectMembers } = as("ada");
    const adding = projectMembers.add({ ...WEB, userId: "eve", role: "member" });
    await expect(adding).rejects.toThrow(NotFoundError);
    await expect(adding).rejects.toThrow(/^org member "eve" was not found$/);
  });

  it("is listed by project, by user, by both, and by neither: as far as the actor may see members", async () => {
    const api = { ...ORG, projectId: "api" };
    await as("olga").projects.create({ ...ORG, id: "api", name: "Api" });
    await as("olga").projectMembers.add({ ...api, userId: "mel", role: "admin" });
    const listed = async (userId: string, query: Partial<ProjectMemberQuery>) =>
      (await as(userId).projectMembers.list({ ...ORG, ...query })).items.map(
        ({ projectId, userId, role }) => `${userId} is ${role} in ${projectId}`,
      );
    const [ada, mel, melInApi] = ["ada is admin in web", "mel is member in web", "mel is admin in api"];
    expect(await listed("olga", {})).toEqual([melInApi, ada, mel]);
    expect(await listed("olga", { userId: "mel" })).toEqual([melInApi, mel]);
    expect(await listed("olga", { projectId: "web" })).toEqual([ada, mel]);
    expect(await listed("olga", { projectId: "web", userId: "mel" })).toEqual([mel]);
    expect(await listed("ada", {})).toEqual([ada, mel]);
    expect(await listed("mel", { userId: "mel" })).toEqual([melInApi]); // "web" shows its members to admins alone
    await expect(listed("ada", { projectId: "api", userId: "ada" })).rejects.toThrow(PermissionError);
    await expect(listed("mel", { projectId: "web" })).rejects.toThrow(PermissionError);
  });

  it("loses by leaving the keys in the project, and those alone", async () => {
    const other = { ...ORG, projectId: "api" };
    await as("olga").projects.create({ ...ORG, id: "api", name: "Api" });
    await as("olga").projectMembers.add({ ...other, userId: "mel", role: "member" });
    const [web, api] = [await as("mel").keys.create(WEB), await as("mel").keys.create(other)];
    await as("ada").projectMembers.remove({ ...WEB, userId: "mel" });
    expect(await call(web.token)).toMatchObject({ admitted: false, reason: "holder_removed" });
    expect(await call(api.token)).toMatchObject({ admitted: true });
  });

  it("is changed and removed at the version that was seen only", async () => {
    const { projectMembers } = as("ada");
    const { version } = await projectMembers.setLimits({ ...WEB, userId: "mel", limits: { rpm: 1 } });
    const stale = { ...WEB, userId: "mel", version: version - 1 };
    for (const write of [
      () => projectMembers.setRole({ ...stale, role: "admin" }),
      () => projectMembers.setLimits({ ...stale, limits: null }),
      () => projectMembers.setExpiry({ ...stale, expiresAt: null }),
      () => projectMembers.remove(stale),
    ]) {
      await expect(write()).rejects.toThrow(ConflictError);
    }
    await projectMembers.remove({ ...stale, version });
  });

  it("who owns the org is in nobody's hands who does not", async () => {
    const olga = { ...WEB, userId: "olga" };
    await expect(as("ada").projectMembers.add({ ...olga, role: "member" })).rejects.toThrow(LimitError);
    await as("olga").projectMembers.add({ ...olga, role: "member" });
    const { projectMembers } = as("ada");
    for (const write of [
      () => projectMembers.setRole({ ...olga, role: "admin" }),
      () => projectMembers.setLimits({ ...olga, limits: { rpm: 1 } }),
      () => projectMembers.setExpiry({ ...olga, expiresAt: Date.UTC(2100, 0, 1) }),
      () => projectMembers.remove(olga),
    ]) {
      await expect(write()).rejects.toThrow(/^role: it comes with project\.delete/);
    }
  });
});

it("who is removed from one of many projects has the keys in that one read, and no others", async () => {
  const inMemory = memoryStorage();
  const read: string[] = [];
  const storage: Storage = {
    ...inMemory,
    async find(kind, where, page) {
      const found = await inMemory.find(kind, where, page);
      if (kind === "key") read.push(...found.map(({ id }) => id));
      return found;
    },
  };
  const gate = createGate({ storage });
  await createWeb(gate, { mel: "member" });
  const olga = gate.as({ userId: "olga" });
  await olga.projects.create({ ...ORG, id: "api", name: "Api" });
  await olga.projectMembers.add({ ...ORG, projectId: "api", userId: "mel", role: "member" });
  for (const projectId of ["web", "api"]) {
    await olga.keys.create({ ...ORG, projectId, id: `mels-${projectId}`, userId: "mel" });
  }
  await olga.projectMembers.remove({ ...WEB, userId: "mel" });
  expect(read).toEqual(["mels-web"]);
  const status = async (keyId: string) => (await olga.keys.get({ keyId })).status;
  expect([await status("mels-web"), await status("mels-api")]).toEqual(["revoked", "active"]);
});
