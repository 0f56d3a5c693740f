import type { Changed, Storage } from "../../storage/storage.js";
import type { Cases } from "./case.js";
import { check, claim } from "./check.js";
import { ORDINARY_NAMES } from "./hostile-names.js";
import { idsOf, key, meddle, project, put, remove, turnedDown } from "./storage-records.js";

const WRITERS = 20;

/** Commits that are under way at the same time, and hearing of them. */
export const concurrent: Cases<Storage> = {
  "of many writers at the same version exactly one is done": async (storage) => {
    await storage.commit([put("project", project("web"))]);
    const done = await doneOf(
      writers((i) => storage.commit([put("project", project("web", { version: 2, name: `writer ${i}` }))])),
    );
    check("writers that were done", done.length, 1);
    const found = await storage.get("project", "web");
    check(
      "the record",
      { version: found?.version, name: found?.name },
      { version: 2, name: `writer ${done[0]}` },
    );
  },

  "of many writers that make the same id, or the same unique value, exactly one is done": async (storage) => {
    const ids = await doneOf(
      writers((i) => storage.commit([put("project", project("web", { name: `n${i}` }))])),
    );
    check("writers of one id that were done", ids.length, 1);
    const hashes = await doneOf(
      writers((i) =>
        storage.commit([put("key", key(`k${i}`, { hash: "same" })), put("project", project(`p${i}`))]),
      ),
    );
    check("writers of one hash that were done", hashes.length, 1);
    check("keys", await idsOf(storage.find("key", {})), [`k${hashes[0]}`]);
    check("projects", await idsOf(storage.find("project", {})), [`p${hashes[0]}`, "web"]);
  },

  "of a write and a deletion at the same version exactly one is done": async (storage) => {
    for (let round = 0; round < 10; round++) {
      const id = `p${round}`;
      await storage.commit([put("project", project(id))]);
      const done = await doneOf([
        storage.commit([put("project", project(id, { version: 2 }))]),
        storage.commit([remove("project", id, 1)]),
      ]);
      check("how many were done", done.length, 1);
      check("its version", (await storage.get("project", id))?.version, done[0] === 0 ? 2 : undefined);
    }
  },

  "commits of different records at once are all done": async (storage) => {
    const done = await doneOf(writers((i) => storage.commit([put("project", project(`p${i}`))])));
    check("how many were done", done.length, WRITERS);
    check("projects", (await storage.find("project", { orgId: "acme" })).length, WRITERS);
  },

  "commits that change the same records in any order are each done whole or not at all": async (storage) => {
    const ids = ["a", "b", "c"];
    await storage.commit(ids.map((id) => put("project", project(id))));
    for (let version = 2; version < 12; version++) {
      const done = await doneOf(
        writers((i) => {
          const changes = ids.map((id) => put("project", project(id, { version, name: `writer ${i}` })));
          return storage.commit(i % 2 ? changes : changes.toReversed());
        }),
      );
      check("how many were done", done.length, 1);
      const names = (await storage.find("project", {})).map(({ name }) => name);
      check("who wrote", names, Array(ids.length).fill(`writer ${done[0]}`));
    }
  },

  "of many records that are asked for at once, each is told to who asked, and the answer is theirs alone":
    async (storage) => {
      const ids = Array.from({ length: 250 }, (_, i) => `p${i}`);
      await storage.commit(
        ids.map((id) => put("project", project(id, { name: `project ${id}`, models: [] }))),
      );
      await storage.commit(
        ORDINARY_NAMES.map((id) => put("project", project(id, { name: `project ${id}` }))),
      );
      await storage.commit([put("key", key("p7")), put("key", key("p8"))]);
      const asked = [...ids, ...ORDINARY_NAMES, "nobody", "p7", "\ud800", "p249"];
      const [projects, keys] = await Promise.all([
        Promise.all(asked.map((id) => storage.get("project", id))),
        Promise.all(["p8", "p9", "p7"].map((id) => storage.get("key", id))),
      ]);
      const isThere = new Set([...ids, ...ORDINARY_NAMES]);
      const names = asked.map((id) => (isThere.has(id) ? `project ${id}` : undefined));
      check(
        "names",
        projects.map((found) => found?.name),
        names,
      );
      check(
        "keys",
        keys.map((found) => found?.id),
        ["p8", undefined, "p7"],
      );
      try {
        meddle(projects[7]?.models, "a");
      } catch {
        // Frozen: just as well.
      }
      check("models of who asked for the same", projects[asked.lastIndexOf("p7")]?.models, []);
    },

  "retrying on a conflict loses no write": async (storage) => {
    await storage.commit([put("trail", { id: "acme", orgId: "acme", version: 1, latestAt: 0, behindMs: 0 })]);
    await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        for (let tries = 0; ; tries++) {
          claim(`a writer met ${tries} conflicts, with 8 writers`, tries < 1_000);
          const version = ((await storage.get("trail", "acme"))?.version ?? 0) + 1;
          const changes = [
            put("trail", { id: "acme", orgId: "acme", version, latestAt: 0, behindMs: 0 }),
            put("project", project(`p${i}`)),
          ];
          const [done] = await doneOf([storage.commit(changes)]);
          if (done !== undefined) return;
        }
      }),
    );
    check("version", (await storage.get("trail", "acme"))?.version, 9);
    check("projects", (await storage.find("project", {})).length, 8);
  },

  "watch, where there is one, tells of every commit with its orgs, and of nothing that was turned down":
    async (storage) => {
      if (storage.watch === undefined) return; // A gate over such a storage is behind by the age of its cache.
      const other = "an\u0000other";
      await storage.commit([
        put("project", project("of acme")),
        put("project", project("p", { orgId: other })),
      ]);
      const told: string[] = [];
      const stop = storage.watch((changed) => told.push(...changed.map(nameOf)));
      await storage.commit([put("project", project("web")), put("key", key("k\u0000k", { orgId: other }))]);
      await turnedDown("a taken id", "conflict", storage.commit([put("project", project("web"))]));
      await storage.commit([put("project", project("web", { version: 2 }))]);
      await storage.commit([remove("project", "web", 2), remove("key", "k\u0000k", 1)]);
      const web = "project web acme";
      const ofOther = `key k\u0000k ${other}`;
      await until("the watcher was told of 5 changes", () => told.length >= 5);
      // Commit after commit; what one commit has touched, in any order.
      const byCommit = [told.slice(0, 2).sort(), told.slice(2, 3), told.slice(3).sort()];
      check("told", byCommit, [[ofOther, web], [web], [ofOther, web]]);
      stop();
    },

  "watch, where there is one, tells every listener, and none after it is stopped": async (storage) => {
    if (storage.watch === undefined) return; // As above.
    await storage.commit([put("project", project("before"))]);
    const heard: [string[], string[]] = [[], []];
    const [stopFirst, stopSecond] = heard.map((told) =>
      storage.watch?.((changed) => told.push(...changed.map(({ id }) => id))),
    );
    await storage.commit([put("project", project("a"))]);
    await until("both were told", () => heard.every((told) => told.length === 1));
    stopFirst?.();
    await storage.commit([put("project", project("b"))]);
    await until("the second was told again", () => heard[1].length === 2);
    stopSecond?.();
    check("heard", heard, [["a"], ["a", "b"]]);
  },
};

function writers(write: (i: number) => Promise<void>): Promise<void>[] {
  return Array.from({ length: WRITERS }, (_, i) => write(i));
}

/** Which of several commits were done. The others have to be conflicts. */
async function doneOf(commits: readonly Promise<void>[]): Promise<number[]> {
  const results = await Promise.allSettled(commits);
  return results.flatMap((result, i) => {
    if (result.status === "fulfilled") return [i];
    const { reason } = result;
    claim(`a commit failed with no conflict: ${reason}`, Reflect.get(Object(reason), "code") === "conflict");
    return [];
  });
}

function nameOf({ kind, id, orgId }: Changed): string {
  return `${kind} ${id} ${orgId}`;
}

/** Waits for what another process may tell a little later. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const WAIT_MS = 10_000;
  for (const begunAt = Date.now(); !holds(); ) {
    claim(`not within ${WAIT_MS} ms: ${what}`, Date.now() - begunAt < WAIT_MS);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
