import { describe, expect, it, vi } from "vitest";
import { LimitCache } from "../../../src/admission/limit-cache.js";
import { LimitShapes } from "../../../src/admission/limit-shape.js";
import { Calendar } from "../../../src/admission/period.js";
import { ChainCache } from "../../../src/gate/chain/chain-cache.js";
import { createToken } from "../../../src/gate/chain/token.js";
import { createGate } from "../../../src/gate/gate.js";
import type { KeyChain } from "../../../src/model/chain.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import { passed, refusedBy } from "../../scenarios/answers.js";
import { aChain, NOON } from "../world.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10, costUsd: 0.1 };

it.each([
  ["its org", "o1"],
  ["everything", undefined],
])("a chain that was loaded while %s went on changing is used once and not kept", async (_, changing) => {
  const clock = { at: NOON, now: () => clock.at };
  let changed: (orgId?: string) => void = () => {};
  let isBusy = true;
  const key = vi.fn(async () => {
    if (isBusy) changed(changing);
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

it("a call that was already looking its key up is judged by what was written meanwhile", async () => {
  let changed: (orgId?: string) => void = () => {};
  let status: "active" | "revoked" = "active";
  const key = vi.fn(async () => {
    const found = aChain({ key: { status } });
    if (status === "active") {
      status = "revoked";
      changed("o1");
    }
    return found;
  });
  const watch = (told: typeof changed) => {
    changed = told;
    return () => {};
  };
  const gate = createGate({ unpriced: "free", directory: { key, principal: async () => undefined, watch } });
  expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("key_revoked");
});

it("a chain that is gone stays gone where the clock is set back to when it was known", async () => {
  const clock = { at: NOON, now: () => clock.at };
  let known: KeyChain | undefined = aChain();
  const directory = { key: async () => known, principal: async () => undefined };
  const gate = createGate({ clock, unpriced: "free", directory, cache: { maxAgeMs: 30_000 } });
  const token = createToken("sk-tg-");
  for (const key of [KEY, token]) passed(await gate.admit(key, CALL));
  known = undefined;
  for (const at of [NOON + 30_000, NOON + 10_000]) {
    clock.at = at;
    for (const key of [KEY, token]) expect(refusedBy(await gate.admit(key, CALL)).reason).toBe("invalid_key");
  }
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

describe("a chain that is loaded again", () => {
  type Parts = Record<keyof KeyChain, Record<string, unknown>>;

  /** Tables of somebody's own that always answer with the same object. */
  function tables() {
    const parts: Parts = {
      org: { id: "o1", limits: { budget: { usd: 5, reset: "daily" } }, virtualModels: { fast: ["a", "b"] } },
      project: { id: "p1", models: ["a", "b", "fast"], mcpServers: ["files"] },
      holder: { userId: "u1", active: true, limits: { perModel: { a: { rpm: 9 } } } },
      key: {
        id: "k1",
        limits: { budget: { usd: 1, reset: "daily", alertAt: [0.5] } },
        previousToken: { hash: "h", expiresAt: NOON },
      },
    };
    const answer = vi.fn(async () => parts as unknown as KeyChain); // sound: it has the fields of one
    const compiling = { shapes: new LimitShapes(new Calendar()), limitCache: new LimitCache() };
    const directory = { key: answer, principal: async () => undefined };
    return { parts, answer, chains: new ChainCache(directory, compiling, { maxKeys: 10, maxAgeMs: 5000 }) };
  }

  it("is the one that it was while nothing of it has changed, and as long at hand as a new one", async () => {
    const { chains } = tables();
    for (const ref of [{ keyId: "k1" }, { hash: "h" }]) {
      const first = await chains.load(ref, NOON);
      expect(await chains.load(ref, NOON + 5500)).toBe(first);
    }
    const first = await chains.load({ keyId: "k1" }, NOON + 5500);
    expect(first?.tokenExpiresAt).toBe(undefined);
    expect((await chains.load({ hash: "h" }, NOON + 5500))?.tokenExpiresAt).toBe(NOON);
    expect(chains.byId("k1", NOON + 5499)).toBe(undefined);
    expect(chains.byId("k1", NOON + 10_499)).toBe(first);
    expect(chains.byId("k1", NOON + 10_500)).toBe(undefined);
    // A clock that was set back for a while: what was at hand in a second need not be in the same second again.
    expect(chains.byId("k1", NOON + 7500)).toBe(first);
    expect(await chains.load({ keyId: "k1" }, NOON - 60_000)).toBe(first);
    expect(chains.byId("k1", NOON + 7500)).toBe(undefined);
  });

  const changes: [string, (parts: Parts) => void][] = [
    ["a budget", ({ org }) => Object.assign((org.limits as { budget: object }).budget, { usd: 4 })],
    ["a target of a virtual model", ({ org }) => (org.virtualModels as { fast: string[] }).fast.reverse()],
    ["the status of the org", ({ org }) => Object.assign(org, { status: "suspended" })],
    ["the time zone", ({ org }) => Object.assign(org, { timeZone: "Asia/Tokyo" })],
    ["credits", ({ org }) => Object.assign(org, { creditsNanoUsd: 1 })],
    ["a model of the project", ({ project }) => (project.models as string[]).pop()],
    ["an MCP server of the project", ({ project }) => (project.mcpServers as string[]).push("mail")],
    ["the status of the project", ({ project }) => Object.assign(project, { status: "archived" })],
    ["whether contents are logged", ({ project }) => Object.assign(project, { contentLogging: false })],
    ["whether the holder is active", ({ holder }) => Object.assign(holder, { active: false })],
    ["the end of the membership", ({ holder }) => Object.assign(holder, { expiresAt: NOON })],
    ["a limit per model", ({ holder }) => Object.assign(holder, { limits: { perModel: { a: { rpm: 8 } } } })],
    ["no limits of the holder any more", ({ holder }) => delete holder.limits],
    [
      "a threshold",
      ({ key }) => Object.assign(key, { limits: { budget: { usd: 1, reset: "daily", alertAt: [0.6] } } }),
    ],
    ["the status of the key", ({ key }) => Object.assign(key, { status: "revoked" })],
    ["the end of the key", ({ key }) => Object.assign(key, { expiresAt: NOON })],
    ["models of the key", ({ key }) => Object.assign(key, { models: [] })],
    [
      "the end of its token from before",
      ({ key }) => Object.assign(key.previousToken as object, { expiresAt: 1 }),
    ],
  ];

  it.each(changes)(
    "is another one once there is something new in the very same object: %s",
    async (_, change) => {
      const { parts, chains } = tables();
      const first = await chains.load({ keyId: "k1" }, NOON);
      change(parts);
      const second = await chains.load({ keyId: "k1" }, NOON + 5500);
      expect(second).not.toBe(first);
      expect(second?.chain).toEqual(parts);
      expect(chains.byId("k1", NOON + 5500)).toBe(second);
    },
  );

  it("unchanged, but while its org goes on changing, is used once and then loaded anew", async () => {
    const { answer, chains } = tables();
    const first = await chains.load({ keyId: "k1" }, NOON);
    const given = answer.getMockImplementation() as typeof answer; // sound: it was made with one
    answer.mockImplementation(async () => {
      chains.forgetOrg("o1");
      return given();
    });
    expect(await chains.load({ keyId: "k1" }, NOON + 5500)).toBe(first);
    expect(chains.byId("k1", NOON + 5500)).toBe(undefined);
    answer.mockImplementation(given);
    expect(await chains.load({ keyId: "k1" }, NOON + 5500)).toBe(first);
    expect(chains.byId("k1", NOON + 5500)).toBe(first);
  });

  it("goes on with its counts, and heeds a limit that was changed in the very same object", async () => {
    const clock = { at: NOON, now: () => clock.at };
    const limits = { rpm: 3 };
    const gate = createGate({
      clock,
      cache: { maxAgeMs: 1000 },
      unpriced: "free",
      directory: { key: async () => aChain({ key: { limits } }), principal: async () => undefined },
    });
    const admitted = async () => (await gate.admit(KEY, CALL)).admitted;
    expect([await admitted(), await admitted()]).toEqual([true, true]);
    clock.at += 2000;
    expect([await admitted(), await admitted()]).toEqual([true, false]);
    limits.rpm = 4;
    clock.at += 2000;
    expect([await admitted(), await admitted()]).toEqual([true, false]);
    limits.rpm = 0;
    clock.at += 2000;
    expect(await admitted()).toBe(false);
  });

  it("is not waited for once something was written, not even where it starts again no more", async () => {
    const { parts, answer, chains } = tables();
    const readings: (() => void)[] = [];
    answer.mockImplementation(() => {
      const found = structuredClone(parts) as unknown as KeyChain; // sound, as above
      return new Promise((resolve) => readings.push(() => resolve(found)));
    });
    const begun = (count: number) => vi.waitFor(() => expect(readings).toHaveLength(count));
    const early = chains.load({ keyId: "k1" }, NOON);
    for (let reading = 0; reading < 3; reading++) {
      chains.forgetOrg("o1");
      readings[reading]?.();
      await begun(reading + 2);
    }
    Object.assign(parts.key, { status: "revoked" });
    chains.forgetOrg("o1");
    const late = chains.load({ keyId: "k1" }, NOON);
    await begun(5);
    readings[3]?.();
    expect((await early)?.chain.key.status).toBe(undefined);
    const joined = chains.load({ keyId: "k1" }, NOON);
    await begun(5); // the end of the first look-up does not keep calls from joining the second
    readings[4]?.();
    expect((await late)?.chain.key.status).toBe("revoked");
    expect(await joined).toBe(await late);
  });

  it("is at hand without a look at its age only in seconds throughout which it is fresh", async () => {
    const { chains } = tables();
    const loaded = await chains.load({ keyId: "k1" }, NOON + 999);
    expect(chains.byId("k1", NOON + 999)).toBe(loaded);
    expect(chains.byId("k1", NOON + 998)).toBe(undefined);
    expect(chains.byId("k1", NOON + 5000)).toBe(loaded);
    expect(chains.byId("k1", NOON + 5998)).toBe(loaded);
    expect(chains.byId("k1", NOON + 5999)).toBe(undefined);
  });

  it("is not at hand after a write in the same second", async () => {
    const { chains } = tables();
    const loaded = await chains.load({ keyId: "k1" }, NOON);
    expect(chains.byId("k1", NOON)).toBe(loaded);
    expect(chains.byId("k1", NOON + 1)).toBe(loaded);
    chains.forgetOrg("o1");
    expect(chains.byId("k1", NOON + 1)).toBe(undefined);
  });
});
