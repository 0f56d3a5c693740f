import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ConflictError } from "../../../src/model/errors.js";
import { membershipId, type Records } from "../../../src/model/records.js";
import { postgresStorage } from "../../../src/postgres.js";
import {
  change,
  key as keyRecord,
  project as projectRecord,
} from "../../../src/testing/conformance/storage-records.js";
import { eventually } from "../../eventually.js";
import { dropSchema, newSchema, serverAnswers, serverPool } from "../../postgres/server.js";

function orgRecord(id: string): Records["org"] {
  const made = { id, orgId: id, version: 1, createdAt: 0 };
  return { ...made, name: id, status: "active", timeZone: "UTC", contentLogging: true };
}

/** Values that few of many records have. */
const RARE = {
  status: "revoked",
  role: "owner",
  action: "org.update",
  outcome: "denied",
  subjectKind: "org",
};

describe.runIf(await serverAnswers())("storage on a Postgres server", () => {
  const schema = newSchema();
  const pool = serverPool(8);
  const admin = serverPool(1);
  const storage = postgresStorage({ pool, schema });
  beforeAll(() => storage.migrate(), 60_000);
  afterAll(async () => {
    await storage.close();
    await dropSchema(admin, schema);
    await pool.end();
    await admin.end();
  });

  /** Ends the connections of a kind, as a restart of the server would. */
  const terminate = async (query: string) =>
    (
      await admin.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE $1 AND pid <> pg_backend_pid()`,
        [query],
      )
    ).rowCount;

  it("refuses a record of an org or a project that does not exist, in any order of a commit", async () => {
    const orphan = storage.commit([change("project", "lost", 0, projectRecord("lost", { orgId: "nobody" }))]);
    await expect(orphan).rejects.toThrow(ConflictError);
    await storage.commit([
      change("key", "k1", 0, keyRecord("k1")),
      change("project", "web", 0, projectRecord("web")),
      change("org", "acme", 0, orgRecord("acme")),
    ]);
    await expect(storage.commit([change("project", "web", 1, undefined)])).rejects.toThrow(/key/);
    await storage.commit([change("project", "web", 1, undefined), change("key", "k1", 1, undefined)]);
  });

  it("tells watchers of what other processes commit, and after a lost connection that they may have missed some", async () => {
    const writer = postgresStorage({ pool: admin, schema });
    const told: string[] = [];
    let missed = 0;
    const stop = storage.watch(
      (changed) => told.push(...changed.map(({ kind, id, orgId }) => `${kind} ${id} ${orgId}`)),
      () => missed++,
    );
    await expect.poll(() => missed, { timeout: 20_000 }).toBe(1); // it listens
    await writer.commit([change("org", "watched", 0, orgRecord("watched"))]);
    await expect.poll(() => told, { timeout: 20_000 }).toEqual(["org watched watched"]);

    expect(await terminate(`LISTEN "${schema}"`)).toBe(1);
    await expect.poll(() => missed, { timeout: 20_000 }).toBe(2); // it listens again
    const made = projectRecord("p", { orgId: "watched" });
    await writer.commit([change("project", "p", 0, made)]);
    await expect.poll(() => told, { timeout: 20_000 }).toEqual(["org watched watched", "project p watched"]);

    stop();
    await writer.commit([change("project", "p", 1, undefined)]);
    expect(told).toHaveLength(2);
  }, 60_000);

  it("tells other processes of every change of a long commit, and that they have missed only one that fits no notification", async () => {
    const writer = postgresStorage({ pool: admin, schema });
    const told: string[] = [];
    let missed = 0;
    const stop = storage.watch(
      (changed) => told.push(...changed.map(({ id }) => id)),
      () => missed++,
    );
    await expect.poll(() => missed, { timeout: 20_000 }).toBe(1);
    const many = Array.from({ length: 300 }, (_, i) => `many ${i} ${"ß".repeat(i)}`);
    await writer.commit([
      change("org", "long", 0, orgRecord("long")),
      ...many.map((id) => change("project", id, 0, projectRecord(id, { orgId: "long" }))),
    ]);
    await expect.poll(() => told.length, { timeout: 20_000 }).toBe(301);
    expect(told.toSorted()).toEqual(["long", ...many].toSorted());
    expect(missed).toBe(1);

    const tooLong = "\u0001".repeat(1_400); // six characters each, as JSON
    await writer.commit([
      change("project", tooLong, 0, projectRecord(tooLong, { orgId: "long" })),
      change("project", "short", 0, projectRecord("short", { orgId: "long" })),
    ]);
    await expect.poll(() => told.length, { timeout: 20_000 }).toBe(302);
    await expect.poll(() => missed, { timeout: 20_000 }).toBe(2);
    stop();
  }, 60_000);

  it("takes whatever else somebody notifies on its channel for changes that it has missed", async () => {
    const told: unknown[] = [];
    let missed = 0;
    const stop = storage.watch(
      (changed) => told.push(...changed),
      () => missed++,
    );
    await expect.poll(() => missed, { timeout: 20_000 }).toBe(1);
    for (const payload of [
      "",
      "{",
      "null",
      "5",
      '{"changed":3}',
      '{"changed":[{"kind":"org"}]}',
      '{"changed":[{"kind":"org","id":"acme"}]}',
      '{"changed":[null]}',
    ])
      await admin.query("SELECT pg_notify($1, $2)", [schema, payload]);
    await expect.poll(() => missed, { timeout: 20_000 }).toBe(9);
    await postgresStorage({ pool: admin, schema }).commit([change("org", "after", 0, orgRecord("after"))]);
    await expect
      .poll(() => told, { timeout: 20_000 })
      .toEqual([{ kind: "org", id: "after", orgId: "after" }]);
    stop();
  }, 60_000);

  it("closes although no connection is to be had for listening, and gives back one that comes later", async () => {
    const small = serverPool(2);
    const [one, two] = [await small.connect(), await small.connect()];
    const waiting = postgresStorage({ pool: small, schema });
    waiting.watch(() => {});
    await waiting.close();
    one.release();
    await eventually(() => expect(small.waitingCount).toBe(0));
    two.release();
    await small.end();
  });

  it("does not listen on the only connection of a pool, which others are waiting for", async () => {
    const single = serverPool(1);
    const alone = postgresStorage({ pool: single, schema });
    alone.watch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 300)); // time enough to take it
    await expect(alone.get("org", "nobody")).resolves.toBeUndefined();
    await alone.close();
    await single.end();
  });

  it("does each commit wholly or not at all, also where connections end in the middle of it", async () => {
    await storage.commit([change("org", "broken", 0, orgRecord("broken"))]);
    // Both go on until enough was lost and, undisturbed, enough was kept: no machine is too slow or too fast for it.
    let lost = 0;
    let kept = 0;
    const isDisturbed = () => lost < 20;
    const killer = async () => {
      while (isDisturbed()) {
        await terminate(`SELECT "${schema}".commit%`);
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
    };
    const committer = async (name: string) => {
      for (let i = 0; isDisturbed() || kept < 60; i++) {
        const ids = Array.from({ length: 12 }, (_, part) => `${name}.${i} ${part}`);
        const made = ids.map((id) => change("project", id, 0, projectRecord(id, { orgId: "broken" })));
        try {
          await storage.commit(made);
          kept++;
        } catch (error) {
          // What it tells of a broken connection is the driver's; a conflict it must not be.
          expect(error).not.toBeInstanceOf(ConflictError);
          lost++;
        }
      }
    };
    await Promise.all([killer(), ...["a", "b", "c", "d", "e", "f"].map(committer)]);
    const parts = new Map<string, number>();
    for (const { id } of await postgresStorage({ pool: admin, schema }).find("project", {
      orgId: "broken",
    })) {
      const [commit = ""] = id.split(" ");
      parts.set(commit, (parts.get(commit) ?? 0) + 1);
    }
    expect(new Set(parts.values())).toEqual(new Set([12]));
    // One that was made may yet be told as lost, where the connection ended before the answer.
    expect(parts.size).toBeGreaterThanOrEqual(kept);
    expect(parts.size).toBeLessThanOrEqual(kept + lost);
  }, 120_000);

  it("looks records up by an index", async () => {
    await admin.query("SET enable_seqscan = off");
    const planOf = async (where: string) => {
      const { rows } = await admin.query(
        `EXPLAIN SELECT record FROM "${schema}".key WHERE ${where} ORDER BY id`,
      );
      return JSON.stringify(rows);
    };
    for (const field of ["org_id", "project_id", "user_id", "hash", "previous_hash"])
      expect(await planOf(`${field} = 'x'`)).toMatch(new RegExp(`Index Cond: \\(+${field} = `));
  });

  describe("an org with many records", () => {
    beforeAll(async () => {
      const made = { orgId: "big", version: 1, createdAt: 0 };
      const fill = (table: string, record: object) =>
        pool.query(
          `INSERT INTO "${schema}".${table} (record)
          SELECT (replace($1, '<n>', n::text)::jsonb ||
            CASE WHEN n % 1000 = 0 THEN $2::jsonb ELSE '{}' END)::json FROM generate_series(1, 5000) n`,
          [JSON.stringify({ ...made, id: "<n>", ...record }), JSON.stringify(RARE)],
        );
      await storage.commit([
        change("org", "big", 0, orgRecord("big")),
        change("project", "p", 0, projectRecord("p", { orgId: "big" })),
      ]);
      await fill("key", { projectId: "p", userId: "u", status: "active", hash: "<n>" });
      await fill("invitation", { status: "accepted", hash: "<n>" });
      await fill("org_member", { userId: "u<n>", role: "member" });
      const event = { action: "key.update", outcome: "done", subjectKind: "key", subjectId: "k<n>" };
      await fill("audit_event", { ...event, actorUserId: "u" });
      await pool.query("ANALYZE");
    }, 60_000);

    it.each([
      ["key", "status", { status: "revoked" }],
      ["invitation", "status", { status: "revoked" }],
      ["orgMember", "role", { role: "owner" }],
      ["auditEvent", "action", { action: "org.update" }],
      ["auditEvent", "outcome", { outcome: "denied" }],
      ["auditEvent", "subject_kind", { subjectKind: "org" }],
    ] as const)("has each %s of a rare %s found by an index", async (kind, column, where) => {
      const query = vi.spyOn(pool, "query");
      const found = await storage.find(kind, { orgId: "big", ...where }, { limit: 101 });
      const [text, values] = query.mock.lastCall as unknown as [string, unknown[]]; // sound: what the storage sent
      query.mockRestore();
      expect(found).toHaveLength(5);
      const { rows } = await pool.query(`EXPLAIN ${text}`, values);
      expect(JSON.stringify(rows)).toMatch(new RegExp(`Index Cond: [^"]*\\(${column} = `));
    });
  });

  it("holds the longest ids that memberships have", async () => {
    const ids = ["Ω", "字", "語"].map((letter) => letter.repeat(200)) as [string, string, string]; // sound: three
    const [orgId, projectId, userId] = ids;
    const id = membershipId(orgId, projectId, userId);
    const member = { id, orgId, projectId, userId, version: 1, createdAt: 0, role: "admin" };
    await storage.commit([
      change("org", orgId, 0, orgRecord(orgId)),
      change("project", projectId, 0, projectRecord(projectId, { orgId })),
      change("projectMember", id, 0, member),
    ]);
    expect(await storage.find("projectMember", { orgId, userId })).toEqual([member]);
  });

  it("says of an id that no index can hold that it is too long, and writes nothing", async () => {
    // Noise, since Postgres compresses what repeats. No gate makes such an id, but a storage can be used alone.
    const id = randomBytes(1_900).toString("hex");
    const commit = storage.commit([
      change("org", "beside", 0, orgRecord("beside")),
      change("project", id, 0, projectRecord(id, { orgId: "beside" })),
    ]);
    await expect(commit).rejects.toMatchObject({ code: "validation", field: "id" });
    expect(await storage.get("org", "beside")).toBeUndefined();
  });
});
