import { createGate, type Gate, LimitError, NotFoundError, PermissionError, ValidationError } from "tollgate";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SharedRecords, sharedRecords } from "./shared-stores.js";

const web = { orgId: "acme", projectId: "web" };

describe.each(await sharedRecords())("a member of a project, in %s", (_, make) => {
  let records: SharedRecords;
  let gate: Gate;
  const as = (userId: string) => gate.as({ userId });

  beforeEach(async () => {
    records = await make();
    gate = createGate({ storage: records.connect() });
    const olga = as("olga");
    await olga.orgs.create({ id: "acme", name: "Acme" });
    const limits = { rpm: 60, budget: { usd: 100, reset: "monthly" as const } };
    await olga.projects.create({
      orgId: "acme",
      id: "web",
      name: "Web",
      models: ["openai/*", "fast"],
      limits,
    });
    await olga.virtualModels.create({ orgId: "acme", alias: "fast", models: ["anthropic/haiku"] });
    await olga.virtualModels.create({ orgId: "acme", alias: "gpts", models: ["openai/gpt-4o", "openai/o3"] });
    await olga.virtualModels.create({
      orgId: "acme",
      alias: "mixed",
      models: ["openai/gpt-4o", "anthropic/opus"],
    });
    for (const userId of ["max", "mia", "ada"])
      await olga.orgMembers.add({ orgId: "acme", userId, role: "member" });
    await olga.projectMembers.add({ ...web, userId: "max", role: "member", limits: { rpm: 30 } });
    await olga.projectMembers.add({ ...web, userId: "mia", role: "member" });
    await olga.projectMembers.add({ ...web, userId: "ada", role: "admin" });
  });
  afterEach(async () => {
    await gate.close();
    await records.remove();
  });

  it.each([
    ["a model outside the project's list", { models: ["anthropic/opus"] }, "models"],
    ["a pattern wider than the project's", { models: ["*"] }, "models"],
    ["an alias whose targets are not all the project's", { models: ["mixed"] }, "models"],
    ["more requests than the project has", { limits: { rpm: 61 } }, "limits.rpm"],
    ["more requests than they have themselves", { limits: { rpm: 31 } }, "limits.rpm"],
    ["a larger budget", { limits: { budget: { usd: 100.01, reset: "monthly" } } }, "limits.budget.usd"],
    [
      "the month's budget in a day",
      { limits: { budget: { usd: 101, reset: "daily" } } },
      "limits.budget.usd",
    ],
    [
      "more for one model",
      { limits: { perModel: { "openai/gpt-4o": { rpm: 61 } } } },
      "limits.perModel.openai/gpt-4o.rpm",
    ],
  ] as const)("mints no key with %s (litellm#8029)", async (_, more, field) => {
    const input = { ...web, ...more } as Parameters<ReturnType<typeof as>["keys"]["create"]>[0]; // readonly only
    const error = await as("max")
      .keys.create(input)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LimitError);
    expect(error).toMatchObject({ field });
    expect((await as("max").keys.list({ orgId: "acme" })).items).toEqual([]);
  });

  it("mints a key with as much as they have, by an alias of the list too, or one whose targets are all in it", async () => {
    const limits = { rpm: 30, budget: { usd: 100, reset: "daily" as const } };
    await as("max").keys.create({ ...web, models: ["openai/gpt-4o", "fast"], limits });
    await as("max").keys.create({ ...web, models: ["gpts"], limits });
  });

  it("mints a key with more for a longer time than the project's, which bounds it all the same", async () => {
    for (const reset of ["monthly", "never"] as const) {
      const minted = as("max").keys.create({ ...web, limits: { budget: { usd: 500, reset } } });
      if (reset === "never") await minted;
      else await expect(minted).rejects.toThrow(LimitError);
    }
  });

  it("mints no key for another user (litellm#7336)", async () => {
    await expect(as("max").keys.create({ ...web, userId: "mia" })).rejects.toThrow(PermissionError);
    await expect(as("max").keys.create({ ...web, userId: "olga" })).rejects.toThrow(PermissionError);
    await as("ada").keys.create({ ...web, userId: "mia" });
    await expect(as("ada").keys.create({ ...web, userId: "olga" })).rejects.toThrow(LimitError);
  });

  it("hands no key over to another user, and takes none (litellm#8031)", async () => {
    const { key } = await as("max").keys.create(web);
    const update = as("max").keys.update as (input: object) => Promise<unknown>; // what a caller without types does
    await expect(update({ keyId: key.id, userId: "mia" })).rejects.toThrow(ValidationError);
    await expect(as("mia").keys.update({ keyId: key.id, name: "mine" })).rejects.toThrow(NotFoundError);
    await expect(as("mia").keys.rotate({ keyId: key.id })).rejects.toThrow(NotFoundError);
    expect(await as("max").keys.get({ keyId: key.id })).toMatchObject({ userId: "max", version: 1 });
  });
});
