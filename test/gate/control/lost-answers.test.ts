import { beforeEach, expect, it } from "vitest";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import type { Storage } from "../../../src/storage/storage.js";

/** A storage whose next commit is made, but its answer lost with the connection. */
function losing() {
  const inner = memoryStorage();
  const state = { losesAnswer: false };
  const storage: Storage = {
    get: (kind, id) => inner.get(kind, id),
    find: (kind, where, page) => inner.find(kind, where, page),
    close: () => inner.close(),
    async commit(changes) {
      await inner.commit(changes);
      if (!state.losesAnswer) return;
      state.losesAnswer = false;
      throw new Error("connection terminated unexpectedly");
    },
  };
  return { storage, state };
}

let gate: Gate;
let made: ReturnType<typeof losing>;
const ada = () => gate.as({ userId: "ada" });
const writes = async () => (await made.storage.get("trail", "acme"))?.version ?? 0;

/** What a write comes to whose answer is lost, and how many writes were made. */
async function lost(write: () => Promise<unknown>) {
  const before = await writes();
  made.state.losesAnswer = true;
  await expect(write()).rejects.toThrow("connection terminated unexpectedly");
  return (await writes()) - before;
}

beforeEach(async () => {
  made = losing();
  gate = createGate({ storage: made.storage });
  await ada().orgs.create({ id: "acme", name: "Acme" });
  await ada().projects.create({ orgId: "acme", id: "web", name: "Web" });
});

it("a write whose answer was lost is not made twice: the error is the storage's own", async () => {
  expect(await lost(() => ada().orgs.update({ orgId: "acme", name: "Acme Inc" }))).toBe(1);
  expect(await lost(() => ada().keys.create({ orgId: "acme", projectId: "web" }))).toBe(1);
  expect((await ada().keys.list({ orgId: "acme" })).items).toHaveLength(1);
  expect(await lost(() => ada().invitations.create({ orgId: "acme", role: "member" }))).toBe(1);
  expect(await lost(() => ada().projects.delete({ projectId: "web" }))).toBe(1);
});

it("a rotation whose answer was lost leaves the token before its time of grace", async () => {
  const { token, key } = await ada().keys.create({ orgId: "acme", projectId: "web" });
  expect(await lost(() => ada().keys.rotate({ keyId: key.id, graceMs: 86_400_000 }))).toBe(1);
  expect(await gate.authenticate(token)).toMatchObject({ authenticated: true });
});

it("what was written is seen by the next call, though its answer was lost", async () => {
  const { token, key } = await ada().keys.create({ orgId: "acme", projectId: "web" });
  expect(await gate.authenticate(token)).toMatchObject({ authenticated: true });
  expect(await lost(() => ada().keys.revoke({ keyId: key.id }))).toBe(1);
  expect(await gate.authenticate(token)).toMatchObject({ authenticated: false, reason: "key_revoked" });
});
