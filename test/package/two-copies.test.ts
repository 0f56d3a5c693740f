import { describe, expect, it, vi } from "vitest";
import { Failure, toErrorResponse } from "../../src/http.js";
import type { Counters, Directory } from "../../src/index.js";
import * as own from "../../src/index.js";
import { aChain } from "../gate/world.js";

// What a process has that loads the library with both `import` and `require`: no class of the one is a class of the other.
vi.resetModules();
const other = { ...(await import("../../src/index.js")), ...(await import("../../src/http.js")) };

const CALL = { model: "free" };
const KEY = { keyId: "k1" };
const directory: Directory = {
  key: async () => aChain({ key: { limits: { rpm: 5 } } }),
  principal: async () => undefined,
};

/** Counters of the other copy, which fail as they are told. */
function failingCounters(fault: { error?: Error }): Counters {
  const { reserve, settle, read, close } = other.memoryCounters();
  const failing =
    <Q, A>(step: (asked: Q) => Promise<A>) =>
    async (asked: Q) => {
      if (fault.error) throw fault.error;
      return step(asked);
    };
  return { reserve: failing(reserve), settle: failing(settle), read: failing(read), close };
}

/** Records, of which a commit conflicts where it is told to with what somebody else wrote. */
function conflictingStorage() {
  const storage = own.memoryStorage();
  const commit = vi.spyOn(storage, "commit");
  return { storage, conflictOnce: () => commit.mockRejectedValueOnce(new other.ConflictError("too late")) };
}

describe("where a process has two copies of the library", () => {
  it.each<[string, Error]>([
    ["ValidationError", new own.ValidationError([{ field: "usage.model", expected: "text" }])],
    [
      "ValidationError of the gateway",
      new own.ValidationError([{ field: "options.clock", expected: "a clock" }]),
    ],
    ["PermissionError", new own.PermissionError("key.create", "not_granted")],
    ["NotFoundError", new own.NotFoundError("key", "k1")],
    ["ConflictError", new own.ConflictError("taken")],
    ["LimitError", new own.LimitError("limits.rpm", "too much")],
    ["CountersUnavailableError", new own.CountersUnavailableError("gone")],
    ["ClosedError", new own.ClosedError()],
    ["Failure", new Failure(404, "not_found", "No such path.")],
    ["Error", new Error("secret")],
  ])("an answer to an error is the same by either: %s", (_, error) => {
    expect(other.Failure).not.toBe(Failure);
    expect(other.toErrorResponse(error, { profile: "openai" })).toEqual(
      toErrorResponse(error, { profile: "openai" }),
    );
  });

  it("an error is an instance of the classes of its own", () => {
    const error = new own.LimitError("limits.rpm", "too much");
    expect(error).toBeInstanceOf(own.TollgateError);
    expect(error).not.toBeInstanceOf(own.ConflictError);
    expect(error).not.toBeInstanceOf(other.TollgateError);
    expect(Reflect.ownKeys({ ...error })).toEqual(["code", "name", "field"]);
  });

  it("counters that are not there are an outage, whoever says so", async () => {
    const fault: { error?: Error } = {};
    const counters = failingCounters(fault);
    const gate = own.createGate({ directory, counters, unpriced: "free", onCountersDown: "allow" });
    const admission = await gate.admit(KEY, CALL);
    if (!admission.admitted) throw new Error(admission.message);
    fault.error = new other.CountersUnavailableError("gone");
    expect(await gate.admit(KEY, CALL)).toMatchObject({ admitted: true, degraded: "uncounted" });
    expect(await gate.extend(admission.reservation, { maxOutputTokens: 5 })).toMatchObject({
      admitted: true,
    });
    await expect(gate.usage({ orgId: "o1", ...KEY })).rejects.toBe(fault.error);
    const strict = own.createGate({ directory, counters, unpriced: "free", onCountersDown: "deny" });
    expect(await strict.admit(KEY, CALL)).toMatchObject({ reason: "counters_unavailable" });
  });

  it("what counters say of a caller's mistake is passed on, and is no outage", async () => {
    const fault = { error: new other.ConflictError("another call has this id") };
    const gate = own.createGate({
      directory,
      counters: failingCounters(fault),
      unpriced: "free",
      onCountersDown: "allow",
    });
    await expect(gate.admit(KEY, CALL)).rejects.toBe(fault.error);
    await expect(gate.usage({ orgId: "o1", ...KEY })).rejects.toBe(fault.error);
  });

  it("a write that conflicts with another is tried again", async () => {
    const { storage, conflictOnce } = conflictingStorage();
    const olga = own.createGate({ storage }).as({ userId: "olga" });
    const { id: orgId } = await olga.orgs.create({ name: "Acme" });
    conflictOnce();
    expect(await olga.projects.create({ orgId, name: "Web" })).toMatchObject({ orgId });
  });

  it("a use of a key that conflicts with another is written after it", async () => {
    const { storage, conflictOnce } = conflictingStorage();
    const gate = own.createGate({ storage, unpriced: "free" });
    const olga = gate.as({ userId: "olga" });
    const { id: orgId } = await olga.orgs.create({ name: "Acme" });
    const { id: projectId } = await olga.projects.create({ orgId, name: "Web" });
    const { key, token } = await olga.keys.create({ orgId, projectId });
    await gate.admit(token, CALL);
    conflictOnce();
    await gate.close();
    expect(await storage.get("keyUse", key.id)).toBeDefined();
  });

  it("a denial that conflicts with another write is recorded after it", async () => {
    const { storage, conflictOnce } = conflictingStorage();
    const gate = own.createGate({ storage, auditDenied: true });
    const olga = gate.as({ userId: "olga" });
    const { id: orgId } = await olga.orgs.create({ name: "Acme" });
    await olga.orgMembers.add({ orgId, userId: "mia", role: "member" });
    conflictOnce();
    const denied = gate.as({ userId: "mia" }).projects.create({ orgId, name: "Web" });
    await expect(denied).rejects.toThrow(own.PermissionError);
  });

  it("events that a ledger has lost are told before all when a gate closes", async () => {
    const lost = new other.LedgerUnavailableError("3 events");
    const ledger = own.createLedger({ sink: own.memoryLedgerSink() });
    vi.spyOn(ledger, "close").mockRejectedValue(lost);
    const watch = () => () => {
      throw new Error("it was watched by nobody");
    };
    const gate = own.createGate({ ledger, directory: { ...directory, watch } });
    await expect(gate.close()).rejects.toBe(lost);
  });

  it("calls go through a gate of one with counters, records and prices of the other", async () => {
    const prices = other.priceCatalog.of({ m: { inputUsdPerMillion: 1, outputUsdPerMillion: 1 } });
    const gate = own.createGate({ storage: other.memoryStorage(), counters: other.memoryCounters(), prices });
    const olga = gate.as({ userId: "olga" });
    const { id: orgId } = await olga.orgs.create({ name: "Acme" });
    const { id: projectId } = await olga.projects.create({
      orgId,
      name: "Web",
      limits: { budget: { usd: 1, reset: "monthly" } },
    });
    const { token } = await olga.keys.create({ orgId, projectId, limits: { rpm: 2 } });
    for (const reason of [undefined, undefined, "rate_limited"]) {
      const admission = await gate.admit(token, { model: "m", inputTokens: 1 });
      if (!admission.admitted) expect(admission.reason).toBe(reason);
      else
        expect(await gate.settle(admission.reservation, { inputTokens: 1, outputTokens: 1 })).toMatchObject({
          settled: true,
        });
    }
  });
});
