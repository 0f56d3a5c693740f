import { createGate, type Directory, type Gate, hashToken, memoryStorage } from "tollgate";
import { describe, expect, it, vi } from "vitest";
import { createToken } from "../../../src/gate/chain/token.js";
import { toErrorResponse } from "../../../src/http.js";
import { NotFoundError, PermissionError, ValidationError } from "../../../src/model/errors.js";
import { refusedBy } from "../../scenarios/answers.js";
import { aChain } from "../world.js";

const TOKEN = createToken("sk-tg-");
const CALL = { model: "free" };
const ADA = { userId: "u1", orgId: "o1", orgRole: "owner", projectRoles: {} };

/** A gate over a directory that answers what plain JavaScript may answer. */
function gateOver(answers: { key?: unknown; principal?: unknown; scope?: unknown }): Gate {
  const directory = {
    key: async () => answers.key,
    principal: async () => answers.principal,
    ...("scope" in answers && { scope: async () => answers.scope }),
  } as unknown as Directory;
  return createGate({ directory, storage: memoryStorage(), unpriced: "free" });
}

describe.each([null, undefined])("a directory that answers %s", (nobody) => {
  it("for a key does not know it", async () => {
    const gate = gateOver({ key: nobody });
    for (const key of [TOKEN, { keyId: "k1" }]) {
      expect(refusedBy(await gate.admit(key, CALL)).reason).toBe("invalid_key");
      expect(refusedBy(await gate.check(key, CALL)).reason).toBe("invalid_key");
    }
    expect(await gate.authenticate(TOKEN)).toMatchObject({ authenticated: false, reason: "invalid_key" });
    await expect(gate.usage({ orgId: "o1", keyId: "k1" })).rejects.toThrow(NotFoundError);
    const asked = gate.as({ token: TOKEN }).orgs.get({ orgId: "o1" });
    await expect(asked).rejects.toMatchObject({ code: "permission", reason: "invalid_key" });
  });

  it("for a person knows nobody of that id in the org", async () => {
    const gate = gateOver({ key: aChain(), principal: nobody });
    expect(await gate.authenticate(TOKEN)).toMatchObject({ authenticated: false, reason: "holder_removed" });
    expect(await gate.authorize({ userId: "u1" }, "org.view", { orgId: "o1" })).toMatchObject({
      allowed: false,
      reason: "not_in_org",
    });
    await expect(gate.as({ userId: "u1" }).orgs.get({ orgId: "o1" })).rejects.toThrow(PermissionError);
  });

  it("for a scope knows no such org", async () => {
    await expect(gateOver({ scope: nobody }).usage({ orgId: "o1" })).rejects.toThrow(NotFoundError);
  });
});

describe("a directory that never answers", () => {
  it.each<[what: string, ask: (gate: Gate) => Promise<unknown>]>([
    ["a key", (gate) => gate.admit({ keyId: "k1" }, CALL)],
    ["a person", (gate) => gate.authorize({ userId: "u1" }, "org.view", { orgId: "o1" })],
    ["a person who writes", (gate) => gate.as({ userId: "u1" }).orgs.get({ orgId: "o1" })],
    ["a scope", (gate) => gate.usage({ orgId: "o1" })],
  ])("about %s is waited for ten seconds and no longer", async (_, ask) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const never = () => new Promise<never>(() => {});
      const gate = createGate({
        directory: { key: never, principal: never, scope: never },
        storage: memoryStorage(),
      });
      const told = vi.fn();
      ask(gate).catch(told);
      await vi.advanceTimersByTimeAsync(9_999);
      expect(told).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
      expect(told.mock.calls).toEqual([[new Error("the directory did not answer within 10000 ms")]]);
    } finally {
      vi.useRealTimers();
    }
  });
});

it("a directory that tells of a change of null tells of any: a key is asked for anew", async () => {
  let told: (orgId?: string) => void = () => {};
  const answers = [aChain(), undefined];
  const directory: Directory = {
    key: async () => answers.shift(),
    principal: async () => undefined,
    watch(changed) {
      told = changed;
      return () => {};
    },
  };
  const gate = createGate({ directory, unpriced: "free" });
  expect(await gate.admit({ keyId: "k1" }, CALL)).toMatchObject({ admitted: true });
  told(null as never); // as a column that is empty
  expect(refusedBy(await gate.admit({ keyId: "k1" }, CALL)).reason).toBe("invalid_key");
});

describe("a directory that answers with a person whom it was not asked for", () => {
  it.each([
    ["principal.userId", { ...ADA, userId: "u2" }],
    ["principal.orgId", { ...ADA, orgId: "o2" }],
    ["principal.projectRoles", { ...ADA, projectRoles: null }],
    ["principal.userId", { projectRoles: {} }],
    ["principal", "ada"],
  ])("has a defect, and nobody gets their roles: %s", async (field, principal) => {
    const gate = gateOver({ key: aChain(), principal });
    for (const ask of [
      () => gate.authenticate(TOKEN),
      () => gate.authorize({ userId: "u1" }, "org.view", { orgId: "o1" }),
      () => gate.as({ userId: "u1" }).orgs.get({ orgId: "o1" }),
      () => gate.as({ token: TOKEN }).orgs.get({ orgId: "o1" }),
    ]) {
      const error = await Promise.resolve(ask()).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ValidationError);
      expect(error).toMatchObject({ field });
    }
  });

  it("is not asked at all for an org that is no id", async () => {
    const gate = gateOver({ principal: ADA });
    for (const orgId of [undefined, ""]) {
      const verdict = await gate.authorize({ userId: "u1" }, "org.view", { orgId } as never);
      expect(verdict).toMatchObject({ allowed: false, reason: "invalid_resource" });
    }
  });
});

describe("a directory that answers with a key that it was not asked for", () => {
  it("has a defect, and no call is made by it", async () => {
    const gate = gateOver({ key: aChain() });
    for (const ask of [
      () => gate.admit({ keyId: "%" }, CALL),
      () => gate.check({ keyId: "%" }, CALL),
      () => gate.usage({ orgId: "o1", keyId: "%" }),
    ]) {
      const error = await ask().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ValidationError);
      expect(error).toMatchObject({ field: "chain.key.id" });
      expect(toErrorResponse(error, { profile: "openai" }).status).toBe(500);
    }
    expect((await gate.admit({ keyId: "k1" }, CALL)).admitted).toBe(true);
    expect((await gate.admit(TOKEN, CALL)).admitted).toBe(true);
  });

  it("is told of what is no chain as of that", async () => {
    for (const key of [{}, { key: {} }, { key: null }, "k1"]) {
      const error = await gateOver({ key })
        .admit({ keyId: "k1" }, CALL)
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "validation", message: expect.stringMatching(/^chain/) });
      expect(error).not.toMatchObject({ message: expect.stringContaining("asked for") });
    }
  });
});

describe("a directory that answers with a scope that it was not asked for, or with none", () => {
  const { org, project, holder } = aChain();
  it.each([
    ["chain.org.id", { org: { id: "o2", limits: { rpm: 7 } }, project, holder }],
    ["chain.project.id", { org, project: { id: "p2", limits: { rpm: 7 } }, holder }],
    ["chain.holder.userId", { org, project, holder: { userId: "u2", active: true, limits: { rpm: 7 } } }],
    ["chain.org.limits.rmp", { org: { id: "o1", limits: { rmp: 7 } } }],
    ["chain.org.limits.rpm", { org: { id: "o1", limits: { rpm: "7" } } }],
    ["chain.org.timeZone", { org: { id: "o1", timeZone: "Mars" } }],
    ["chain.org", {}],
    ["chain.org", "o1"],
  ])(
    "has a defect, and nobody is shown what another has used, or less than there is: %s",
    async (field, scope) => {
      const error = await gateOver({ scope })
        .usage({ orgId: "o1", projectId: "p1", userId: "u1" })
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ValidationError);
      expect(error).toMatchObject({ field });
      expect(toErrorResponse(error, { profile: "openai" }).status).toBe(500);
    },
  );

  it("may say more than was asked for, and null where there is nothing", async () => {
    const scope = { ...aChain({ org: { limits: { rpm: 7 } } }), project: null };
    const gate = gateOver({ scope });
    expect(await gate.usage({ orgId: "o1" })).toMatchObject([{ scope: "org", max: 7 }]);
    await expect(gate.usage({ orgId: "o1", projectId: "p1" })).rejects.toThrow(NotFoundError);
  });
});

describe("a directory over tables that were there before", () => {
  const LEGACY = "acme_live_123";

  function legacy() {
    const asked: unknown[] = [];
    const changed: ((orgId?: string) => void)[] = [];
    let active = true;
    let isWatched = false;
    const directory: Directory = {
      async key(ref) {
        asked.push(ref);
        const isIt = "hash" in ref ? ref.hash === hashToken(LEGACY) : ref.keyId === "k1";
        return isIt ? aChain({ holder: { active } }) : undefined;
      },
      principal: async (userId, orgId) => ({
        userId,
        orgId,
        orgRole: "member",
        projectRoles: { p1: "member" },
      }),
      isToken: (text) => text.startsWith("acme_live_"),
      watch(told) {
        isWatched = true;
        changed.push(told);
        return () => {
          isWatched = false;
        };
      },
    };
    const gate = createGate({ directory, unpriced: "free" });
    const leaves = (orgId?: string) => {
      active = false;
      for (const tell of changed) tell(orgId);
    };
    return { gate, asked, leaves, isWatched: () => isWatched };
  }

  it("may have tokens of its own, and is asked for no others", async () => {
    const { gate, asked } = legacy();
    expect(await gate.admit(LEGACY, CALL)).toMatchObject({ admitted: true, keyId: "k1" });
    expect(await gate.authenticate(LEGACY)).toMatchObject({ authenticated: true, userId: "u1" });
    for (const text of ["acme_test_123", "", `acme_live_${"x".repeat(9_000)}`])
      expect(refusedBy(await gate.admit(text, CALL)).reason).toBe("invalid_key");
    expect(asked).toEqual([{ hash: hashToken(LEGACY) }]);
    expect(refusedBy(await gate.admit("acme_live_124", CALL)).reason).toBe("invalid_key");
    await gate.admit(TOKEN, CALL);
    expect(asked.slice(1)).toEqual([{ hash: hashToken("acme_live_124") }, { hash: hashToken(TOKEN) }]);
  });

  it.each([["o1"], [undefined]])("tells of changes to %s, which the next call sees", async (orgId) => {
    const { gate, leaves, isWatched } = legacy();
    expect(await gate.admit(LEGACY, CALL)).toMatchObject({ admitted: true });
    leaves("another org");
    expect(await gate.admit(LEGACY, CALL)).toMatchObject({ admitted: true });
    leaves(orgId);
    expect(refusedBy(await gate.admit(LEGACY, CALL)).reason).toBe("holder_removed");
    expect(isWatched()).toBe(true);
    await gate.close();
    expect(isWatched()).toBe(false);
  });
});
