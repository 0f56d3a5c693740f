import { createGate, memoryStorage } from "tollgate";
import { beforeEach, describe, expect, it } from "vitest";

const HOUR_MS = 3_600_000;
const USAGE = { model: "gpt-4o", inputTokens: 1 };

describe("a blocked key works on none of five gates, at the very next call (litellm#9820)", () => {
  const storage = memoryStorage();
  // A cache that would keep the key for an hour: only being told can help.
  const gates = Array.from({ length: 5 }, () => createGate({ storage, cache: { maxAgeMs: HOUR_MS } }));
  const [first = createGate()] = gates;
  const olga = first.as({ userId: "olga" });
  let token: string;
  let keyId: string;

  beforeEach(async () => {
    const { id: orgId } = await olga.orgs.create({ name: "Acme" });
    const { id: projectId } = await olga.projects.create({ orgId, name: "Web" });
    await olga.orgMembers.add({ orgId, userId: "max", role: "member" });
    await olga.projectMembers.add({ orgId, projectId, userId: "max", role: "member" });
    const issued = await olga.keys.create({ orgId, projectId, userId: "max" });
    token = issued.token;
    keyId = issued.key.id;
    for (const gate of gates) expect(await gate.admit(token, USAGE)).toMatchObject({ admitted: true });
  });

  const expectRefused = async (reason: string) => {
    for (const gate of gates) {
      expect(await gate.admit(token, USAGE)).toMatchObject({ admitted: false, reason });
      expect(await gate.admit({ keyId }, USAGE)).toMatchObject({ admitted: false, reason });
      expect(await gate.authenticate(token)).toMatchObject({ authenticated: false, reason });
    }
  };

  it("after it was revoked", async () => {
    await olga.keys.revoke({ keyId });
    await expectRefused("key_revoked");
  });

  it("after it was disabled", async () => {
    await olga.keys.disable({ keyId });
    await expectRefused("key_disabled");
  });

  it("after its holder left the org, and being back does not revive it", async () => {
    const { orgId, projectId } = await olga.keys.get({ keyId });
    await olga.orgMembers.remove({ orgId, userId: "max" });
    await expectRefused("holder_removed");
    await olga.orgMembers.add({ orgId, userId: "max", role: "member" });
    await olga.projectMembers.add({ orgId, projectId, userId: "max", role: "member" });
    await expectRefused("key_revoked");
  });

  it("after its holder left the project", async () => {
    const { orgId, projectId } = await olga.keys.get({ keyId });
    await olga.projectMembers.remove({ orgId, projectId, userId: "max" });
    await expectRefused("holder_removed");
  });

  it("after its project was archived or deleted", async () => {
    const { projectId } = await olga.keys.get({ keyId });
    await olga.projects.update({ projectId, status: "archived" });
    await expectRefused("project_inactive");
    await olga.projects.delete({ projectId });
    await expectRefused("invalid_key");
  });

  it("after its org was suspended or deleted", async () => {
    const { orgId } = await olga.keys.get({ keyId });
    await olga.orgs.update({ orgId, status: "suspended" });
    await expectRefused("org_inactive");
    await olga.orgs.delete({ orgId, confirm: "Acme" });
    await expectRefused("invalid_key");
  });

  it("in a call that was already looking it up when it was blocked", async () => {
    const fresh = createGate({ storage });
    const looking = fresh.admit(token, USAGE);
    await olga.keys.revoke({ keyId });
    await looking; // may be judged by either state
    expect(await fresh.admit(token, USAGE)).toMatchObject({ admitted: false, reason: "key_revoked" });
  });
});
