import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import { ConflictError, ValidationError } from "../../../src/model/errors.js";
import { recordKinds } from "../../../src/model/record-schemas.js";
import { auditEventId, type RecordKind, type Records } from "../../../src/model/records.js";
import { INDEXES } from "../../../src/storage/indexes.js";
import { snakeCase } from "../../../src/storage/snake-case.js";
import { type SqliteStorageOptions, sqliteStorage } from "../../../src/storage/sqlite/storage.js";
import type { Storage } from "../../../src/storage/storage.js";
import {
  change,
  key as keyRecord,
  project as projectRecord,
} from "../../../src/testing/conformance/storage-records.js";
import { eventually } from "../../eventually.js";
import { driverName, openDatabase, withFile } from "../../sqlite/drivers.js";

const project = (id: string) => change("project", id, 0, projectRecord(id));

describe(`records in a file of SQLite, on ${driverName}`, () => {
  it("are there again after a restart", async () => {
    await withFile(async (path) => {
      const first = openDatabase(path);
      await sqliteStorage({ database: first }).commit([project("web")]);
      first.close();
      const second = openDatabase(path);
      expect(await sqliteStorage({ database: second }).get("project", "web")).toEqual(projectRecord("web"));
      second.close();
    });
  });

  it("are written by one of two connections that both saw the same version", async () => {
    await withFile(async (path) => {
      const databases = [openDatabase(path), openDatabase(path)];
      const [one, other] = databases.map((database) => sqliteStorage({ database })) as [Storage, Storage];
      await one.commit([project("web")]);
      const write = (storage: Storage, name: string) =>
        storage.commit([change("project", "web", 1, projectRecord("web", { version: 2, name }))]);
      await write(other, "first");
      await expect(write(one, "second")).rejects.toThrow(ConflictError);
      expect((await one.get("project", "web"))?.name).toBe("first");
      for (const database of databases) database.close();
    });
  });

  it("are not found by a half of a surrogate pair, which a driver turns into another character", async () => {
    const storage = sqliteStorage({ database: openDatabase() });
    await storage.commit([change("key", "k", 0, keyRecord("k", { hash: "\ufffd" }))]);
    expect(await storage.find("key", { hash: "\ufffd" })).toHaveLength(1);
    expect(await storage.find("key", { hash: "\ud800" })).toEqual([]);
  });

  it("swap a unique value between two of them in one commit", async () => {
    const storage = sqliteStorage({ database: openDatabase() });
    await storage.commit(["a", "b"].map((id) => change("key", id, 0, keyRecord(id, { hash: id }))));
    await storage.commit([
      change("key", "a", 1, keyRecord("a", { version: 2, hash: "b" })),
      change("key", "b", 1, keyRecord("b", { version: 2, hash: "a" })),
    ]);
    expect((await storage.find("key", { hash: "a" })).map(({ id }) => id)).toEqual(["b"]);
  });

  it("changed over another connection are told to whoever watches, with what was changed", async () => {
    await withFile(async (path) => {
      const databases = [openDatabase(path), openDatabase(path)];
      const [watched, other] = databases.map((database) => sqliteStorage({ database })) as [Storage, Storage];
      await other.commit([project("before")]);
      const told: string[] = [];
      watched.watch?.((changed) =>
        told.push(...changed.map(({ kind, id, orgId }) => `${kind} ${id} ${orgId}`)),
      );
      await other.commit([project("web"), project("api")]);
      await eventually(() => expect(told).toEqual(["project web acme", "project api acme"]));
      await watched.close();
      for (const database of databases) database.close();
    });
  });

  it("changed more often than the log keeps are told as a change of every org", async () => {
    const database = openDatabase();
    const storage = sqliteStorage({ database });
    const org = {
      id: "acme",
      orgId: "acme",
      version: 1,
      createdAt: 0,
      name: "Acme",
      status: "active",
    } as const;
    await storage.commit([change("org", "acme", 0, { ...org, timeZone: "UTC", contentLogging: true })]);
    const told: string[] = [];
    storage.watch?.((changed) => told.push(...changed.map(({ kind, id }) => `${kind} ${id}`)));
    // As if others had made so many changes between two looks that the first of them are no longer kept.
    database.exec(
      `INSERT INTO tollgate_change (sequence, kind, id, org_id) VALUES (20000, 'key', '"k"', '"acme"')`,
    );
    await eventually(() => expect(told).toEqual(["org acme"]));
    await storage.close();
  });

  it("of an org that was deleted with more than the log keeps let no key of it through in another process", async () => {
    await withFile(async (path) => {
      const databases = [openDatabase(path), openDatabase(path)];
      const [one, other] = databases.map((database) =>
        createGate({ storage: sqliteStorage({ database }), cache: { maxAgeMs: 3_600_000 } }),
      ) as [Gate, Gate];
      const olga = one.as({ userId: "olga" });
      await olga.orgs.create({ id: "acme", name: "Acme" });
      await olga.projects.create({ orgId: "acme", id: "web", name: "Web" });
      const { token } = await olga.keys.create({ orgId: "acme", projectId: "web" });
      expect(await other.admit(token, { model: "m" })).toMatchObject({ admitted: true });
      await olga.orgs.delete({ orgId: "acme", confirm: "acme" });
      // As if so many records had gone with it that the first of them are no longer kept.
      databases[0]?.exec(
        `DELETE FROM tollgate_change; INSERT INTO tollgate_change VALUES (20000, 'key', '"k"', '"acme"')`,
      );
      await eventually(async () =>
        expect(await other.admit(token, { model: "m" })).toMatchObject({ reason: "invalid_key" }),
      );
      for (const gate of [one, other]) await gate.close();
      for (const database of databases) database.close();
    });
  });

  it("tell of all that was written since somebody watches, and whether a single change is no longer kept", async () => {
    await withFile(async (path) => {
      const [ours, theirs] = [openDatabase(path), openDatabase(path)];
      const storage = sqliteStorage({ database: ours });
      const write = (sequence: number) =>
        theirs.exec(`INSERT INTO tollgate_change VALUES (${sequence}, 'key', '"k${sequence}"', '"acme"')`);
      const told = { ids: [] as string[], missed: 0 };
      const watch = () =>
        storage.watch?.(
          (changed) => told.ids.push(...changed.map(({ id }) => id)),
          () => told.missed++,
        );
      const stop = watch();
      write(1);
      await eventually(async () => expect(told).toEqual({ ids: ["k1"], missed: 0 }));
      theirs.exec("DELETE FROM tollgate_change");
      write(3);
      await eventually(async () => expect(told).toEqual({ ids: ["k1"], missed: 1 }));
      stop?.();
      write(4);
      const stopAgain = watch();
      write(5);
      await eventually(async () => expect(told).toEqual({ ids: ["k1", "k5"], missed: 1 }));
      stopAgain?.();
      for (const database of [ours, theirs]) database.close();
    });
  });

  it("are told once each, and nothing while that cannot be read", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    onTestFinished(() => void vi.useRealTimers());
    const database = openDatabase();
    const storage = sqliteStorage({ database });
    const [changed, missed] = [vi.fn(), vi.fn()];
    const stop = storage.watch?.(changed, missed);
    await storage.commit([project("web")]);
    vi.advanceTimersByTime(1_000);
    expect([changed.mock.calls.length, missed.mock.calls.length]).toEqual([1, 0]);
    database.exec("DROP TABLE tollgate_change");
    vi.advanceTimersByTime(1_000); // what is thrown by a timer would end the process
    stop?.();
    expect([changed.mock.calls.length, vi.getTimerCount()]).toEqual([1, 0]);
  });

  it("have a column for each indexed field and a unique constraint for each unique one", () => {
    const database = openDatabase();
    sqliteStorage({ database });
    const rows = (sql: string) => database.prepare(sql).all() as Record<string, unknown>[];
    for (const kind of recordKinds) {
      const table = `tollgate_${snakeCase(kind)}`;
      const columns = rows(`SELECT name FROM pragma_table_info('${table}')`).map(({ name }) => name);
      expect(columns).toEqual(["id", "version", ...INDEXES[kind].fields.map(snakeCase), "record"]);
      const unique = rows(`SELECT name FROM pragma_index_list('${table}') WHERE "unique" = 1`).map(
        ({ name }) =>
          rows(`SELECT name FROM pragma_index_info('${String(name)}')`).map((column) => column.name),
      );
      const wanted = [["id"], ...INDEXES[kind].unique.map((fields) => fields.map(snakeCase))];
      expect(unique.map(String).sort()).toEqual(wanted.map(String).sort());
    }
  });

  it.each([
    ["key", { hash: "h" }],
    ["key", { previousHash: "h" }],
    ["key", { orgId: "o", projectId: "p" }],
    ["key", { orgId: "o", userId: "u" }],
    ["key", { orgId: "o", userId: "u", status: "active" }],
    ["key", { orgId: "o", projectId: "p", status: "active" }],
    ["key", { orgId: "o", status: "disabled" }],
    ["projectMember", { orgId: "o", userId: "u" }],
    ["projectMember", { orgId: "o", projectId: "p" }],
    ["externalKey", { orgId: "o", projectId: "p" }],
    ["invitation", { orgId: "o", status: "pending" }],
    ["invitation", { hash: "h" }],
    ["orgMember", { orgId: "o", role: "owner" }],
    ["orgMember", { userId: "u" }],
    ["auditEvent", { orgId: "o" }],
    ["auditEvent", { orgId: "o", subjectId: "s" }],
    ["auditEvent", { orgId: "o", actorUserId: "u" }],
    ["auditEvent", { orgId: "o", projectId: "p", action: "key.create" }],
    ["auditEvent", { orgId: "o", outcome: "denied" }],
    ["auditEvent", { orgId: "o", action: "org.update" }],
    ["auditEvent", { orgId: "o", subjectKind: "org" }],
    ["auditEvent", { orgId: "o", subjectId: "s", action: "key.rotate" }],
    ["auditEvent", { orgId: "o", actorUserId: "u", outcome: "denied" }],
  ] as const satisfies [RecordKind, object][])(
    "of %s by %o are found by an index, not by a scan nor among all of the org",
    async (kind, where) => {
      const database = openDatabase();
      const storage = sqliteStorage({ database });
      const prepare = vi.spyOn(database, "prepare");
      await storage.find(kind, where);
      const sql = `EXPLAIN QUERY PLAN ${prepare.mock.lastCall?.[0]}`;
      const plan = database.prepare(sql).all(...Object.values(where), -1) as { detail: string }[];
      const details = plan.map(({ detail }) => detail).join("; ");
      expect(details).toMatch(/^SEARCH/);
      expect(details).not.toMatch(/SCAN|TEMP B-TREE/);
      for (const field of Object.keys(where).slice(0, 2)) expect(details).toContain(`${snakeCase(field)}=?`);
    },
  );

  it.each([
    [{ orgId: "acme", action: "key.update", outcome: "denied" }, "outcome"],
    [{ orgId: "acme", outcome: "done", action: "org.update" }, "action"],
    [{ orgId: "acme", actorUserId: "bot", action: "org.update" }, "action"],
    [{ orgId: "acme", actorUserId: "bot", outcome: "denied" }, "outcome"],
    [{ orgId: "acme", action: "key.update", projectId: "p1" }, "projectId"],
  ])("of a trail that match %o are found among those of its rarest value", async (where, rarest) => {
    const database = openDatabase();
    const storage = sqliteStorage({ database });
    const event = (sequence: number, parts: Partial<Records["auditEvent"]> = {}) => {
      const id = auditEventId("acme", sequence, 0);
      const base = { id, orgId: "acme", version: 1, sequence, at: 0, latestAt: 0, changes: [] } as const;
      const what = { action: "key.update", outcome: "done", subjectKind: "key", subjectId: "k" } as const;
      return change("auditEvent", id, 0, { ...base, actorUserId: "bot", ...what, ...parts });
    };
    const rare = [
      event(1, { outcome: "denied" }),
      event(2, { action: "org.update" }),
      event(3, { projectId: "p1" }),
    ];
    await storage.commit([...rare, ...Array.from({ length: 20 }, (_, i) => event(4 + i))]);
    const prepare = vi.spyOn(database, "prepare");
    expect(await storage.find("auditEvent", where)).toHaveLength(1);
    const sql = `EXPLAIN QUERY PLAN ${prepare.mock.lastCall?.[0]}`;
    const plan = database.prepare(sql).all(...Object.values(where), -1) as { detail: string }[];
    expect(plan.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(`^SEARCH .*\\(org_id=\\? AND ${snakeCase(rarest)}=\\?\\)`),
    ]);
  });

  it("leave the caller's connection open when the storage is closed", async () => {
    const database = openDatabase();
    const storage = sqliteStorage({ database });
    await storage.close();
    expect(database.prepare("SELECT 1 AS one").all()).toHaveLength(1);
  });

  it("leave nothing of a commit that fails in the middle", async () => {
    const database = openDatabase();
    const storage = sqliteStorage({ database });
    database.exec(
      "CREATE TRIGGER full BEFORE INSERT ON tollgate_key BEGIN SELECT RAISE(ABORT, 'disk full'); END",
    );
    await expect(storage.commit([project("web"), change("key", "a", 0, keyRecord("a"))])).rejects.toThrow(
      /disk full/,
    );
    expect(await storage.get("project", "web")).toBeUndefined();
    await storage.commit([project("web")]);
    expect(await storage.get("project", "web")).toBeDefined();
  });

  it("are all found without a limit, by whatever number that is said, and not under the text that a driver makes of another", async () => {
    const storage = sqliteStorage({ database: openDatabase() });
    await storage.commit([project("web"), project("\ufffd")]);
    expect(await storage.find("project", {}, { limit: Number.POSITIVE_INFINITY })).toHaveLength(2);
    expect(await storage.get("project", "\ud800")).toBeUndefined();
    expect(await storage.find("project", { orgId: "\ud800" })).toEqual([]);
  });

  it("cannot be kept in what is no connection", () => {
    const options = { database: "tollgate.db" } as unknown as SqliteStorageOptions; // what a caller without types hands in
    expect(() => sqliteStorage(options)).toThrow(ValidationError);
    expect(() => sqliteStorage(options)).toThrow(/^options\.database: /);
  });
});
