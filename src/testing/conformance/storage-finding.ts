import { auditEventId, auditEventsEnd } from "../../model/records.js";
import { ID_MAX } from "../../model/text.js";
import type { Storage } from "../../storage/storage.js";
import { seededRandom } from "../random.js";
import type { Cases } from "./case.js";
import { check, claim } from "./check.js";
import { incompressible, ORDINARY_NAMES } from "./hostile-names.js";
import { absent, idsOf, key, project, put, remove, turnedDown } from "./storage-records.js";

/** Looking records up, whatever they are called, in one piece or in pages. */
export const finding: Cases<Storage> = {
  "find holds every field to its value, sorted by id": async (storage) => {
    await storage.commit([
      put("key", key("c")),
      put("key", key("a")),
      put("key", key("b", { userId: "olga" })),
      put("key", key("d", { orgId: "other" })),
    ]);
    const ids = (where: Parameters<typeof storage.find<"key">>[1]) => idsOf(storage.find("key", where));
    check("of the org", await ids({ orgId: "acme" }), ["a", "b", "c"]);
    check("of the org and a user", await ids({ orgId: "acme", userId: "max" }), ["a", "c"]);
    check("of nobody", await ids({ orgId: "acme", userId: "nobody" }), []);
    check("all", await ids({}), ["a", "b", "c", "d"]);
    check("of another kind", await idsOf(storage.find("invitation", { orgId: "acme" })), []);
  },

  "findAny, if there is one, finds what matches and has one of some values, once and in the order of find":
    async (storage) => {
      if (storage.findAny === undefined) return;
      const odd = ORDINARY_NAMES.slice(0, 12);
      await storage.commit([
        ...ORDINARY_NAMES.map((id, i) =>
          put(
            "key",
            key(id, { projectId: odd[i % 12] ?? "", userId: i % 5 === 0 ? "olga" : "max", hash: `h${i}` }),
          ),
        ),
        put("key", key("elsewhere", { orgId: "other", projectId: "of another", userId: "olga", hash: "h" })),
      ]);
      const all = await storage.find("key", { orgId: "acme" });
      const has = (list: readonly string[] | undefined, value: string) => list?.includes(value) ?? false;
      for (const any of [
        { projectId: odd.slice(0, 3), userId: ["olga"] },
        { projectId: odd.slice(3, 5) },
        { id: [...ORDINARY_NAMES.slice(2, 9), "nobody's", "elsewhere"], projectId: [] },
        { userId: ["max", "olga", "max"] },
        { userId: ["nobody"] },
        { projectId: [] },
        {},
      ] as { id?: string[]; projectId?: string[]; userId?: string[] }[]) {
        const wanted = all
          .filter(
            ({ id, projectId, userId }) =>
              has(any.id, id) || has(any.projectId, projectId) || has(any.userId, userId),
          )
          .map(({ id }) => id);
        check(
          `by ${JSON.stringify(any)}`,
          await idsOf(storage.findAny("key", { orgId: "acme" }, any)),
          wanted,
        );
        const paged: string[] = [];
        for (let after: string | undefined; ; after = paged.at(-1)) {
          const page = await idsOf(storage.findAny("key", { orgId: "acme" }, any, { after, limit: 3 }));
          paged.push(...page);
          if (page.length < 3 || paged.length > wanted.length) break;
        }
        check(`in pages, by ${JSON.stringify(any)}`, paged, wanted);
      }
      const narrowed = storage.findAny(
        "key",
        { orgId: "acme", userId: "max" },
        { userId: ["olga", "max"] },
        { limit: 2 },
      );
      check(
        "by two values of which one is asked for",
        await idsOf(narrowed),
        all
          .filter(({ userId }) => userId === "max")
          .map(({ id }) => id)
          .slice(0, 2),
      );
      const where = { name: ["web"] } as object;
      await turnedDown("findAny by name", "validation", storage.findAny("project", {}, where));
    },

  "find sees a changed field under its new value only": async (storage) => {
    await storage.commit([put("project", project("web"))]);
    await storage.commit([put("project", project("web", { version: 2, status: "archived" }))]);
    check("active", await storage.find("project", { orgId: "acme", status: "active" }), []);
    check("archived", await idsOf(storage.find("project", { orgId: "acme", status: "archived" })), ["web"]);
  },

  "find does not see a record without the field, nor one that is gone": async (storage) => {
    await storage.commit([put("key", key("a")), put("key", key("b", { previousHash: "before" }))]);
    check("with the field", await idsOf(storage.find("key", { previousHash: "before" })), ["b"]);
    await storage.commit([remove("key", "b", 1)]);
    check("when gone", await storage.find("key", { previousHash: "before" }), []);
  },

  "a field that is not indexed is a ValidationError": async (storage) => {
    const where = { name: "web" } as object;
    await turnedDown("find by name", "validation", storage.find("project", where));
  },

  "ids that objects or databases treat in their own way are ordinary": async (storage) => {
    const long = ["x".repeat(ID_MAX), incompressible(ID_MAX), "🚀".repeat(ID_MAX / 2)];
    const ids = [...ORDINARY_NAMES, ...long];
    await storage.commit(ids.map((id) => put("project", project(id))));
    for (const id of ids)
      check(`get ${JSON.stringify(id.slice(0, 40))}`, (await storage.get("project", id))?.id, id);
    const found = await idsOf(storage.find("project", { orgId: "acme" }));
    check("found", [...found].sort(), [...ids].sort());
    await absent(storage, "project", "valueOf");
    await storage.commit(ids.map((id) => remove("project", id, 1)));
    check("found when removed", await storage.find("project", {}), []);
  },

  "values of fields that databases treat in their own way are ordinary, and apart": async (storage) => {
    const orgIds = [...ORDINARY_NAMES, "x".repeat(200), incompressible(200)];
    await storage.commit(orgIds.map((orgId, i) => put("project", project(`p${i}`, { orgId }))));
    for (const [i, orgId] of orgIds.entries()) {
      const found = await idsOf(storage.find("project", { orgId }));
      check(`found in org ${JSON.stringify(orgId.slice(0, 40))}`, found, [`p${i}`]);
    }
    check("found in an org that is not there", await storage.find("project", { orgId: "valueOf" }), []);
  },

  "the audit events of an org are found in the order in which they happened": async (storage) => {
    const sequences = [1, 2, 9, 10, 11, 99, 100, 1_000_000];
    const event = (sequence: number, part: number) => ({
      ...{
        id: auditEventId("acme", sequence, part),
        orgId: "acme",
        version: 1,
        sequence,
        at: 0,
        latestAt: 0,
        actorUserId: "ada",
      },
      ...{ action: "key.create", outcome: "done" as const, subjectKind: "key", subjectId: "k" },
      changes: [{ kind: "key", id: "k", after: { tags: { a: null, b: [1, { c: "d" }] } } }],
    });
    const events = sequences.flatMap((sequence) => [event(sequence, 0), event(sequence, 1)]);
    await storage.commit(events.toReversed().map((one) => put("auditEvent", one)));
    check("events", await storage.find("auditEvent", { orgId: "acme" }), events);
    // A place in the trail at which no event is.
    for (const [sequence, next] of [
      [0, 0],
      [8, 4],
      [11, 10],
      [1_000_000, events.length],
    ] as const) {
      const after = { after: auditEventsEnd("acme", sequence), limit: 3 };
      const found = await storage.find("auditEvent", { orgId: "acme" }, after);
      check(`events after write ${sequence}`, found, events.slice(next, next + 3));
    }
  },

  "a page begins beyond an id, also beyond one that is gone, and ends at its limit": async (storage) => {
    await storage.commit(["a", "b", "c", "d"].map((id) => put("project", project(id))));
    const page = (after: string | undefined, limit?: number) =>
      idsOf(storage.find("project", { orgId: "acme" }, { after, limit }));
    check("the first two", await page(undefined, 2), ["a", "b"]);
    check("the next two", await page("b", 2), ["c", "d"]);
    check("beyond the last", await page("d", 2), []);
    check("all beyond the first", await page("a"), ["b", "c", "d"]);
    await storage.commit([remove("project", "b", 1)]);
    check("beyond what is gone", await page("b", 2), ["c", "d"]);
  },

  "pages in whatever order the ids have hold each record once": async (storage) => {
    await storage.commit(ORDINARY_NAMES.map((id) => put("project", project(id))));
    const seen = await allPages(storage, "acme", 7);
    check("seen", [...seen].sort(), [...ORDINARY_NAMES].sort());
    check("all at once", await idsOf(storage.find("project", { orgId: "acme" })), seen);
  },

  "pages neither lose nor repeat a record that is there all the while, whatever else is written": async (
    storage,
  ) => {
    for (let seed = 1; seed <= 10; seed++) {
      const random = seededRandom(seed);
      const upTo = (max: number) => Math.floor(random() * (max + 1));
      const orgId = `org ${seed}`;
      const name = (i: number) => `${orgId} ${String(i).padStart(2, "0")}`;
      const lasting = new Set(Array.from({ length: upTo(20) }, () => upTo(40)));
      await storage.commit([...lasting].map((i) => put("project", project(name(i), { orgId }))));
      const seen = await allPages(storage, orgId, 1 + upTo(4), async () => {
        for (let writes = upTo(4); writes > 0; writes--) {
          const i = upTo(40);
          if (lasting.has(i)) continue;
          const present = await storage.get("project", name(i));
          await storage.commit([
            present
              ? remove("project", name(i), present.version)
              : put("project", project(name(i), { orgId })),
          ]);
        }
      });
      const lost = [...lasting].map(name).filter((id) => !seen.includes(id));
      check(`seed ${seed}: records that were lost`, lost, []);
    }
  },
};

/** The ids of all pages. Throws where one is repeated, so it comes to an end. */
async function allPages(
  storage: Storage,
  orgId: string,
  limit: number,
  between: () => Promise<void> = async () => {},
): Promise<string[]> {
  const seen: string[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await idsOf(storage.find("project", { orgId }, { limit, after }));
    claim(`a page of ${page.length} with a limit of ${limit}`, page.length <= limit);
    const repeated = page.find((id) => seen.includes(id));
    claim(
      `the page after ${JSON.stringify(after)} repeats ${JSON.stringify(repeated)}`,
      repeated === undefined,
    );
    seen.push(...page);
    await between();
    if (page.length < limit) return seen;
    after = page.at(-1);
  }
}
