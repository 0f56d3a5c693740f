import { describe, expect, it } from "vitest";
import { sqliteCounters } from "../../../src/counters/sqlite/counters.js";
import { createGate } from "../../../src/gate/gate.js";
import { CountersUnavailableError } from "../../../src/model/errors.js";
import type { SqliteDatabase } from "../../../src/sqlite/database.js";
import { storedText } from "../../../src/sqlite/text.js";
import { driverName, type OpenDatabase, openDatabase, withFile } from "../../sqlite/drivers.js";
import { charge, limitOf, START } from "../limits.js";
import { creditLimit } from "./credit.js";

const TTL = 3_600_000;
const at = (now: number) => ({ orgId: "o1", now, ttlMs: TTL });

/** A connection that counts its commits, and runs `atCommit` before each. */
function watched(database: OpenDatabase, atCommit: () => void = () => {}) {
  const seen = { commits: 0 };
  const connection: SqliteDatabase = {
    prepare: (sql) => database.prepare(sql),
    exec(sql) {
      if (sql === "COMMIT") {
        atCommit();
        seen.commits++;
      }
      return database.exec(sql);
    },
  };
  return { connection, seen };
}

function rows(database: OpenDatabase, table: string): number {
  return database.prepare(`SELECT * FROM ${table}`).all().length;
}

describe(`counters in SQLite, on ${driverName}`, () => {
  const limit = creditLimit(9_000_000_000_000_000);

  it("count to nine million dollars in nano-USD without losing one", async () => {
    const database = openDatabase();
    const charges = [{ limit, amount: limit.max - 1 }];
    await sqliteCounters({ database }).reserve({ id: "a", ...at(START), charges });
    const again = sqliteCounters({ database });
    const reserve = (id: string) => again.reserve({ id, ...at(START), charges: [{ limit, amount: 1 }] });
    expect(await reserve("b")).toMatchObject({ outcome: "reserved", used: [limit.max] });
    expect(await reserve("c")).toMatchObject({ outcome: "refused", readings: [{ used: limit.max }] });
  });

  it("go on with the latest moment that was counted at after a restart, on a machine whose clock was set back", async () => {
    const database = openDatabase();
    const charges = [{ limit, amount: 1 }];
    await sqliteCounters({ database }).reserve({ id: "a", ...at(START + 90_000), charges });
    const again = sqliteCounters({ database });
    const outcome = await again.reserve({ id: "b", ...at(START), charges });
    expect(outcome).toMatchObject({ outcome: "reserved", reservedAt: START + 90_000 });
  });

  it("leave counts of a kind that a later version has added as they are", async () => {
    const database = openDatabase();
    const counters = sqliteCounters({ database });
    const later = ["key", "org"].map((scope) => [
      `["${scope}","later"]`,
      '{"requests/hour":["leaky",0,[7]]}',
    ]);
    for (const [key, counts] of later) {
      database
        .prepare("INSERT INTO tollgate_scope (scope_key, counts) VALUES (?, ?)")
        .run(storedText(key ?? ""), counts ?? "");
    }
    const charges = [charge(limitOf({ rpm: 9 }), 1, START)]; // a new scope, for which others are looked through
    expect(await counters.reserve({ id: "a", ...at(START), charges })).toMatchObject({ outcome: "reserved" });
    const beside = charges.map((one) => ({ ...one, limit: { ...one.limit, scopeKey: '["key","later"]' } }));
    expect(await counters.reserve({ id: "b", ...at(START), charges: beside })).toMatchObject({ used: [1] });
    const stored = database.prepare("SELECT counts FROM tollgate_scope WHERE counts LIKE '%leaky%'").all();
    expect(stored.map((row) => Object(row).counts)).toEqual([
      expect.stringContaining('"requests/hour":["leaky",0,[7]]'),
      expect.stringContaining('"requests/hour":["leaky",0,[7]]'),
    ]);
  });

  it("keep what is spent today where a call of a clock that is days ahead shares its commit", async () => {
    const database = openDatabase();
    const counters = sqliteCounters({ database });
    const charges = [charge(limitOf({ budget: { usd: 1, reset: "daily" } }), 40, START)];
    await Promise.all([
      counters.reserve({ id: "today", ...at(START), charges }),
      counters.reserve({ id: "ahead", ...at(START + 3 * 86_400_000), charges: [{ limit, amount: 1 }] }),
    ]);
    expect(await counters.read({ ...at(START), charges })).toMatchObject([{ used: 40 }]);
  });

  it("keep of a call that is extended many times the amounts of each extension, and the limits once", async () => {
    const database = openDatabase();
    const counters = sqliteCounters({ database });
    const charges = [charge(limitOf({ budget: { usd: 1, reset: "monthly" } }), 1, START)];
    const extend = async (times: number) => {
      for (let i = 0; i < times; i++)
        await counters.reserve({ id: "a", ...at(START), charges, extend: true });
      const [row] = database.prepare("SELECT length(reservation) AS size FROM tollgate_reservation").all();
      return Number(Object(row).size);
    };
    await counters.reserve({ id: "a", ...at(START), charges });
    const few = await extend(1);
    expect((await extend(100)) - few).toBeLessThan(100 * 100);
    expect(few).toBeGreaterThan(300);
    expect(await counters.settle({ id: "a", ...at(START), amounts: charges })).toMatchObject({ used: [1] });
  });

  it("make one commit for all calls that arrive together", async () => {
    const { connection, seen } = watched(openDatabase());
    const counters = sqliteCounters({ database: connection });
    seen.commits = 0;
    const reserve = (i: number) =>
      counters.reserve({ id: `r${i}`, ...at(START), charges: [{ limit, amount: 1 }] });
    await Promise.all(Array.from({ length: 100 }, (_, i) => reserve(i)));
    expect(seen.commits).toBe(1);
  });

  it("let more calls than one commit takes wait for the next", async () => {
    const database = openDatabase();
    const { connection, seen } = watched(database);
    const counters = sqliteCounters({ database: connection });
    seen.commits = 0;
    const reserve = (i: number) =>
      counters.reserve({ id: `r${i}`, ...at(START), charges: [{ limit, amount: 1 }] });
    await Promise.all(Array.from({ length: 1_001 }, (_, i) => reserve(i)));
    expect(seen.commits).toBe(3);
    expect(await counters.read({ ...at(START), charges: [{ limit, amount: 0 }] })).toMatchObject([
      { used: 1_001 },
    ]);
  });

  it("fail a call that is wrong by itself, and no other that shares its commit", async () => {
    const counters = sqliteCounters({ database: openDatabase() });
    const monthly = limitOf({ budget: { usd: 1, reset: "monthly" } });
    const reserve = (id: string, charges: { limit: typeof limit; amount: number }[]) =>
      counters.reserve({ id, ...at(START), charges });
    const answers = await Promise.allSettled([
      reserve("a", [{ limit, amount: 5 }]),
      reserve("b", [
        { limit, amount: 7 },
        { limit: monthly, amount: 1 },
      ]), // no period
      reserve("c", [{ limit, amount: 11 }]),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await counters.read({ ...at(START), charges: [{ limit, amount: 0 }] })).toMatchObject([
      { used: 16 },
    ]);
  });

  it("that cannot commit admit nothing and charge nothing, and a gate says that they are unavailable", async () => {
    const database = openDatabase();
    let full = false;
    const { connection } = watched(database, () => {
      if (full) throw new Error("database or disk is full");
    });
    const counters = sqliteCounters({ database: connection });
    full = true;
    const charges = [{ limit, amount: 1 }];
    await expect(counters.reserve({ id: "a", ...at(START), charges })).rejects.toThrow("disk is full");
    full = false;
    expect(await counters.read({ ...at(START), charges })).toMatchObject([{ used: 0 }]);

    const gate = createGate({ counters });
    const owner = gate.as({ userId: "olga" });
    const org = await owner.orgs.create({ name: "Acme" });
    const project = await owner.projects.create({ orgId: org.id, name: "Web" });
    const { token } = await owner.keys.create({ orgId: org.id, projectId: project.id, limits: { rpm: 1 } });
    full = true;
    expect(await gate.admit(token, { model: "gpt-4o" })).toMatchObject({ reason: "counters_unavailable" });
    full = false;
    expect(await gate.admit(token, { model: "gpt-4o" })).toMatchObject({ admitted: true });
  });

  it("write nothing for a refusal, a reading or a dry run", async () => {
    await withFile(async (path) => {
      const database = openDatabase(path);
      const other = openDatabase(path);
      const counters = sqliteCounters({ database });
      const small = creditLimit(10);
      await counters.reserve({ id: "a", ...at(START), charges: [{ limit: small, amount: 10 }] });
      const version = () => JSON.stringify(other.prepare("PRAGMA data_version").all());
      const before = version();
      const charges = [{ limit: small, amount: 1 }];
      expect((await counters.reserve({ id: "b", ...at(START + 1), charges })).outcome).toBe("refused");
      await counters.reserve({ id: "c", ...at(START + 2), charges: [], dryRun: true });
      await counters.read({ ...at(START + 3), charges });
      expect(version()).toBe(before);
      await counters.settle({ id: "a", ...at(START + 4), amounts: [{ limit: small, amount: 9 }] });
      expect(version()).not.toBe(before);
      for (const one of [database, other]) one.close();
    });
  });

  it("forget scopes that matter no more, and reservations that have outlived their TTL", async () => {
    const database = openDatabase();
    const counters = sqliteCounters({ database });
    const minute = limitOf({ rpm: 10 });
    const reserve = (id: string, now: number) =>
      counters.reserve({ id, ...at(now), charges: [{ limit: { ...minute, scopeKey: id }, amount: 1 }] });
    for (let i = 0; i < 150; i++) await reserve(`old${i}`, START);
    expect(rows(database, "tollgate_scope")).toBe(150);
    const later = START + TTL;
    for (let i = 0; i < 160; i++) await reserve(`new${i}`, later);
    expect(rows(database, "tollgate_scope")).toBe(160);
    expect(rows(database, "tollgate_reservation")).toBe(160);
    expect(await counters.settle({ id: "old7", ...at(later), amounts: [] })).toEqual({ outcome: "expired" });
  });

  it("tell a reservation that has expired among too many for one transaction apart from an open one", async () => {
    const counters = sqliteCounters({ database: openDatabase() });
    const charges = [charge(limitOf({ rpm: 1_000 }), 1, START)];
    const reserve = (id: string, now: number, key: string) =>
      counters.reserve({ id, ...at(now), charges, idempotency: { key, fingerprint: "same" } });
    for (let i = 0; i < 250; i++) await reserve(`old${i}`, START, `key${i}`);
    const later = START + TTL;
    expect(await counters.settle({ id: "old249", ...at(later), amounts: [] })).toEqual({
      outcome: "expired",
    });
    expect(await reserve("new", later, "key248")).toMatchObject({ outcome: "reserved", id: "new" });
    expect(await counters.settle({ id: "old248", ...at(later), amounts: [] })).toEqual({
      outcome: "expired",
    });
  });

  it("give back a scope's row when nothing in it counts any more", async () => {
    const database = openDatabase();
    const counters = sqliteCounters({ database });
    const slots = charge(limitOf({ inFlight: 2 }), 1, START);
    await counters.reserve({ id: "a", ...at(START), charges: [slots] });
    expect(rows(database, "tollgate_scope")).toBe(1);
    await counters.settle({ id: "a", ...at(START), amounts: [{ ...slots, amount: 0 }] });
    expect(rows(database, "tollgate_scope")).toBe(0);
    expect(rows(database, "tollgate_reservation")).toBe(0);
  });

  it("work on a connection that gives integers as bigints", async () => {
    const database = openDatabase();
    const bigints: SqliteDatabase = {
      exec: (sql) => database.exec(sql),
      prepare(sql) {
        const statement = database.prepare(sql);
        for (const name of ["safeIntegers", "setReadBigInts"])
          Reflect.get(statement, name)?.call(statement, true);
        return statement;
      },
    };
    const counters = sqliteCounters({ database: bigints });
    const charges = [charge(limitOf({ rpm: 5 }), 1, START)];
    await counters.reserve({ id: "a", ...at(START), charges });
    expect(await counters.settle({ id: "a", ...at(START), amounts: charges })).toEqual({
      outcome: "settled",
      used: [1],
    });
    expect(await counters.settle({ id: "a", ...at(START), amounts: charges })).toEqual({
      outcome: "already_settled",
    });
  });

  it("answer what waits when they are closed, refuse what comes later, and leave the connection open", async () => {
    const database = openDatabase();
    const counters = sqliteCounters({ database });
    const charges = [{ limit, amount: 1 }];
    const waiting = counters.reserve({ id: "a", ...at(START), charges });
    await counters.close();
    expect((await waiting).outcome).toBe("reserved");
    await expect(counters.reserve({ id: "b", ...at(START), charges })).rejects.toThrow(
      CountersUnavailableError,
    );
    expect(rows(database, "tollgate_reservation")).toBe(1);
  });
});
