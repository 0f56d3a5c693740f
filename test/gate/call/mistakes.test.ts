import { createQueue } from "tollgate/queue";
import { describe, expect, it } from "vitest";
import { postgresCounters } from "../../../src/counters/postgres/counters.js";
import { sqliteCounters } from "../../../src/counters/sqlite/counters.js";
import { createGate } from "../../../src/gate/gate.js";
import type { GateOptions } from "../../../src/gate/options.js";
import { toResponse } from "../../../src/http/response.js";
import { createLedger } from "../../../src/ledger/ledger.js";
import { postgresLedgerSink } from "../../../src/ledger/postgres-sink.js";
import { sqliteLedgerSink } from "../../../src/ledger/sqlite-sink.js";
import { definePolicy } from "../../../src/policy/policy.js";
import { postgresStorage } from "../../../src/storage/postgres/storage.js";
import { sqliteStorage } from "../../../src/storage/sqlite/storage.js";
import { passed, refusedBy } from "../../scenarios/answers.js";
import { aChain, limited, NOON, world } from "../world.js";

// What somebody does who uses this for the first time, and what they are told. As from JavaScript, without types.
const wrong = <T>(value: unknown) => value as T;

describe("an option that is wrong is told as what it should be", () => {
  it.each([
    [{ prices: { "gpt-4o": 1 } }, "options.prices: a catalog, as priceCatalog.of makes it"],
    [{ ledger: { write() {} } }, "options.ledger: a ledger, as createLedger makes it"],
    [{ unpriced: "allow" }, 'options.unpriced: "deny", "free" or an object with usd'],
    [{ cache: { maxKeys: 0 } }, "options.cache.maxKeys: a whole number from 1 to 10000000"],
    [{ storage: {} }, "options.storage: a storage: an object with get, find"],
  ])("%j", (options, expected) => {
    expect(() => createGate(wrong<GateOptions>(options))).toThrow(expected);
  });

  it("a policy without what the control plane asks for", () => {
    const policy = definePolicy({
      permissions: { "report.read": "org" },
      baseOrgRole: "boss",
      orgRoles: { boss: { "report.read": "all" } },
    });
    expect(() => createGate({ policy: wrong(policy) })).toThrow(
      /^options\.policy: an extension of the standard policy/,
    );
  });

  it("a pool, a database or a gate that is none, or left out", () => {
    for (const pool of [undefined, {}, { pool: "postgres://localhost" }, { connectionString: "" }]) {
      for (const make of [postgresStorage, postgresCounters, postgresLedgerSink])
        expect(() => make(wrong(pool))).toThrow("options.pool: a Pool of pg");
    }
    for (const make of [sqliteStorage, sqliteCounters, sqliteLedgerSink])
      expect(() => make(wrong(undefined))).toThrow("options.database: a DatabaseSync");
    expect(() => createQueue(wrong(undefined))).toThrow("gate: an object with admit");
  });

  it("an option that an adapter has not", () => {
    const pool = { query: async () => ({ rows: [] }) };
    const given = { pool, schemas: "mine" };
    for (const make of [postgresStorage, postgresCounters, postgresLedgerSink])
      expect(() => make(given)).toThrow("options.schemas: no such field");
    expect(() => postgresCounters({ pool, reserveWaitMs: 0.5 })).toThrow(
      "options.reserveWaitMs: a whole number",
    );
    expect(() => postgresStorage({ pool, listen: wrong("past the pooler") })).toThrow(
      "options.listen: a function",
    );
    const database = { exec: () => {}, prepare: () => {} };
    for (const make of [sqliteStorage, sqliteCounters, sqliteLedgerSink])
      expect(() => make(wrong({ database, wal: true }))).toThrow("options.wal: no such field");
  });

  it("a budget that is a number", async () => {
    const ada = createGate().as({ userId: "ada" });
    const made = ada.orgs.create({ name: "Acme", limits: { budget: wrong(10) } });
    await expect(made).rejects.toThrow(
      "org.limits.budget: a budget, an object with usd and reset, or a list of budgets",
    );
  });
});

describe("what is handed to settle instead of a reservation", () => {
  it.each([
    [
      "the admission",
      async (admission: unknown) => admission,
      "the admission's reservation, not the admission",
    ],
    ["a promise", async () => undefined, "the reservation of an admission that was awaited"],
    ["its id", async () => "res_1", "a reservation, or its JSON"],
  ])("%s", async (what, make, expected) => {
    const { gate } = world();
    const admission = await gate.admit({ keyId: "k1" }, { model: "gpt-4o" });
    const given = what === "a promise" ? Promise.resolve(admission) : await make(admission);
    await expect(gate.settle(wrong(given), {})).rejects.toThrow(`reservation: ${expected}`);
  });
});

it("an admission that was not awaited is no answer", () => {
  const { gate } = world();
  const promise = gate.admit({ keyId: "k1" }, { model: "gpt-4o" });
  expect(() => toResponse(wrong(promise), { profile: "openai" })).toThrow(
    "admission: an admission; of a promise, its value",
  );
  expect(() => toResponse(wrong(promise), wrong(undefined))).toThrow("options.profile");
});

it("a model without a price is named, and what may be a token in it is not", async () => {
  const { gate } = world(limited({ key: { budget: { usd: 1, reset: "daily" } } }));
  const asked = async (model: string) => refusedBy(await gate.admit({ keyId: "k1" }, { model })).message;
  expect(await asked("gpt-new")).toBe('A budget applies and the price of "gpt-new" is not known.');
  expect(await asked(`sk-tg-${"a".repeat(49)}`)).not.toContain("a".repeat(40));
});

it("an end in seconds is over before it begins", async () => {
  const gate = createGate({ clock: { now: () => NOON } });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "o1", name: "Acme" });
  await olga.projects.create({ orgId: "o1", id: "p1", name: "Web" });
  const at = { orgId: "o1", projectId: "p1" };
  const expiresAt = Math.floor(NOON / 1_000) + 3_600;
  await expect(olga.keys.create({ ...at, expiresAt })).rejects.toThrow(
    /^key\.expiresAt: a moment that is still to come/,
  );
  await olga.orgMembers.add({ orgId: "o1", userId: "mel", role: "member" });
  const added = olga.projectMembers.add({ ...at, userId: "mel", role: "member", expiresAt });
  await expect(added).rejects.toThrow("projectMember.expiresAt");
  const { key } = await olga.keys.create({ ...at, expiresAt: expiresAt * 1_000 });
  expect(key.expiresAt).toBe(expiresAt * 1_000);
  const moved = olga.keys.update({ keyId: key.id, expiresAt: expiresAt + 60 });
  await expect(moved).rejects.toThrow(/^key\.expiresAt: a moment since it was made, in milliseconds/);
  await olga.projectMembers.add({ ...at, userId: "mel", role: "member" });
  const ended = olga.projectMembers.setExpiry({ ...at, userId: "mel", expiresAt });
  await expect(ended).rejects.toThrow("projectMember.expiresAt");
  await olga.keys.update({ keyId: key.id, expiresAt: NOON }); // it ends now
  expect(refusedBy(await gate.admit({ keyId: key.id }, { model: "gpt-4o" })).reason).toBe("key_expired");
});

it.each([
  [undefined, "actor: an object with userId, or with token"],
  [{}, "actor: an object with userId, or with token"],
  [{ userId: "olga", token: "sk-tg-x" }, "actor: an object with userId, or with token"],
  [{ token: 1 }, "actor.token: a token, as text"],
  [{ userId: undefined }, "actor.userId: text of 1 to 200 characters, well-formed"],
])("an actor %j is told what one is", (actor, expected) => {
  const gate = createGate();
  let told = "";
  try {
    gate.as(wrong(actor));
  } catch (error) {
    told = String(error);
  }
  expect(told).toBe(`ValidationError: ${expected}`);
});

it("a ledger in Postgres whose table nobody made says what to do", async () => {
  const missing = Object.assign(new Error("relation does not exist"), { code: "42P01" });
  const sink = postgresLedgerSink({ pool: { query: () => Promise.reject(missing) } });
  const ledger = createLedger({ sink, closeTimeoutMs: 20 });
  const failing = new Promise<unknown>((resolve) => ledger.on("failing", ({ error }) => resolve(error)));
  const { gate } = world(aChain(), { ledger });
  passed(await gate.admit({ keyId: "k1" }, { model: "gpt-4o" }));
  const advice = "call migrate() of postgresLedgerSink";
  await ledger.flush().catch(() => {});
  expect(await failing).toMatchObject({ message: expect.stringContaining(advice), cause: missing });
  const query = { org: "o1", from: 0, to: NOON, groupBy: "model" } as const;
  await expect(ledger.report(query)).rejects.toThrow(advice);
});

it("counters and records in Postgres whose tables nobody made say what to do", async () => {
  const missing = Object.assign(new Error("relation does not exist"), { code: "42P01" });
  const pool = { query: () => Promise.reject(missing) };
  const degraded: string[] = [];
  const { gate } = world(aChain({ key: { limits: { rpm: 1 } } }), { counters: postgresCounters({ pool }) });
  gate.on("degraded", ({ error }) => degraded.push(error.message));
  expect(refusedBy(await gate.admit({ keyId: "k1" }, { model: "gpt-4o" })).reason).toBe(
    "counters_unavailable",
  );
  expect(degraded).toEqual([expect.stringContaining("call migrate() of postgresCounters")]);
  const storage = postgresStorage({ pool });
  const advice = "call migrate() of postgresStorage";
  await expect(storage.get("org", "o1")).rejects.toThrow(advice);
  const record = { id: "k1", orgId: "o1", version: 1, usedAt: NOON };
  const made = { kind: "keyUse", id: "k1", expectedVersion: 0, record } as const;
  await expect(storage.commit([made])).rejects.toThrow(advice);
  passed(await world().gate.admit({ keyId: "k1" }, { model: "gpt-4o" }));
});
