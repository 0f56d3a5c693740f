import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { ConflictError, ValidationError } from "../../src/model/errors.js";
import type { RecordKind, Records } from "../../src/model/records.js";
import type { Change, Storage } from "../../src/storage/storage.js";

const CREATED_AT = 1_700_000_000_000;

/** A project as a storage is given it. */
export function projectRecord(id: string, fields: Partial<Records["project"]> = {}): Records["project"] {
  const base = { id, orgId: "acme", version: 1, createdAt: CREATED_AT, name: id, status: "active" } as const;
  return { ...base, models: null, mcpServers: null, contentLogging: true, ...fields };
}

/** A key as a storage is given it. */
export function keyRecord(id: string, fields: Partial<Records["key"]> = {}): Records["key"] {
  const base = { id, orgId: "acme", version: 1, createdAt: CREATED_AT, projectId: "web", userId: "max" };
  const scope = { models: null, mcpServers: null, contentLogging: true, tags: {}, status: "active" } as const;
  return { ...base, ...scope, hash: `hash of ${id}`, preview: "…", issuedTo: "max", ...fields };
}

export function change<K extends RecordKind>(
  kind: K,
  id: string,
  expectedVersion: number,
  record: Records[K] | undefined,
): Change {
  return { kind, id, expectedVersion, record } as unknown as Change; // sound: the record is of the kind
}

function put(record: Records["project"]): Change {
  return change("project", record.id, record.version - 1, record);
}

/**
 * What every storage holds. An adapter's own test calls it.
 *
 * @param create an empty storage, alone in its place
 */
export function storageSuite(name: string, create: () => Promise<Storage> | Storage): void {
  describe(name, () => {
    let storage: Storage;
    beforeEach(async () => {
      storage = await create();
      return () => storage.close();
    });

    test("gives back what was committed, and undefined for what was not", async () => {
      const limits = { rpm: 5, budget: { usd: "0.10", reset: "monthly" as const, alertAt: [0.8] } };
      const record = projectRecord("web", { models: ["openai/*"], limits, name: "Wëb 🚀 'x' \"y\" \\" });
      await storage.commit([put(record)]);
      expect(await storage.get("project", "web")).toEqual(record);
      expect(await storage.get("project", "other")).toBeUndefined();
      expect(await storage.get("key", "web")).toBeUndefined();
    });

    test("nothing that a caller holds can change what is stored", async () => {
      const record = projectRecord("web", { models: ["a"] });
      await storage.commit([put(record)]);
      record.models?.push("b");
      const found = await storage.get("project", "web");
      expect(found?.models).toEqual(["a"]);
      try {
        found?.models?.push("c");
      } catch {
        // frozen: just as well
      }
      expect((await storage.get("project", "web"))?.models).toEqual(["a"]);
      expect((await storage.find("project", { orgId: "acme" }))[0]?.models).toEqual(["a"]);
    });

    test("a stale version is a ConflictError that names both versions and changes nothing", async () => {
      await storage.commit([put(projectRecord("web"))]);
      await storage.commit([put(projectRecord("web", { version: 2, name: "second" }))]);
      const stale = storage.commit([
        put(projectRecord("api")),
        put(projectRecord("web", { version: 2, name: "late" })),
      ]);
      await expect(stale).rejects.toThrow(ConflictError);
      await expect(stale).rejects.toThrow(/version 2.*version 1/);
      expect((await storage.get("project", "web"))?.name).toBe("second");
      expect(await storage.get("project", "api")).toBeUndefined();
    });

    test("a write to what was deleted is a ConflictError, and so is a deletion that comes too late", async () => {
      await storage.commit([put(projectRecord("web"))]);
      await storage.commit([change("project", "web", 1, undefined)]);
      expect(await storage.get("project", "web")).toBeUndefined();
      const late = storage.commit([put(projectRecord("web", { version: 2 }))]);
      await expect(late).rejects.toThrow(/does not exist any more, not at version 1/);
      await expect(storage.commit([change("project", "web", 1, undefined)])).rejects.toThrow(ConflictError);
    });

    test("a taken id is a ConflictError that tells nothing of who has it", async () => {
      await storage.commit([put(projectRecord("web", { orgId: "other" }))]);
      const taken = storage.commit([put(projectRecord("web"))]);
      await expect(taken).rejects.toThrow(new ConflictError('project "web" exists already'));
    });

    test("a taken unique value is a ConflictError without the value, within one commit too", async () => {
      await storage.commit([change("key", "a", 0, keyRecord("a", { hash: "secret-hash" }))]);
      const taken = storage.commit([change("key", "b", 0, keyRecord("b", { hash: "secret-hash" }))]);
      await expect(taken).rejects.toThrow(ConflictError);
      await expect(taken).rejects.not.toThrow(/secret-hash/);
      const twins = ["c", "d"].map((id) => change("key", id, 0, keyRecord(id, { hash: "same" })));
      await expect(storage.commit(twins)).rejects.toThrow(ConflictError);
      expect(await storage.get("key", "c")).toBeUndefined();
    });

    test("a unique value is free again once its record has another one or is gone", async () => {
      await storage.commit([change("key", "a", 0, keyRecord("a", { hash: "x" }))]);
      const moved = keyRecord("a", { hash: "y", version: 2 });
      await storage.commit([
        change("key", "b", 0, keyRecord("b", { hash: "x" })),
        change("key", "a", 1, moved),
      ]);
      await storage.commit([change("key", "b", 1, undefined)]);
      await storage.commit([change("key", "c", 0, keyRecord("c", { hash: "x" }))]);
      expect((await storage.find("key", { hash: "x" })).map(({ id }) => id)).toEqual(["c"]);
    });

    test("records that lack a unique field do not collide", async () => {
      const ids = ["a", "b", "c"];
      await storage.commit(ids.map((id) => change("key", id, 0, keyRecord(id))));
      expect(await storage.find("key", { orgId: "acme" })).toHaveLength(3);
    });

    test("find holds every field to its value, sorted by id", async () => {
      await storage.commit([
        change("key", "c", 0, keyRecord("c")),
        change("key", "a", 0, keyRecord("a")),
        change("key", "b", 0, keyRecord("b", { userId: "olga" })),
        change("key", "d", 0, keyRecord("d", { orgId: "other" })),
      ]);
      const ids = async (where: Parameters<typeof storage.find<"key">>[1]) =>
        (await storage.find("key", where)).map(({ id }) => id);
      expect(await ids({ orgId: "acme" })).toEqual(["a", "b", "c"]);
      expect(await ids({ orgId: "acme", userId: "max" })).toEqual(["a", "c"]);
      expect(await ids({ orgId: "acme", userId: "nobody" })).toEqual([]);
      expect(await ids({})).toEqual(["a", "b", "c", "d"]);
    });

    test("find sees a changed field under its new value only", async () => {
      await storage.commit([put(projectRecord("web"))]);
      await storage.commit([put(projectRecord("web", { version: 2, status: "archived" }))]);
      expect(await storage.find("project", { orgId: "acme", status: "active" })).toEqual([]);
      expect(await storage.find("project", { orgId: "acme", status: "archived" })).toHaveLength(1);
    });

    test("a field that is not indexed is a ValidationError", async () => {
      const where = { name: "web" } as object;
      await expect(storage.find("project", where)).rejects.toThrow(ValidationError);
    });

    // The cast is the point: what a caller without types hands in.
    test.each([
      ["an unknown field", { ...projectRecord("web"), colour: "red" }],
      ["a misspelt limit", { ...projectRecord("web"), limits: { rmp: 5 } }],
      ["another id than the change", projectRecord("api")],
      ["another version than the next", projectRecord("web", { version: 7 })],
    ] as const)("a record with %s is a ValidationError and changes nothing", async (_, record) => {
      const wrong = storage.commit([
        put(projectRecord("ok")),
        change("project", "web", 0, record as Records["project"]),
      ]);
      await expect(wrong).rejects.toThrow(ValidationError);
      expect(await storage.get("project", "ok")).toBeUndefined();
    });

    test("two changes of one record in one commit are a ValidationError", async () => {
      const twice = storage.commit([put(projectRecord("web")), put(projectRecord("web"))]);
      await expect(twice).rejects.toThrow(ValidationError);
    });

    test("of many writers at the same version exactly one is done", async () => {
      await storage.commit([put(projectRecord("web"))]);
      const writers = Array.from({ length: 20 }, (_, i) =>
        storage.commit([put(projectRecord("web", { version: 2, name: `writer ${i}` }))]),
      );
      const done = (await Promise.allSettled(writers)).filter(({ status }) => status === "fulfilled");
      expect(done).toHaveLength(1);
      expect((await storage.get("project", "web"))?.version).toBe(2);
    });

    test("ids that objects or databases treat in their own way are ordinary", async () => {
      const ids = ["__proto__", "constructor", "a'b", 'a"b', "a\\b", "a%b", "a_b", "A", "a", " ", "é", "🚀"];
      await storage.commit(ids.map((id) => put(projectRecord(id))));
      for (const id of ids) expect((await storage.get("project", id))?.id).toBe(id);
      const found = await storage.find("project", { orgId: "acme" });
      expect(new Set(found.map(({ id }) => id))).toEqual(new Set(ids));
      expect(await storage.get("project", "toString")).toBeUndefined();
    });

    test("pages neither lose nor repeat a record that is there all the while, whatever else is written", async () => {
      const op = fc.record({ id: fc.integer({ min: 0, max: 40 }), remove: fc.boolean() });
      const run = fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { maxLength: 20 }),
        fc.array(fc.array(op, { maxLength: 4 }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        fc.uuid(),
        async (lasting, writes, limit, orgId) => {
          const name = (i: number) => `${orgId} ${String(i).padStart(2, "0")}`;
          await storage.commit(lasting.map((i) => put(projectRecord(name(i), { orgId }))));
          const seen: string[] = [];
          const rounds = [...writes];
          for (let after: string | undefined; ; ) {
            const page = await storage.find("project", { orgId }, { limit, after });
            expect(page.length).toBeLessThanOrEqual(limit);
            seen.push(...page.map(({ id }) => id));
            for (const { id, remove } of rounds.shift() ?? []) {
              if (lasting.includes(id)) continue;
              const present = await storage.get("project", name(id));
              if (remove && present)
                await storage.commit([change("project", name(id), present.version, undefined)]);
              if (!remove && !present) await storage.commit([put(projectRecord(name(id), { orgId }))]);
            }
            if (page.length < limit) break;
            after = page.at(-1)?.id;
          }
          expect(new Set(seen).size).toBe(seen.length);
          expect(seen).toEqual(expect.arrayContaining(lasting.map(name)));
        },
      );
      await fc.assert(run, { numRuns: 50 });
    });

    test("watch tells of every commit with its orgs, and of none after it is stopped", async () => {
      if (storage.watch === undefined) return; // an adapter without it is behind by the gate's cache age
      const told: string[] = [];
      const stop = storage.watch((changed) =>
        told.push(...changed.map(({ kind, id, orgId }) => `${kind} ${id} ${orgId}`)),
      );
      await storage.commit([put(projectRecord("web"))]);
      await storage.commit([change("project", "web", 1, undefined)]);
      await expect.poll(() => told).toEqual(["project web acme", "project web acme"]);
      stop();
      await storage.commit([put(projectRecord("api"))]);
      expect(told).toHaveLength(2);
    });
  });
}
