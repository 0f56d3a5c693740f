import { createGate, type Gate } from "tollgate";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { type SharedRecords, sharedRecords } from "./shared-stores.js";

const everyStorage = await sharedRecords();

const HOUR_MS = 3_600_000;
const USAGE = { model: "gpt-4o", inputTokens: 1 };

describe.each(everyStorage)("a blocked key works on none of five gates (litellm#9820), %s", (name, make) => {
  let records: SharedRecords;
  const gates: Gate[] = [];
  let aheadMs = 0;
  let olga: ReturnType<Gate["as"]>;
  let token: string;
  let keyId: string;

  beforeAll(async () => {
    records = await make();
    olga = gate().as({ userId: "olga" });
    for (let i = 0; i < 4; i++) gate();
  });
  afterAll(async () => {
    for (const gate of gates) await gate.close();
    await records.remove();
  });

  /** One more gate, with a cache that would keep the key for an hour: only being told can help. */
  function gate(): Gate {
    const clock = { now: () => Date.now() + aheadMs };
    const made = createGate({ storage: records.connect(), clock, cache: { maxAgeMs: HOUR_MS } });
    gates.push(made);
    return made;
  }

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

  const isRefused = async (gate: Gate, reason: string) => {
    const check = async () => {
      expect(await gate.admit(token, USAGE)).toMatchObject({ admitted: false, reason });
      expect(await gate.admit({ keyId }, USAGE)).toMatchObject({ admitted: false, reason });
      expect(await gate.authenticate(token)).toMatchObject({ authenticated: false, reason });
    };
    // At the very next call where it was blocked, and where all share a process; else as soon as the store has told the others.
    if (name === "memory" || gate === gates[0]) await check();
    else await eventually(check, { interval: 5 });
  };

  const expectRefused = async (reason: string) => {
    for (const gate of gates) await isRefused(gate, reason);
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

  it("after its holder's membership of the project has ended by itself", async () => {
    const { orgId, projectId } = await olga.keys.get({ keyId });
    const expiresAt = Date.now() + aheadMs + HOUR_MS / 2;
    await olga.projectMembers.setExpiry({ orgId, projectId, userId: "max", expiresAt });
    for (const gate of gates) expect(await gate.admit(token, USAGE)).toMatchObject({ admitted: true });
    aheadMs += HOUR_MS / 2 + 1;
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
    const fresh = gate();
    const looking = fresh.admit(token, USAGE);
    await olga.keys.revoke({ keyId });
    await looking; // may be judged by either state
    await isRefused(fresh, "key_revoked");
  });
});
