import { describe, expect, it } from "vitest";
import { REFUSAL_REASONS, type RefusalReason } from "../../../src/admission/reasons.js";
import type { KeyChain } from "../../../src/model/chain.js";
import { ConflictError, ValidationError } from "../../../src/model/errors.js";
import type { Usage } from "../../../src/model/usage.js";
import type { ChainParts } from "../../../src/testing/key-chain.js";
import { passed, refusedBy } from "../../scenarios/answers.js";
import { aChain, countedWorld, limited, NOON, world } from "../world.js";

const KEY = { keyId: "k1" };
const CALL: Usage = { model: "gpt-4o", inputTokens: 100, maxOutputTokens: 100 };

/** Every way for a call to fail, in the order of the checks. What is not said of a chain is in order. */
interface Faulty {
  parts: { org: object; project: object; holder: object; key: Partial<KeyChain["key"]> };
  usage: Usage;
}

const FAULTS: readonly (readonly [reason: RefusalReason, spoil: (faulty: Faulty) => void])[] = [
  ["key_revoked", ({ parts: { key } }) => Object.assign(key, { status: "revoked" })],
  ["key_disabled", ({ parts: { key } }) => Object.assign(key, { status: key.status ?? "disabled" })],
  ["key_expired", ({ parts: { key } }) => Object.assign(key, { expiresAt: NOON })],
  ["org_inactive", ({ parts: { org } }) => Object.assign(org, { status: "suspended" })],
  ["project_inactive", ({ parts: { project } }) => Object.assign(project, { status: "archived" })],
  ["holder_removed", ({ parts: { holder } }) => Object.assign(holder, { active: false })],
  ["model_not_allowed", ({ parts: { key } }) => Object.assign(key, { models: [] })],
  [
    "model_unpriced",
    (faulty) => {
      faulty.usage = { ...CALL, model: "unheard-of" };
    },
  ],
  ["too_large", ({ parts: { key } }) => Object.assign(key, { limits: { tpm: 1 } })],
];

/** Those that no call has together with the others, or that nothing but a count or a queue answers. */
const APART: readonly RefusalReason[] = [
  "invalid_key",
  "mcp_server_not_allowed",
  "rate_limited",
  "in_flight_limited",
  "budget_exceeded",
  "credits_exhausted",
  "counters_unavailable",
  "queue_full",
  "queue_timeout",
];

/** Limits that one call with a cost of a dollar uses up, of every kind. */
const SPENT: ChainParts = {
  org: { creditsNanoUsd: 1e9 },
  project: { limits: { rpm: 1 } },
  holder: { limits: { inFlight: 1, budget: { usd: 1, reset: "monthly" } } },
};

describe("the first check that fails answers", () => {
  const names = FAULTS.map(([reason]) => reason);

  it("in the order that REFUSAL_REASONS lists", () => {
    const listed = REFUSAL_REASONS.filter((reason) => !APART.includes(reason));
    expect(names).toEqual(listed);
  });

  it.each(names)("%s, where every later check would fail too", async (reason) => {
    const faulty: Faulty = { parts: { org: {}, project: {}, holder: {}, key: {} }, usage: CALL };
    for (const [, spoil] of FAULTS.slice(names.indexOf(reason))) spoil(faulty);
    const { parts } = faulty;
    const { gate, put, clock, dump } = countedWorld(aChain(SPENT));
    passed(await gate.admit(KEY, { ...CALL, costUsd: 1 }));
    put(
      aChain({
        org: { ...SPENT.org, ...parts.org },
        project: { ...SPENT.project, ...parts.project },
        holder: { ...SPENT.holder, ...parts.holder },
        key: parts.key,
      }),
    );
    clock.at += 1;
    const before = dump();
    expect(refusedBy(await gate.admit(KEY, faulty.usage)).reason).toBe(reason);
    expect(refusedBy(await gate.check(KEY, faulty.usage)).reason).toBe(reason);
    expect(dump()).toEqual(before);
  });

  it("invalid_key before all, for a token that nobody holds and for an id", async () => {
    const { gate, dump } = countedWorld(aChain());
    const before = dump();
    for (const key of ["sk-tg-nonsense", "", "x".repeat(100_000), { keyId: "nobody" }]) {
      const refusal = refusedBy(await gate.admit(key, { model: "unheard-of" }));
      expect(refusal.reason).toBe("invalid_key");
      expect(refusal.limits).toEqual([]);
    }
    expect(dump()).toEqual(before);
  });

  it("mcp_server_not_allowed at the project's list and at the key's", async () => {
    for (const scope of ["project", "key"] as const) {
      const { gate } = countedWorld(aChain({ [scope]: { mcpServers: ["git/*"], models: [] } }));
      expect(refusedBy(await gate.admit(KEY, { mcpServer: "gitlab/x" })).reason).toBe(
        "mcp_server_not_allowed",
      );
      passed(await gate.admit(KEY, { mcpServer: "git/hub" }));
    }
  });

  it("holder_removed also for a membership that has ended, from that millisecond on", async () => {
    const { gate, clock } = countedWorld(aChain({ holder: { expiresAt: NOON + 5 } }));
    clock.at = NOON + 4;
    passed(await gate.admit(KEY, CALL));
    clock.at = NOON + 5;
    expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("holder_removed");
  });

  it("counters_unavailable last of all", async () => {
    const down = () => Promise.reject(new Error("down"));
    const counters = { reserve: down, settle: down, read: down, close: async () => {} };
    const { gate } = world(limited({ key: { rpm: 5 } }), { counters });
    expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("counters_unavailable");
  });
});

/** For each reason that names a limit, limits and a history after which the call is refused for it. */
const BY_LIMIT: readonly (readonly [RefusalReason, KeyChain])[] = [
  ["too_large", limited({ key: { rpm: 9, outputTpm: 99 } })],
  ["rate_limited", limited({ org: { rpm: 1 }, key: { tpm: 9_000 } })],
  ["in_flight_limited", limited({ project: { inFlight: 1 }, key: { tpm: 9_000 } })],
  ["budget_exceeded", limited({ member: { budget: { usd: 0.002, reset: "daily" } }, key: { tpm: 9_000 } })],
  ["credits_exhausted", aChain({ org: { creditsNanoUsd: 2_000_000 }, key: { limits: { tpm: 9_000 } } })],
];

describe("a refused call leaves every counter as it was", () => {
  it.each(BY_LIMIT)("for %s", async (reason, chain) => {
    const { gate, dump } = countedWorld(chain);
    if (reason !== "too_large") passed(await gate.admit(KEY, CALL));
    const before = dump();
    expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe(reason);
    expect(dump()).toEqual(before);
  });

  it("for a usage that is wrong, and for a request id that stands for another call", async () => {
    const { gate, dump } = countedWorld(limited({ key: { tpm: 9_000 } }));
    passed(await gate.admit(KEY, { ...CALL, requestId: "r" }));
    const before = dump();
    await expect(gate.admit(KEY, { model: "gpt-4o" })).rejects.toThrow(ValidationError);
    await expect(gate.admit(KEY, { ...CALL, inputTokens: -1 })).rejects.toThrow(ValidationError);
    await expect(gate.admit(KEY, { ...CALL, inputTokens: 1, requestId: "r" })).rejects.toThrow(ConflictError);
    expect(dump()).toEqual(before);
  });
});
