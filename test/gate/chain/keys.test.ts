import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { KeyRefusalReason } from "../../../src/admission/reasons.js";
import type { Directory } from "../../../src/gate/chain/directory.js";
import { createToken, hashToken, isWellFormed, previewOf } from "../../../src/gate/chain/token.js";
import { createGate } from "../../../src/gate/gate.js";
import type { GateOptions } from "../../../src/gate/options.js";
import type { KeyChain } from "../../../src/model/chain.js";
import { ValidationError } from "../../../src/model/errors.js";
import type { Principal } from "../../../src/policy/principal.js";
import { passed, refusedBy } from "../../scenarios/answers.js";
import { aChain, NOON } from "../world.js";

const PREFIX = "sk-tg-";
const CALL = { model: "free" };

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

describe("a token", () => {
  it("is its prefix, 43 random characters and 6 of a checksum, all letters and digits", () => {
    for (let i = 0; i < 200; i++) expect(createToken(PREFIX)).toMatch(/^sk-tg-[0-9A-Za-z]{49}$/);
  });

  it("holds 256 random bits: every one of its 43 characters varies, and none comes twice", () => {
    const tokens = Array.from({ length: 2_000 }, () => createToken(PREFIX));
    expect(new Set(tokens).size).toBe(tokens.length);
    for (let at = PREFIX.length; at < PREFIX.length + 43; at++) {
      // The first digit of 256 bits in base 62 is that of a number just below 62^43, so it takes all values too.
      expect(new Set(tokens.map((token) => token[at])).size, `character ${at}`).toBeGreaterThan(50);
    }
  });

  it("is well-formed under its own prefix and under no other", () => {
    for (const prefix of ["sk-tg-", "sk-", "acme_live_", "x", "A-1"]) {
      const token = createToken(prefix);
      expect(isWellFormed(token, prefix)).toBe(true);
      expect(isWellFormed(token, `${prefix}x`)).toBe(false);
      expect(isWellFormed(token, prefix.slice(1))).toBe(false);
      expect(isWellFormed(token, `${prefix}-`)).toBe(false);
    }
  });

  it("of which one character was mistyped, left out, added or swapped with its neighbour is not well-formed", () => {
    const token = fc.constant(null).map(() => createToken(PREFIX));
    const char = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...BASE62) },
      { weight: 1, arbitrary: fc.constantFrom(" ", "-", "\u0000", "é", "😀", "\ud800", "٣") },
    );
    fc.assert(
      fc.property(token, fc.nat(54), char, (good, at, other) => {
        const before = good.slice(0, at);
        const wrong = [
          before + other + good.slice(at + 1),
          before + good.slice(at + 1),
          before + other + good.slice(at),
          before + good.slice(at + 1, at + 2) + good.slice(at, at + 1) + good.slice(at + 2),
        ];
        for (const one of wrong) expect(isWellFormed(one, PREFIX)).toBe(one === good);
      }),
      { numRuns: 500 },
    );
  });

  it("is kept as its SHA-256 alone", () => {
    expect(hashToken("sk-tg-example")).toBe(
      "3669f62d253a3330e542f86b5e2a701a727b8860ac35983c30a0d69632dd36b9",
    );
    expect(hashToken(createToken(PREFIX))).toMatch(/^[0-9a-f]{64}$/);
  });

  it("is shown to people by its prefix and its last four characters", () => {
    expect(previewOf(`${PREFIX}${"x".repeat(45)}4f2a`, PREFIX)).toBe("sk-tg-••••4f2a");
  });
});

/** A directory of chains by token, and what it was asked. */
class Registry implements Directory {
  readonly chains = new Map<string, { chain: KeyChain; hash: string }>();
  readonly asked: string[] = [];
  /** Runs before each answer. */
  before: () => Promise<void> = async () => {};

  /** Adds a key, or gives the one that there is a new chain; returns its token. */
  put(chain: KeyChain, token = createToken(PREFIX)): string {
    this.chains.set(chain.key.id, { chain, hash: hashToken(token) });
    return token;
  }

  async key(ref: { readonly hash: string } | { readonly keyId: string }): Promise<KeyChain | undefined> {
    this.asked.push("hash" in ref ? "hash" : ref.keyId);
    await this.before();
    if ("keyId" in ref) return this.chains.get(ref.keyId)?.chain;
    for (const { chain, hash } of this.chains.values()) {
      if (hash === ref.hash || chain.key.previousToken?.hash === ref.hash) return chain;
    }
    return undefined;
  }

  async principal(userId: string, orgId: string): Promise<Principal | undefined> {
    return { userId, orgId, orgRole: "member", projectRoles: { p1: "admin" } };
  }
}

function setUp(options: GateOptions = {}) {
  const registry = new Registry();
  const clock = { at: NOON, now: () => clock.at };
  return { registry, clock, gate: createGate({ directory: registry, clock, ...options }) };
}

describe("a token with a mistake in it", () => {
  it("is refused without a look-up, at every one of its characters", async () => {
    const { registry, gate } = setUp();
    const token = registry.put(aChain());
    for (let at = 0; at < token.length; at++) {
      const other = token[at] === "7" ? "8" : "7";
      const wrong = token.slice(0, at) + other + token.slice(at + 1);
      expect(refusedBy(await gate.admit(wrong, CALL)).reason).toBe("invalid_key");
      expect(await gate.authenticate(wrong)).toMatchObject({ authenticated: false, reason: "invalid_key" });
    }
    for (const wrong of ["", " ", `${token} `, token.toLowerCase(), "sk-", "a".repeat(1_000_000), "😀"]) {
      expect(refusedBy(await gate.admit(wrong, CALL)).reason).toBe("invalid_key");
    }
    expect(registry.asked).toEqual([]);
  });

  it("is refused in the same words as a well-formed one that nobody holds", async () => {
    const { gate } = setUp();
    const nobodys = await gate.admit(createToken(PREFIX), CALL);
    expect(await gate.admit("sk-tg-nonsense", CALL)).toEqual(nobodys);
    expect(await gate.authenticate("sk-tg-nonsense")).toEqual(await gate.authenticate(createToken(PREFIX)));
  });
});

describe("the option keyPrefix", () => {
  it("decides which tokens are looked up at all", async () => {
    const { registry, gate } = setUp({ keyPrefix: "acme_" });
    const ours = registry.put(aChain(), createToken("acme_"));
    passed(await gate.admit(ours, CALL));
    refusedBy(await gate.admit(createToken(PREFIX), CALL));
    expect(registry.asked).toEqual(["hash"]);
  });

  it.each(["", "with space", "sk/tg", "é", "x".repeat(33)])("is not %j", (keyPrefix) => {
    expect(() => setUp({ keyPrefix })).toThrow(ValidationError);
  });
});

describe("authenticate", () => {
  it("tells whom a token stands for: the holder as they are now, confined to the key's project", async () => {
    const { registry, gate } = setUp();
    const token = registry.put(aChain({ key: { expiresAt: NOON + 5 } }));
    expect(await gate.authenticate(token)).toEqual({
      authenticated: true,
      keyId: "k1",
      orgId: "o1",
      projectId: "p1",
      userId: "u1",
      principal: {
        userId: "u1",
        orgId: "o1",
        orgRole: "member",
        projectRoles: { p1: "admin" },
        via: { keyId: "k1", projectId: "p1" },
      },
      expiresAt: NOON + 5,
    });
  });

  it("tells when the key ends, by itself or with its holder's membership, whichever is first", async () => {
    const { registry, gate } = setUp();
    const endOf = async (ofKey: number | undefined, ofHolder: number | undefined) => {
      const token = registry.put(aChain({ key: { expiresAt: ofKey }, holder: { expiresAt: ofHolder } }));
      const answer = await gate.authenticate(token);
      return "expiresAt" in answer && answer.expiresAt;
    };
    expect(await endOf(undefined, NOON + 5)).toBe(NOON + 5);
    expect(await endOf(NOON + 9, NOON + 5)).toBe(NOON + 5);
    expect(await endOf(NOON + 3, NOON + 5)).toBe(NOON + 3);
    expect(await endOf(undefined, undefined)).toBe(false);
  });

  const REASONS: readonly (readonly [KeyRefusalReason, KeyChain])[] = [
    ["key_revoked", aChain({ key: { status: "revoked" } })],
    ["key_disabled", aChain({ key: { status: "disabled" } })],
    ["key_expired", aChain({ key: { expiresAt: NOON } })],
    ["org_inactive", aChain({ org: { id: "secret-org", status: "suspended" } })],
    ["project_inactive", aChain({ project: { id: "secret-project", status: "archived" } })],
    ["holder_removed", aChain({ holder: { userId: "secret-user", active: false } })],
    ["holder_removed", aChain({ holder: { userId: "secret-user", active: true, expiresAt: NOON } })],
  ];

  it.each(REASONS)(
    "answers %s with its reason, and admit and check answer the same",
    async (reason, chain) => {
      const { registry, gate } = setUp();
      const token = registry.put(chain);
      const failed = await gate.authenticate(token);
      expect(failed).toMatchObject({ authenticated: false, reason });
      for (const answer of [await gate.admit(token, CALL), await gate.check(token, CALL)]) {
        expect(refusedBy(answer)).toMatchObject({
          reason,
          message: failed.authenticated ? "" : failed.message,
        });
      }
    },
  );

  it.each(REASONS)(
    "tells nothing of the org, project, user or key behind a token it refuses: %s",
    async (reason, of) => {
      const { registry, gate } = setUp();
      const chain = aChain({
        org: { ...of.org, id: "secret-org" },
        project: { ...of.project, id: "secret-project" },
        holder: { ...of.holder, userId: "secret-user" },
        key: { ...of.key, id: "secret-key" },
      });
      const token = registry.put(chain);
      for (const answer of [await gate.authenticate(token), await gate.admit(token, CALL)]) {
        expect(JSON.stringify(answer)).toContain(reason);
        expect(JSON.stringify(answer)).not.toContain("secret");
        expect(Object.keys(answer).sort()).not.toContain("orgId");
      }
    },
  );

  it("answers holder_removed where the directory knows the holder no longer", async () => {
    const { registry, gate } = setUp();
    const token = registry.put(aChain());
    registry.principal = async () => undefined;
    expect(await gate.authenticate(token)).toMatchObject({ reason: "holder_removed" });
  });

  it("takes a token and no key id, which is no secret: not as an object, not from a cached chain", async () => {
    const { registry, gate } = setUp();
    registry.put(aChain());
    for (let round = 0; round < 2; round++) {
      const answer = await gate.authenticate({ keyId: "k1" } as never).catch((error: unknown) => error);
      expect(answer).not.toMatchObject({ authenticated: true });
      passed(await gate.admit({ keyId: "k1" }, CALL));
    }
  });
});

describe("the cache of keys", () => {
  it("answers for no reference that a look-up would refuse", async () => {
    const { registry, gate } = setUp();
    registry.put(aChain());
    passed(await gate.admit({ keyId: "k1" }, CALL));
    const more = { keyId: "k1", orgId: "another" };
    await expect(gate.admit(more, CALL)).rejects.toThrow(ValidationError);
  });

  it("asks the directory once for a key that is called often, by token and by id", async () => {
    const { registry, gate } = setUp();
    const token = registry.put(aChain());
    for (let i = 0; i < 50; i++) {
      passed(await gate.admit(token, CALL));
      passed(await gate.admit({ keyId: "k1" }, CALL));
    }
    expect(registry.asked.sort()).toEqual(["hash", "k1"]);
  });

  it("asks once for calls that come at the same time, and all get the answer", async () => {
    const { registry, gate } = setUp();
    const token = registry.put(aChain());
    let answer = () => {};
    registry.before = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const calls = Array.from({ length: 40 }, () => gate.admit(token, CALL));
    await new Promise((resolve) => setImmediate(resolve));
    answer();
    for (const admission of await Promise.all(calls)) passed(admission);
    expect(registry.asked).toEqual(["hash"]);
  });

  it("keeps no failure: all that waited for it get the error, and the next call asks again", async () => {
    const { registry, gate } = setUp();
    const token = registry.put(aChain());
    registry.before = async () => {
      throw new Error("the directory is down");
    };
    const calls = await Promise.allSettled([gate.admit(token, CALL), gate.admit(token, CALL)]);
    for (const call of calls) {
      expect(call).toMatchObject({ status: "rejected", reason: { message: "the directory is down" } });
    }
    registry.before = async () => {};
    passed(await gate.admit(token, CALL));
    expect(registry.asked).toHaveLength(2);
  });

  it("asks anew a second after a look-up that has no answer, which nobody waits for longer than ten seconds", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    try {
      const { registry, gate } = setUp();
      const token = registry.put(aChain());
      registry.before = () => new Promise(() => {});
      const hung = Promise.allSettled([gate.admit(token, CALL), gate.admit(token, CALL)]);
      await vi.advanceTimersByTimeAsync(999);
      const joined = Promise.allSettled([gate.admit(token, CALL)]);
      expect(registry.asked).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(1);
      registry.before = async () => {};
      passed(await gate.admit(token, CALL));
      expect(registry.asked).toHaveLength(2);
      await vi.advanceTimersByTimeAsync(9_000);
      for (const call of [...(await hung), ...(await joined)]) {
        expect(call).toMatchObject({
          status: "rejected",
          reason: { message: expect.stringContaining("did not answer") },
        });
      }
      passed(await gate.admit(token, CALL));
      expect(registry.asked).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it("keeps no absence: a key that is made later works at once", async () => {
    const { registry, gate } = setUp();
    const token = createToken(PREFIX);
    refusedBy(await gate.admit(token, CALL));
    refusedBy(await gate.admit({ keyId: "k1" }, CALL));
    registry.put(aChain(), token);
    passed(await gate.admit(token, CALL));
    passed(await gate.admit({ keyId: "k1" }, CALL));
  });

  it("sees what was written elsewhere after maxAgeMs, and not a millisecond later", async () => {
    const { registry, gate, clock } = setUp({ cache: { maxAgeMs: 1_000 } });
    const token = registry.put(aChain());
    passed(await gate.admit(token, CALL));
    registry.put(aChain({ key: { status: "revoked" } }), token);
    clock.at = NOON + 999;
    passed(await gate.admit(token, CALL));
    clock.at = NOON + 1_000;
    expect(refusedBy(await gate.admit(token, CALL)).reason).toBe("key_revoked");
  });

  it("does not keep a key longer because it is called all the time", async () => {
    const { registry, gate, clock } = setUp({ cache: { maxAgeMs: 1_000 } });
    registry.put(aChain());
    for (let i = 0; i < 100; i++) {
      passed(await gate.admit({ keyId: "k1" }, CALL));
      clock.at += 100;
    }
    expect(registry.asked).toHaveLength(10);
  });

  it("asks again when the clock has gone back, rather than keep a key for as long as that", async () => {
    const { registry, gate, clock } = setUp({ cache: { maxAgeMs: 1_000 } });
    registry.put(aChain());
    passed(await gate.admit({ keyId: "k1" }, CALL));
    registry.put(aChain({ key: { status: "revoked" } }));
    clock.at -= 86_400_000;
    refusedBy(await gate.admit({ keyId: "k1" }, CALL));
  });

  it("checks the end of key and membership on every call, although the key is cached", async () => {
    for (const parts of [{ key: { expiresAt: NOON + 10 } }, { holder: { expiresAt: NOON + 10 } }]) {
      const { registry, gate, clock } = setUp();
      const token = registry.put(aChain(parts));
      clock.at = NOON + 9;
      passed(await gate.admit(token, CALL));
      expect(await gate.authenticate(token)).toMatchObject({ authenticated: true });
      clock.at = NOON + 10;
      refusedBy(await gate.admit(token, CALL));
      expect(await gate.authenticate(token)).toMatchObject({ authenticated: false });
      expect(registry.asked).toEqual(["hash"]);
    }
  });

  it("keeps maxKeys of them, the last used, and loses no count of one that fell out", async () => {
    const { registry, gate } = setUp({ cache: { maxKeys: 2 } });
    for (const id of ["a", "b", "c"]) registry.put(aChain({ key: { id, limits: { rpm: 2 } } }));
    const call = (keyId: string) => gate.admit({ keyId }, CALL);
    for (const id of ["a", "b", "a", "c", "a", "b"]) await call(id);
    expect(registry.asked).toEqual(["a", "b", "c", "b"]);
    expect(refusedBy(await call("a")).reason).toBe("rate_limited");
    expect(refusedBy(await call("b")).reason).toBe("rate_limited");
  });

  it("serves more orgs than maxKeys without ever answering for the wrong one", async () => {
    const { registry, gate } = setUp({ cache: { maxKeys: 3 } });
    const ids = Array.from({ length: 10 }, (_, i) => `k${i}`);
    const tokens = ids.map((id) => registry.put(aChain({ org: { id: `org-${id}` }, key: { id } })));
    for (let round = 0; round < 3; round++) {
      for (const [i, id] of ids.entries()) {
        expect(passed(await gate.admit(tokens[i] ?? "", CALL))).toMatchObject({
          keyId: id,
          orgId: `org-${id}`,
        });
        expect(passed(await gate.admit({ keyId: id }, CALL)).orgId).toBe(`org-${id}`);
      }
    }
  });
});

describe("the token before a rotation", () => {
  const rotated = (expiresAt: number, old: string) =>
    aChain({ key: { limits: { rpm: 4 }, previousToken: { hash: hashToken(old), expiresAt } } });

  it("works until its grace period ends, to the millisecond, also when it is cached", async () => {
    const { registry, gate, clock } = setUp();
    const old = createToken(PREFIX);
    const now = registry.put(rotated(NOON + 500, old));
    clock.at = NOON + 499;
    expect(passed(await gate.admit(old, CALL)).keyId).toBe("k1");
    expect(await gate.authenticate(old)).toMatchObject({ authenticated: true, keyId: "k1" });
    clock.at = NOON + 500;
    expect(refusedBy(await gate.admit(old, CALL)).reason).toBe("invalid_key");
    expect(await gate.authenticate(old)).toMatchObject({ reason: "invalid_key" });
    passed(await gate.admit(now, CALL));
    expect(registry.asked).toEqual(["hash", "hash"]);
  });

  it("counts with the new one and with the id, as one key", async () => {
    const { registry, gate } = setUp();
    const old = createToken(PREFIX);
    const now = registry.put(rotated(NOON + 500, old));
    for (const key of [old, now, { keyId: "k1" }, old]) passed(await gate.admit(key, CALL));
    for (const key of [old, now, { keyId: "k1" }]) {
      expect(refusedBy(await gate.admit(key, CALL)).reason).toBe("rate_limited");
    }
  });

  it("ends with the key itself, however long its grace period", async () => {
    const { registry, gate, clock } = setUp();
    const old = createToken(PREFIX);
    const chain = rotated(NOON + 500, old);
    registry.put({ ...chain, key: { ...chain.key, expiresAt: NOON + 100 } });
    clock.at = NOON + 100;
    expect(refusedBy(await gate.admit(old, CALL)).reason).toBe("key_expired");
  });

  it("whose grace period is over says nothing of the key: not that it exists, nor that it was revoked", async () => {
    const { registry, gate } = setUp();
    const old = createToken(PREFIX);
    const chain = rotated(NOON, old);
    registry.put({ ...chain, key: { ...chain.key, status: "revoked" } });
    expect(refusedBy(await gate.admit(old, CALL)).reason).toBe("invalid_key");
    expect(await gate.authenticate(old)).toMatchObject({ reason: "invalid_key" });
  });
});
