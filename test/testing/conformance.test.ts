import { type Counters, type Directory, memoryCounters, memoryStorage, type Storage } from "tollgate";
import {
  type ConformanceCase,
  countersConformance,
  directoryConformance,
  type KnownDirectory,
  storageConformance,
} from "tollgate/testing";
import { describe, expect, it } from "vitest";

/** The names of the cases that do not hold, each with what it says. */
async function failuresOf(cases: readonly ConformanceCase[]): Promise<Record<string, string>> {
  const failures: Record<string, string> = {};
  for (const { name, run } of cases) {
    await run().catch((error: Error) => {
      failures[name] = error.message;
    });
  }
  return failures;
}

/** Memory counters with a fault put in by hand. */
function faulty(fault: (memory: Counters) => Partial<Counters>): () => Counters {
  return () => {
    const memory = memoryCounters();
    return {
      reserve: (request) => memory.reserve(request),
      settle: (request) => memory.settle(request),
      read: (query) => memory.read(query),
      close: () => memory.close(),
      ...fault(memory),
    };
  };
}

describe("countersConformance names the fault of counters", () => {
  it.each<[string, (memory: Counters) => Partial<Counters>, string, RegExp]>([
    [
      "that leave something behind when they refuse",
      (memory) => ({
        async reserve(request) {
          const outcome = await memory.reserve(request);
          const [first] = request.charges;
          if (outcome.outcome === "refused" && first) await memory.reserve({ ...request, charges: [first] });
          return outcome;
        },
      }),
      "a refused reserve charges nothing, whichever of its limits is short",
      /used .* is \d+, expected 3/,
    ],
    [
      "that read, pause and then charge",
      (memory) => ({
        async reserve(request) {
          const dry = await memory.reserve({ ...request, dryRun: true });
          if (request.dryRun || dry.outcome !== "reserved") return dry;
          const charges = request.charges.map(({ limit, ...charge }) => ({
            ...charge,
            limit: { ...limit, max: 9e15 },
          }));
          return memory.reserve({ ...request, charges });
        },
      }),
      "of many reserves at once exactly as many pass as fit",
      /calls of 7 that a minute of 100 admits: got 60, expected 14/,
    ],
    [
      "that charge in a dry run",
      (memory) => ({ reserve: ({ dryRun: _, ...request }) => memory.reserve(request) }),
      "a dry run answers what the reserve after it answers, and changes nothing",
      /used after the dry run of a: \[0\] is 40, expected 0/,
    ],
    [
      "that know no idempotency keys",
      (memory) => ({ reserve: ({ idempotency: _, ...request }) => memory.reserve(request) }),
      "the same idempotency key again is the same reservation, charged once",
      /outcome is "refused", expected "replayed"/,
    ],
    [
      "that round what is large",
      (memory) => ({
        async read(query) {
          const readings = await memory.read(query);
          return readings.map((reading) => ({ ...reading, used: Number(reading.used.toPrecision(14)) }));
        },
        async reserve(request) {
          const outcome = await memory.reserve(request);
          if (!("used" in outcome)) return outcome;
          return { ...outcome, used: outcome.used.map((used) => Number(used.toPrecision(14))) };
        },
      }),
      "the biggest amounts stay exact",
      /used of cost\/lifetime: \[0\] is 9000000000000000, expected 8999999999999999/,
    ],
    [
      "whose readings go by another clock",
      (memory) => ({
        async read(query) {
          const later = { ...query, now: Math.max(query.now, Date.now()) };
          return memory.read(later);
        },
      }),
      "a sliding window counts a charge for its length, to the end of the 1/60 of the window it began in",
      /is 0, expected 60/,
    ],
  ])("%s", async (_, fault, name, message) => {
    const failures = await failuresOf(countersConformance(faulty(fault), { seeds: [] }));
    expect(failures[name]).toMatch(message);
  });

  it("in a random trace, with its seed, its step and the calls before it", async () => {
    const settlesTwice = faulty((memory) => ({
      async settle(request) {
        const outcome = await memory.settle(request);
        return outcome.outcome === "already_settled" ? { outcome: "settled", used: [] } : outcome;
      },
    }));
    const cases = countersConformance(settlesTwice, { seeds: [1, 2] });
    const failures = await failuresOf(cases.filter(({ name }) => name.includes("random trace")));
    expect(Object.values(failures)[0]).toMatch(
      /^seed \d, step \d+: settle: outcome is "settled", expected "already_settled"\n {2}at \+\d+ ms reserve/,
    );
  });
});

function faultyStorage(fault: (memory: Storage) => Partial<Storage>): () => Storage {
  return () => {
    const memory = memoryStorage();
    return { ...memory, ...fault(memory) };
  };
}

describe("storageConformance names the fault of a storage", () => {
  it.each<[string, (memory: Storage) => Partial<Storage>, string]>([
    [
      "that writes one change after the other",
      (memory) => ({
        async commit(changes) {
          for (const change of changes) await memory.commit([change]);
        },
      }),
      "a stale version is a conflict that names both versions, and nothing of the commit is done",
    ],
    [
      "that takes the page for its beginning",
      (memory) => ({ find: (kind, where, page) => memory.find(kind, where, { limit: page?.limit }) }),
      "a page begins beyond an id, also beyond one that is gone, and ends at its limit",
    ],
    [
      "that hears of commits before they are made",
      (memory) => {
        const listeners: Parameters<NonNullable<Storage["watch"]>>[0][] = [];
        return {
          watch(listener) {
            listeners.push(listener);
            return () => {};
          },
          commit(changes) {
            const changed = changes.map(({ kind, id, record }) => ({ kind, id, orgId: record?.orgId ?? "" }));
            for (const listener of listeners) listener(changed);
            return memory.commit(changes);
          },
        };
      },
      "watch, where there is one, tells of every commit with its orgs, and of nothing that was turned down",
    ],
    [
      "that cuts its texts at a NUL",
      (memory) => ({ get: (kind, id) => memory.get(kind, id.split("\u0000")[0] ?? "") }),
      "ids that objects or databases treat in their own way are ordinary",
    ],
  ])("%s", async (_, fault, name) => {
    expect(Object.keys(await failuresOf(storageConformance(faultyStorage(fault))))).toContain(name);
  });
});

const CHAIN = {
  org: { id: "o1" },
  project: { id: "p1" },
  holder: { userId: "u1", active: true },
  key: { id: "k1" },
};

function faultyDirectory(fault: Partial<Directory>): KnownDirectory {
  const directory: Directory = {
    key: async (ref) => (("hash" in ref ? ref.hash === "h1" : ref.keyId === "k1") ? CHAIN : undefined),
    principal: async (userId, orgId) =>
      userId === "u1" && orgId === "o1"
        ? { userId, orgId, orgRole: "member", projectRoles: { p1: "member" } }
        : undefined,
    ...fault,
  };
  return { directory, keys: [{ keyId: "k1", hash: "h1" }] };
}

describe("directoryConformance names the fault of a directory", () => {
  const byName: Record<string, typeof CHAIN> = { h1: CHAIN, k1: CHAIN };
  it.each<[string, Partial<Directory>, string]>([
    [
      "that takes everybody for a member",
      {
        principal: async (userId, orgId) => ({
          userId,
          orgId,
          orgRole: "member",
          projectRoles: { p1: "member" },
        }),
      },
      "a stranger to an org is no principal of it, whatever they are called",
    ],
    [
      "that looks names up in a plain object",
      { key: async (ref) => byName["hash" in ref ? ref.hash : ref.keyId] },
      "an unknown key is undefined, by id and by hash, whatever it is called",
    ],
    [
      "that misspells a limit",
      // The cast is the point: what a caller without types writes.
      { key: async () => ({ ...CHAIN, key: { id: "k1", limits: { rmp: 5 } as object } }) },
      "the chain of a key is one that a gate can read, and of that key",
    ],
    [
      "that does not know the holder",
      { principal: async () => undefined },
      "the active holder of a key is a principal with a role in the org, and in the key's project",
    ],
    [
      "whose scopes are another's",
      { scope: async () => ({ org: { id: "o2" } }) },
      "a scope, where the directory has any, is what the chains of its keys say",
    ],
  ])("%s", async (_, fault, name) => {
    const failures = await failuresOf(directoryConformance(() => faultyDirectory(fault)));
    expect(Object.keys(failures)).toContain(name);
  });

  /** Looks up with whatever it takes for the same. */
  function lookingUp(isSame: (asked: string, id: string) => boolean): Partial<Directory> {
    return {
      key: async (ref) => (("hash" in ref ? ref.hash === "h1" : isSame(ref.keyId, "k1")) ? CHAIN : undefined),
      principal: async (userId, orgId) =>
        isSame(userId, "u1") && isSame(orgId, "o1")
          ? { userId: "u1", orgId: "o1", orgRole: "member", projectRoles: { p1: "member" } }
          : undefined,
      scope: async ({ orgId, projectId = "", userId = "" }) =>
        isSame(orgId, "o1")
          ? {
              org: { id: "o1" },
              ...(isSame(projectId, "p1") && { project: { id: "p1" } }),
              ...(isSame(userId, "u1") && { holder: { userId: "u1", active: true } }),
            }
          : undefined,
    };
  }
  const like = (asked: string, id: string) =>
    new RegExp(
      `^${asked
        .replaceAll(/[^%_\w]/g, "\\$&")
        .replaceAll("%", ".*")
        .replaceAll("_", ".")}$`,
    ).test(id);

  it.each<[string, (asked: string, id: string) => boolean]>([
    ["with patterns", like],
    [
      "with patterns that need a character",
      (asked, id) => asked === id || (asked.includes("_") && like(asked, id)),
    ],
    ["with patterns of what the id begins with", (asked, id) => asked === id || asked === `${id}%`],
    ["in any case", (asked, id) => asked.toLowerCase() === id],
    ["in any case, of ids in capitals", (asked, id) => asked.toUpperCase() === id.toUpperCase()],
    ["without blanks at the end", (asked, id) => asked.trimEnd() === id],
    ["without blanks before it", (asked, id) => asked.trimStart() === id],
  ])("that looks ids up %s", async (_, isSame) => {
    const failures = await failuresOf(directoryConformance(() => faultyDirectory(lookingUp(isSame))));
    expect(Object.keys(failures)).toEqual([
      "an unknown key is undefined, by id and by hash, whatever it is called",
      "a stranger to an org is no principal of it, whatever they are called",
      "an unknown scope is undefined, and what is unknown in an org is not in it",
    ]);
    const exact = lookingUp((asked, id) => asked === id);
    expect(await failuresOf(directoryConformance(() => faultyDirectory(exact)))).toEqual({});
  });

  it("that looks hashes up with patterns, and of no two ids that differ in their case alone", async () => {
    const { key, ...exact } = lookingUp((asked, id) => asked === id);
    const patterns = {
      ...exact,
      key: async (ref: object) => {
        const { hash, keyId = "" } = Object(ref);
        return (hash === undefined ? keyId === "k1" : like(hash, "h1")) ? CHAIN : undefined;
      },
    };
    expect(await failuresOf(directoryConformance(() => faultyDirectory(patterns)))).toMatchObject({
      "an unknown key is undefined, by id and by hash, whatever it is called":
        expect.stringContaining('hash "%"'),
    });
    const chains: Record<string, string> = { k1: "h1", K1: "h2" };
    const both: KnownDirectory = {
      keys: Object.entries(chains).map(([keyId, hash]) => ({ keyId, hash })),
      directory: {
        ...faultyDirectory({}).directory,
        async key(ref) {
          const found = Object.entries(chains).find(([id, hash]) =>
            "hash" in ref ? hash === ref.hash : id === ref.keyId,
          );
          return found && { ...CHAIN, key: { id: found[0] } };
        },
      },
    };
    expect(await failuresOf(directoryConformance(() => both))).toEqual({});
  });

  it("that was given no key to ask for", async () => {
    const failures = await failuresOf(directoryConformance(() => ({ ...faultyDirectory({}), keys: [] })));
    expect(Object.values(failures)[0]).toBe("the directory has to know at least one key");
  });
});
