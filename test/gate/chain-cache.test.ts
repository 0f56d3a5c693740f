import { expect, it, vi } from "vitest";
import { createGate } from "../../src/gate/gate.js";
import { memoryStorage } from "../../src/storage/memory.js";
import { passed } from "../scenarios/answers.js";
import { aChain, NOON } from "./world.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10, costUsd: 0.1 };

it("a chain that was loaded while its org went on changing is used once and not kept", async () => {
  const clock = { at: NOON, now: () => clock.at };
  let changed: (orgId?: string) => void = () => {};
  let isBusy = true;
  const key = vi.fn(async () => {
    if (isBusy) changed("o1");
    return aChain();
  });
  const gate = createGate({
    clock,
    unpriced: "free",
    directory: {
      key,
      principal: async () => undefined,
      watch: (told) => {
        changed = told;
        return () => {};
      },
    },
  });
  passed(await gate.admit(KEY, CALL));
  isBusy = false;
  key.mockClear();
  passed(await gate.admit(KEY, CALL));
  expect(key).toHaveBeenCalledOnce();
});

it("a write of when a key was last used makes no gate look its chain up again", async () => {
  const storage = memoryStorage();
  const gate = createGate({ storage, unpriced: "free" });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.projects.create({ orgId: "acme", id: "web", name: "Web" });
  const { key, token } = await olga.keys.create({ orgId: "acme", projectId: "web" });
  passed(await gate.admit(token, CALL));
  const find = vi.spyOn(storage, "find");
  await storage.commit([
    {
      kind: "keyUse",
      id: key.id,
      expectedVersion: 0,
      record: { id: key.id, orgId: "acme", version: 1, usedAt: 1 },
    },
  ]);
  passed(await gate.admit(token, CALL));
  expect(find).not.toHaveBeenCalled();
});
