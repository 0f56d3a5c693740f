import { describe, expect, it } from "vitest";
import { createGate } from "../../src/gate/gate.js";
import { type KeyChain, keyChainSchema } from "../../src/model/chain.js";
import { NotFoundError, ValidationError } from "../../src/model/errors.js";
import {
  aKey,
  aKeyChain,
  aMember,
  anOrg,
  anOwner,
  aProject,
  aProjectMember,
  callerOf,
  directoryOf,
  ManualClock,
} from "../../src/testing.js";

const CALL = { model: "openai/gpt-4o", inputTokens: 10, maxOutputTokens: 10 };

describe("aKeyChain", () => {
  it("is the chain of an active key without limits, of the ids that the other builders have", () => {
    const chain = aKeyChain();
    expect(chain).toEqual({
      org: { id: "acme" },
      project: { id: "web" },
      holder: { userId: "pam", active: true },
      key: { id: "key" },
    });
    const { userId, orgId, projectRoles, via } = aKey();
    expect({ userId, orgId, projectId: Object.keys(projectRoles)[0], keyId: via?.keyId }).toEqual({
      userId: chain.holder.userId,
      orgId: chain.org.id,
      projectId: chain.project.id,
      keyId: chain.key.id,
    });
  });

  it("takes over what is said of each part, and leaves the rest as it is", () => {
    expect(
      aKeyChain({
        org: anOrg({ limits: { rpm: 9 } }),
        project: aProject({ id: "search", models: ["openai/*"] }),
        holder: { limits: { tpm: 500 } },
        key: { limits: { budget: { usd: 5, reset: "daily" } } },
      }),
    ).toEqual({
      org: { id: "acme", limits: { rpm: 9 } },
      project: { id: "search", models: ["openai/*"] },
      holder: { userId: "pam", active: true, limits: { tpm: 500 } },
      key: { id: "key", limits: { budget: { usd: 5, reset: "daily" } } },
    });
  });

  it("is one that its own schema takes", () => {
    expect(keyChainSchema.parse(aKeyChain())).toEqual(aKeyChain());
  });

  it.each([
    [{ key: { limits: { rmp: 1 } } }, "key.limits.rmp"],
    [{ project: { limits: { rpm: -1 } } }, "project.limits.rpm"],
    [{ org: { timeZone: "Mars/Olympus" } }, "org.timeZone"],
    [{ holder: { userId: "" } }, "holder.userId"],
    [{ keys: { limits: { rpm: 1 } } }, "keys"],
  ])("of parts that no gate would take is a ValidationError that names the field: %j", (parts, field) => {
    const build = () => aKeyChain(parts as Parameters<typeof aKeyChain>[0]); // As plain JavaScript may call it.
    expect(build).toThrow(ValidationError);
    expect(build).toThrow(field);
  });
});

describe("a gate over directoryOf", () => {
  it("admits by id and by token, and holds the limits of the chain", async () => {
    const directory = directoryOf(aKeyChain({ key: { limits: { rpm: 2 } } }));
    const gate = createGate({ directory });
    expect(await gate.admit({ keyId: "key" }, CALL)).toMatchObject({ admitted: true, userId: "pam" });
    expect(await gate.admit(directory.tokenOf("key"), CALL)).toMatchObject({ admitted: true, keyId: "key" });
    expect(await gate.admit(directory.tokenOf("key"), CALL)).toMatchObject({
      admitted: false,
      reason: "rate_limited",
      scope: "key",
    });
  });

  it("has one token for each key, and none for a key that it does not have", () => {
    const directory = directoryOf(aKeyChain(), aKeyChain({ key: { id: "other" } }));
    expect(directory.tokenOf("key")).toBe(directory.tokenOf("key"));
    expect(directory.tokenOf("other")).not.toBe(directory.tokenOf("key"));
    expect(() => directory.tokenOf("third")).toThrow(ValidationError);
  });

  it("takes an active holder for a member of every project they hold a key in, and nobody else", async () => {
    const gate = createGate({
      directory: directoryOf(
        aKeyChain(),
        aKeyChain({ project: { id: "search" }, key: { id: "second" } }),
        aKeyChain({ holder: { userId: "gone", active: false }, key: { id: "third" } }),
      ),
    });
    const verdict = (userId: string, projectId: string) =>
      gate.authorize({ userId }, "project.view", { orgId: "acme", projectId });
    expect(await verdict("pam", "web")).toEqual({ allowed: true, by: "project:member/project.view" });
    expect(await verdict("pam", "search")).toMatchObject({ allowed: true });
    expect(await verdict("pam", "ads")).toMatchObject({ allowed: false });
    expect(await verdict("gone", "web")).toMatchObject({ allowed: false, reason: "not_in_org" });
    expect(await verdict("eve", "web")).toMatchObject({ allowed: false, reason: "not_in_org" });
  });

  it("takes people as they are given", async () => {
    const directory = directoryOf(aKeyChain(), anOwner(), aMember({ userId: "pam" }));
    const gate = createGate({ directory });
    const project = { orgId: "acme", projectId: "web" };
    expect(await gate.authorize({ userId: "olga" }, "project.delete", project)).toMatchObject({
      allowed: true,
    });
    expect(await gate.authorize({ userId: "pam" }, "project.view", project)).toMatchObject({
      allowed: false,
    });
    expect(await directory.principal("olga", "other-org")).toBeUndefined();
    expect(await directoryOf(aKeyChain()).principal("pam", "other-org")).toBeUndefined();
    expect(() => directoryOf(aKey({ holder: aProjectMember() }))).toThrow(/a person/);
  });

  it("tells the use of an org, a project and a member without a key", async () => {
    const limits = { rpm: 5 };
    const chain = aKeyChain({ org: { limits }, project: { limits }, holder: { limits }, key: { limits } });
    const gate = createGate({
      directory: directoryOf(chain, aKeyChain({ org: { id: "other" }, key: { id: "k2" } })),
    });
    await gate.admit({ keyId: "key" }, CALL);
    const scopes = async (query: object) =>
      (await gate.usage({ orgId: "acme", ...query })).map(({ scope, used }) => [scope, used]);
    expect(await scopes({})).toEqual([["org", 1]]);
    expect(await scopes({ projectId: "web", userId: "pam" })).toEqual([
      ["org", 1],
      ["project", 1],
      ["member", 1],
    ]);
    const ofTwo = directoryOf(chain, aKeyChain({ project: { id: "ads" }, key: { id: "k3" } }));
    const elsewhere = await ofTwo.scope({ orgId: "acme", projectId: "ads", userId: "pam" });
    expect(elsewhere?.holder).toEqual({ userId: "pam", active: true });
    await expect(scopes({ projectId: "ads" })).rejects.toThrow(/project/);
    await expect(scopes({ projectId: "web", userId: "eve" })).rejects.toThrow(/member/);
    await expect(gate.usage({ orgId: "nowhere" })).rejects.toThrow(NotFoundError);
  });

  it("answers with what was put last", async () => {
    const directory = directoryOf(aKeyChain());
    const clock = new ManualClock(0);
    const gate = createGate({ directory, clock });
    const token = directory.tokenOf("key");
    expect(await gate.admit(token, CALL)).toMatchObject({ admitted: true });
    directory.put(aKeyChain({ key: { status: "revoked" } }));
    clock.advance(30_000);
    expect(await gate.admit(token, CALL)).toMatchObject({ admitted: false, reason: "key_revoked" });
  });
});

it("callerOf names the key of a chain for a replay", () => {
  const chain: KeyChain = aKeyChain({ key: { id: "k7" } });
  expect(callerOf(chain)).toEqual({ name: "k7", orgId: "acme", projectId: "web", keyId: "k7" });
  expect(callerOf(chain, "batch")).toMatchObject({ name: "batch", keyId: "k7" });
});
