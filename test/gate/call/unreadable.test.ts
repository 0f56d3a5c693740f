import { createGate, type Gate, memoryCounters, ValidationError } from "tollgate";
import { describe, expect, it } from "vitest";
import { memoryStorage } from "../../../src/storage/memory.js";
import { passed, settled } from "../../scenarios/answers.js";
import { limited, world } from "../world.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10 };
const SECRET = "what a getter threw";

function fails(): never {
  throw new Error(SECRET);
}

/** An input of which something cannot be read: each of its fields in turn, one more, and the whole. */
function unreadable(input: object): [string, never][] {
  const traps = { get: fails, has: fails, ownKeys: fails, getPrototypeOf: fails };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const fields = [...Object.keys(input), "surplus"].map((field) => {
    const made = Object.defineProperty({ ...input }, field, { get: fails, enumerable: true });
    return [field, made] as const;
  });
  const wholes = [
    ["a proxy", new Proxy(input, traps)],
    ["a revoked proxy", revoked.proxy],
  ] as const;
  return [...fields, ...wholes] as [string, never][]; // what callers without types hand in
}

describe("what cannot be read", () => {
  const doors: [string, object, string, (gate: Gate, input: never) => unknown][] = [
    ["a plain usage", CALL, "usage", (gate, usage) => gate.admit(KEY, usage)],
    ["a usage", { ...CALL, costUsd: 1, tags: {} }, "usage", (gate, usage) => gate.check(KEY, usage)],
    ["a key", KEY, "key", (gate, key) => gate.admit(key, CALL)],
    ["a person", { userId: "u1" }, "who", (gate, who) => gate.authorize(who, "org.view", { orgId: "o1" })],
    [
      "a resource",
      { orgId: "o1", projectId: "p1" },
      "resource",
      (gate, resource) => gate.authorize({ userId: "u1" }, "project.view", resource),
    ],
    ["a query", { orgId: "o1", ...KEY }, "query", (gate, query) => gate.usage(query)],
    ["an org", { name: "A", limits: {} }, "org", (gate, org) => gate.as({ userId: "u1" }).orgs.create(org)],
    ["an actor", { userId: "u1" }, "actor", async (gate, actor) => gate.as(actor)],
  ];

  it.each(doors)(
    "of %s is a ValidationError and nothing of what was thrown",
    async (_, input, field, door) => {
      const { gate } = gateWithStorage();
      for (const [what, wrong] of unreadable(input)) {
        const error = await (async () => door(gate, wrong))().catch((thrown: unknown) => thrown);
        expect(error, what).toBeInstanceOf(ValidationError);
        expect(error, what).toMatchObject({ field: expect.stringMatching(new RegExp(`^${field}\\b`)) });
        expect(String(error), what).not.toContain(SECRET);
      }
    },
  );

  it.each([
    ["", () => {}],
    [", also while somebody listens", (gate: Gate) => gate.on("settlement", () => {})],
  ] as const)("of an actual or a reservation leaves the reservation as it was%s", async (_, listen) => {
    const { gate, dump } = gateWithStorage();
    listen(gate);
    const { reservation } = passed(await gate.admit(KEY, CALL));
    const before = dump();
    for (const [, wrong] of unreadable({ inputTokens: 5, outputTokens: 5 }))
      await expect(gate.settle(reservation, wrong)).rejects.toThrow(ValidationError);
    for (const [, wrong] of unreadable({ maxOutputTokens: 5 }))
      await expect(gate.extend(reservation, wrong)).rejects.toThrow(ValidationError);
    for (const [what, wrong] of unreadable(JSON.parse(JSON.stringify(reservation)))) {
      if (what === "surplus") continue; // a field that is not known is not read
      await expect(gate.settle(wrong, {})).rejects.toThrow(ValidationError);
      await expect(gate.release(wrong)).rejects.toThrow(ValidationError);
    }
    expect(dump()).toEqual(before);
    settled(await gate.settle(reservation, {}));
  });
});

describe("a reservation that somebody has wrapped", () => {
  it("in a proxy, as some frameworks do with all that they keep, is settled like its JSON", async () => {
    const { gate } = world(limited({ key: { tpm: 900 } }));
    const { reservation } = passed(await gate.admit(KEY, CALL));
    const wrapped = new Proxy(reservation, {});
    const { reservation: whole } = passed(await gate.extend(wrapped, { maxOutputTokens: 5 }));
    expect(settled(await gate.settle(new Proxy(whole, {}), {})).charged.tokens).toBe(25);
    expect(await gate.release(wrapped)).toMatchObject({ reason: "already_settled" });
  });

  it("and made a moment of that no calendar has is a ValidationError that names it", async () => {
    const { gate } = world(limited({ key: { budget: { usd: 1, reset: "daily" } } }));
    const { reservation } = passed(await gate.admit(KEY, CALL));
    const wrong = { ...JSON.parse(JSON.stringify(reservation)), reservedAt: 1e300 };
    await expect(gate.extend(wrong, { maxOutputTokens: 5 })).rejects.toMatchObject({
      field: "reservation.reservedAt",
    });
  });
});

function gateWithStorage() {
  const counters = memoryCounters();
  const chain = limited({ key: { tpm: 900 } });
  const gate = createGate({
    storage: memoryStorage(),
    counters,
    directory: {
      key: async () => chain,
      principal: async (userId, orgId) => ({ userId, orgId, orgRole: "owner", projectRoles: {} }),
    },
  });
  return { gate, dump: () => structuredClone(counters.dump()) };
}
