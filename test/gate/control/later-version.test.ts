import { beforeEach, describe, expect, test } from "vitest";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import { ConflictError } from "../../../src/model/errors.js";
import { recordFields, recordKinds, recordSchemas } from "../../../src/model/record-schemas.js";
import type { RecordKind } from "../../../src/model/records.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import type { Storage } from "../../../src/storage/storage.js";
import { put } from "../../../src/testing/conformance/storage-records.js";

const storage = memoryStorage();

/** What a process of a later version does: gives a record a field that this version does not know. */
async function writtenLater(kind: RecordKind, id: string): Promise<void> {
  const record = await storage.get(kind, id);
  if (record === undefined) throw new Error(`no ${kind} ${id}`);
  const later = { ...record, version: record.version + 1, pepperHash: `of ${id}` };
  await storage.commit([put(kind, later)]);
}

/** The same storage, where a key has a limit that this version does not know. */
function withLaterLimit(keyId: string): Storage {
  const get: Storage["get"] = async (kind, id) => {
    const record = await storage.get(kind, id);
    return record && kind === "key" && id === keyId ? { ...record, limits: { rph: 5 } } : record;
  };
  return { ...storage, get };
}

describe("during a deploy, a record that a later version has written", () => {
  let gate: Gate;
  let orgId: string;
  let projectId: string;
  const ann = () => gate.as({ userId: "ann" });
  beforeEach(async () => {
    gate = createGate({ storage });
    orgId = (await ann().orgs.create({ name: "Acme" })).id;
    projectId = (await ann().projects.create({ orgId, name: "Web" })).id;
  });

  test("is changed by an older process, which leaves what it does not know as it is", async () => {
    const { key, token } = await ann().keys.create({ orgId, projectId, name: "prod" });
    await writtenLater("key", key.id);
    await writtenLater("trail", orgId);
    await writtenLater("project", projectId);
    await ann().keys.update({ keyId: key.id, limits: { rpm: 1 } });
    await ann().projects.update({ projectId, name: "Site" });
    const usage = { model: "m", inputTokens: 1 };
    expect(await gate.admit(token, usage)).toMatchObject({ admitted: true });
    expect(await gate.admit(token, usage)).toMatchObject({ reason: "rate_limited" });
    await ann().keys.revoke({ keyId: key.id });
    for (const [kind, id] of [
      ["key", key.id],
      ["trail", orgId],
      ["project", projectId],
    ] as const) {
      expect(await storage.get(kind, id)).toMatchObject({ pepperHash: `of ${id}` });
    }
    expect(await storage.get("key", key.id)).toMatchObject({ status: "revoked", limits: { rpm: 1 } });
  });

  test("keeps its fields when a key is used", async () => {
    const clock = { time: Date.now(), now: () => clock.time };
    const { key, token } = await ann().keys.create({ orgId, projectId });
    const use = async () => {
      const user = createGate({ storage, clock });
      await user.admit(token, { model: "m", inputTokens: 1 });
      await user.close();
    };
    await use();
    await writtenLater("keyUse", key.id);
    clock.time += 60_000;
    await use();
    expect(await storage.get("keyUse", key.id)).toMatchObject({
      pepperHash: `of ${key.id}`,
      usedAt: clock.time,
    });
  });

  test("with a limit that is not known is not changed but for that limit, and the error says what to do", async () => {
    const { key } = await ann().keys.create({ orgId, projectId, name: "prod" });
    const older = createGate({ storage: withLaterLimit(key.id) }).as({ userId: "ann" });
    for (const change of [
      older.keys.revoke({ keyId: key.id }),
      older.keys.update({ keyId: key.id, name: "x" }),
    ]) {
      const error = await change.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ConflictError);
      expect(String(error)).toMatch(/later version .* key\.limits\.rph, .* ask a process of that version/);
    }
    expect(await storage.get("key", key.id)).toMatchObject({ version: 1, name: "prod" });
    expect(await older.keys.update({ keyId: key.id, limits: { rpm: 5 } })).toMatchObject({
      limits: { rpm: 5 },
    });
  });

  test("shows nobody the fields that are not known, since one may be a secret, nor does the audit trail", async () => {
    const { key } = await ann().keys.create({ orgId, projectId });
    await writtenLater("key", key.id);
    await ann().keys.update({ keyId: key.id, name: "prod" });
    const shown = [
      await ann().keys.get({ keyId: key.id }),
      await ann().keys.list({ orgId, projectId }),
      await ann().audit.list({ orgId }),
    ];
    expect(JSON.stringify(shown)).toContain("prod");
    expect(JSON.stringify(shown)).not.toContain("pepper");
  });

  test.each(recordKinds)("and every field of a %s is known", (kind) => {
    const record = Object.fromEntries([...(recordFields.get(kind) ?? [])].map((field) => [field, undefined]));
    const { error } = recordSchemas[kind].safeParse({ ...record, pepper: 1 });
    const unknown = error?.issues.flatMap((issue) => (issue.code === "unrecognized_keys" ? issue.keys : []));
    expect(unknown).toEqual(["pepper"]);
  });
});
