import type { Records } from "../../model/records.js";
import type { Storage } from "../../storage/storage.js";
import type { Cases } from "./case.js";
import { check, claim } from "./check.js";
import { absent, change, idsOf, key, meddle, project, put, remove, turnedDown } from "./storage-records.js";

/** A commit: all of its changes or none, and none on an older state. */
export const commits: Cases<Storage> = {
  "gives back what was committed, and undefined for what was not": async (storage) => {
    const limits = { rpm: 5, budget: { usd: "0.10", reset: "monthly" as const, alertAt: [0.8] } };
    const perModel = { "openai/*": { tpm: 9 }, a: { tpm: 1, mode: "shadow" as const } };
    const record = project("web", {
      models: ["openai/*"],
      mcpServers: [],
      limits: { ...limits, perModel },
      contentLogging: false,
    });
    await storage.commit([put("project", record)]);
    check("get", await storage.get("project", "web"), record);
    check("find", await storage.find("project", { orgId: "acme" }), [record]);
    await absent(storage, "project", "other");
    await absent(storage, "key", "web");
  },

  "gives back the largest numbers and every text as they were": async (storage) => {
    const grant = {
      id: "g",
      orgId: "acme",
      version: 1,
      createdAt: 253_402_300_799_999,
      status: "granted",
    } as const;
    const note = "Wëb 🚀 'x' \"y\" \\ \\u0041 \u0000 \u2028 \n\t e\u0301 é";
    const record = { ...grant, nanoUsd: 9_000_000_000_000_001, note };
    await storage.commit([put("creditGrant", record)]);
    check("get", await storage.get("creditGrant", "g"), record);
    const tags = { constructor: "a", toString: "b", "a.b": note };
    await storage.commit([put("key", key("k", { tags }))]);
    check("tags", (await storage.get("key", "k"))?.tags, tags);
  },

  "a record that is replaced has the new fields and no old ones": async (storage) => {
    await storage.commit([put("project", project("web", { limits: { rpm: 5 }, models: ["a"] }))]);
    const second = project("web", { version: 2, name: "second" });
    await storage.commit([put("project", second)]);
    check("get", await storage.get("project", "web"), second);
  },

  "nothing that a caller holds can change what is stored": async (storage) => {
    const record = project("web", { models: ["a"] });
    await storage.commit([put("project", record)]);
    meddle(record.models, "b");
    const found = await storage.get("project", "web");
    check("models that were committed", found?.models, ["a"]);
    try {
      meddle(found?.models, "c");
    } catch {
      // Frozen: just as well.
    }
    check("models from get", (await storage.get("project", "web"))?.models, ["a"]);
    check("models from find", (await storage.find("project", { orgId: "acme" }))[0]?.models, ["a"]);
  },

  "a stale version is a conflict that names both versions, and nothing of the commit is done": async (
    storage,
  ) => {
    await storage.commit([put("project", project("web"))]);
    await storage.commit([put("project", project("web", { version: 2, name: "second" }))]);
    const late = put("project", project("web", { version: 2, name: "late" }));
    for (const changes of [
      [put("project", project("api")), late],
      [late, put("project", project("api"))],
    ]) {
      const message = await turnedDown("a stale commit", "conflict", storage.commit(changes));
      claim(`the message names versions 1 and 2: ${message}`, /version 2\D.*version 1\b/.test(message));
      check("name", (await storage.get("project", "web"))?.name, "second");
      await absent(storage, "project", "api");
    }
  },

  "a stale version at the end of a long commit leaves nothing of it done": async (storage) => {
    await storage.commit([put("project", project("web"))]);
    const many = Array.from({ length: 120 }, (_, i) => put("project", project(`many ${i}`)));
    await turnedDown("a stale commit", "conflict", storage.commit([...many, put("project", project("web"))]));
    for (const { id } of many) await absent(storage, "project", id);
  },

  "a write to what was deleted is a conflict, and so is a deletion that comes too late": async (storage) => {
    await storage.commit([put("project", project("web"))]);
    await storage.commit([remove("project", "web", 1)]);
    await absent(storage, "project", "web");
    const late = storage.commit([put("project", project("web", { version: 2 }))]);
    const message = await turnedDown("a late write", "conflict", late);
    claim(`the message says that it is gone: ${message}`, /does not exist any more/.test(message));
    await turnedDown("a second deletion", "conflict", storage.commit([remove("project", "web", 1)]));
    await storage.commit([put("project", project("web"))]);
    await turnedDown(
      "a deletion of another version",
      "conflict",
      storage.commit([remove("project", "web", 3)]),
    );
    check("version", (await storage.get("project", "web"))?.version, 1);
  },

  "a taken id is a conflict that tells nothing of who has it": async (storage) => {
    await storage.commit([put("project", project("web", { orgId: "other" }))]);
    const taken = storage.commit([put("project", project("web"))]);
    const message = await turnedDown("a taken id", "conflict", taken);
    claim(`the message does not name its org: ${message}`, !message.includes("other"));
    check("org", (await storage.get("project", "web"))?.orgId, "other");
  },

  "a taken unique value is a conflict without the value, within one commit too": async (storage) => {
    await storage.commit([put("key", key("a", { hash: "secret-hash" }))]);
    const taken = storage.commit([
      put("project", project("api")),
      put("key", key("b", { hash: "secret-hash" })),
    ]);
    const message = await turnedDown("a taken hash", "conflict", taken);
    claim("the message does not show the hash", !message.includes("secret-hash"));
    await absent(storage, "project", "api");
    const twins = ["c", "d"].map((id) => put("key", key(id, { hash: "same" })));
    await turnedDown("the same hash twice", "conflict", storage.commit(twins));
    await absent(storage, "key", "c");
    await storage.commit([put("key", key("e", { hash: "free", previousHash: "before" }))]);
    const rotated = storage.commit([put("key", key("f", { previousHash: "before" }))]);
    await turnedDown("a taken previous hash", "conflict", rotated);
  },

  "a record without one of the values that are unique together takes nothing": async (storage) => {
    const ofOpenAI = (id: string, projectId?: string) =>
      put("externalKey", {
        id,
        orgId: "acme",
        version: 1,
        createdAt: 0,
        provider: "openai",
        secretRef: "vault/openai",
        ...(projectId !== undefined && { projectId }),
      });
    await storage.commit([ofOpenAI("1"), ofOpenAI("2"), ofOpenAI("3", "web")]);
    await turnedDown("a second one of the project", "conflict", storage.commit([ofOpenAI("4", "web")]));
    check("of the org", await idsOf(storage.find("externalKey", { orgId: "acme" })), ["1", "2", "3"]);
  },

  "values that are unique together are taken together only": async (storage) => {
    const member = (id: string, orgId: string, userId: string) =>
      put("orgMember", { id, orgId, userId, version: 1, createdAt: 0, role: "member" });
    await storage.commit([
      member("1", "acme", "ada"),
      member("2", "acme", "bob"),
      member("3", "other", "ada"),
    ]);
    await turnedDown("the same pair", "conflict", storage.commit([member("4", "acme", "ada")]));
    // Two pairs that would be one if they were joined without care.
    await storage.commit([member("5", "a", "b,c"), member("6", "a,b", "c"), member("7", "ab", "c")]);
    check("members", await idsOf(storage.find("orgMember", { userId: "ada" })), ["1", "3"]);
  },

  "a unique value is free again once its record has another one or is gone": async (storage) => {
    await storage.commit([put("key", key("a", { hash: "x" }))]);
    await storage.commit([
      put("key", key("b", { hash: "x" })),
      put("key", key("a", { hash: "y", version: 2 })),
    ]);
    await storage.commit([remove("key", "b", 1)]);
    await storage.commit([put("key", key("c", { hash: "x" }))]);
    check("found by the hash", await idsOf(storage.find("key", { hash: "x" })), ["c"]);
  },

  "two records can exchange a unique value in one commit": async (storage) => {
    await storage.commit([put("key", key("a", { hash: "x" })), put("key", key("b", { hash: "y" }))]);
    await storage.commit([
      put("key", key("a", { hash: "y", version: 2 })),
      put("key", key("b", { hash: "x", version: 2 })),
    ]);
    check("found by x", await idsOf(storage.find("key", { hash: "x" })), ["b"]);
    check("found by y", await idsOf(storage.find("key", { hash: "y" })), ["a"]);
  },

  "records that lack a unique field do not collide": async (storage) => {
    await storage.commit(["a", "b", "c"].map((id) => put("key", key(id))));
    check("keys", await idsOf(storage.find("key", { orgId: "acme" })), ["a", "b", "c"]);
  },

  "a record that does not fit its kind or its change is a ValidationError, and nothing is done": async (
    storage,
  ) => {
    // The casts are the point: what a caller without types hands in.
    const wrong: readonly (readonly [string, object])[] = [
      ["an unknown field", { ...project("web"), colour: "red" }],
      ["a misspelt limit", { ...project("web"), limits: { rmp: 5 } }],
      ["another id than the change", project("api")],
      ["another version than the next", project("web", { version: 7 })],
    ];
    for (const [what, record] of wrong) {
      const changes = [
        put("project", project("ok")),
        change("project", "web", 0, record as Records["project"]),
      ];
      await turnedDown(what, "validation", storage.commit(changes));
      await absent(storage, "project", "ok");
    }
  },

  "a field that a later version has added to a record is kept by whoever replaces the record": async (
    storage,
  ) => {
    const later = { ...project("web", { version: 2 }), colour: "red" };
    await storage.commit([put("project", project("web"))]);
    await storage.commit([put("project", later)]);
    const renamed = { ...(await storage.get("project", "web")), version: 3, name: "Site" };
    await storage.commit([put("project", renamed as Records["project"])]); // sound: it was a project
    check("the record", await storage.get("project", "web"), { ...later, version: 3, name: "Site" });
    const misspelt = { ...later, version: 4, limits: { rmp: 5 } };
    await turnedDown(
      "a limit",
      "validation",
      storage.commit([change("project", "web", 3, misspelt as Records["project"])]),
    );
  },

  "two changes of one record in one commit are a ValidationError": async (storage) => {
    const twice = storage.commit([put("project", project("web")), put("project", project("web"))]);
    await turnedDown("two changes", "validation", twice);
    await absent(storage, "project", "web");
  },

  "records of all kinds and of several orgs are written in one commit": async (storage) => {
    const made = { orgId: "acme", version: 1, createdAt: 0 };
    const org = {
      ...made,
      id: "acme",
      name: "Acme",
      status: "active",
      timeZone: "UTC",
      contentLogging: true,
    } as const;
    await storage.commit([
      put("org", org),
      put("org", { ...org, id: "other", orgId: "other" }),
      put("orgMember", { ...made, id: "m", userId: "ada", role: "owner" }),
      put("project", project("web")),
      put("projectMember", { ...made, id: "pm", projectId: "web", userId: "ada", role: "admin" }),
      put("key", key("k")),
      put("keyUse", { id: "k", orgId: "acme", version: 1, usedAt: 5 }),
      put("virtualModel", { ...made, id: "v", alias: "fast", models: ["a", "b"] }),
      put("mcpServer", { ...made, id: "s", name: "files" }),
      put("externalKey", { ...made, id: "x", provider: "openai", secretRef: "vault/1" }),
      put("creditGrant", { ...made, id: "g", nanoUsd: 5, status: "granted" }),
      put("trail", { id: "acme", orgId: "acme", version: 1, latestAt: 0, behindMs: 0 }),
    ]);
    check("the org", await storage.get("org", "acme"), org);
    check("the models", (await storage.get("virtualModel", "v"))?.models, ["a", "b"]);
    check("the use", await storage.get("keyUse", "k"), { id: "k", orgId: "acme", version: 1, usedAt: 5 });
    check("orgs", await idsOf(storage.find("org", {})), ["acme", "other"]);
  },

  "a commit of nothing is done": async (storage) => {
    await storage.commit([]);
    check("projects", await storage.find("project", {}), []);
  },
};
