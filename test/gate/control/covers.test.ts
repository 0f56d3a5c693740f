import { beforeEach, describe, expect, it, test } from "vitest";
import { periodAt } from "../../../src/admission/period.js";
import { checkCeiling } from "../../../src/gate/control/ceiling.js";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import { LimitError } from "../../../src/model/errors.js";
import { type BudgetReset, budgetResetSchema, type CalendarReset } from "../../../src/model/limits.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import { createWeb, ORG, START, WEB } from "./web.js";

describe("what keeps a gift within what its giver has", () => {
  let gate: Gate;
  const clock = { time: START, now: () => clock.time };
  const as = (userId: string) => gate.as({ userId });

  beforeEach(async () => {
    clock.time = START;
    gate = createGate({ clock, storage: memoryStorage() });
    await createWeb(gate, { ada: "admin", mel: null });
  });

  it("is not an owner's membership, which can be taken away and leaves them their keys", async () => {
    const limits = { rpm: 10, budget: { usd: 1, reset: "monthly" as const } };
    await as("olga").projectMembers.add({ ...WEB, userId: "olga", role: "member", limits });
    const { key, token } = await as("olga").keys.create({ ...WEB, limits });
    const through = gate.as({ token });
    await expect(through.keys.create(WEB)).rejects.toThrow(/^limits\.rpm: at most 10, which is what the key/);
    await expect(through.keys.update({ keyId: key.id, limits: null })).rejects.toThrow(LimitError);
    await through.keys.create({ ...WEB, limits });
    await as("olga").keys.create(WEB);
    await as("olga").keys.update({ keyId: key.id, limits: null });
  });

  it("is the membership of anybody else, whose keys go with it", async () => {
    const limits = { rpm: 10 };
    await as("olga").projectMembers.add({ ...WEB, userId: "mel", role: "member", limits });
    const { token } = await as("mel").keys.create({ ...WEB, limits });
    await gate.as({ token }).keys.create(WEB);
  });

  it("is no budget of a month for one of a week, which may lie in two months", async () => {
    const budget = (reset: "daily" | "weekly" | "monthly" | "never") => ({ budget: { usd: 100, reset } });
    const { key, token } = await as("ada").keys.create({ ...WEB, limits: budget("weekly") });
    const { keys } = gate.as({ token });
    for (const reset of ["daily", "monthly"] as const)
      await expect(keys.create({ ...WEB, limits: budget(reset) })).rejects.toThrow(/^limits\.budget\.usd/);
    await expect(keys.update({ keyId: key.id, limits: budget("monthly") })).rejects.toThrow(LimitError);
    for (const reset of ["weekly", "never"] as const) await keys.create({ ...WEB, limits: budget(reset) });
    await keys.create({ ...WEB, limits: { budget: [budget("weekly").budget, budget("monthly").budget] } });
  });

  it("is a budget of a month, a week or for good for one of a day, and a project's for any shorter one within it", async () => {
    const budget = (reset: "daily" | "weekly" | "monthly" | "never") => ({ budget: { usd: 100, reset } });
    const { token } = await as("ada").keys.create({ ...WEB, limits: budget("daily") });
    for (const reset of ["weekly", "monthly", "never"] as const)
      await gate.as({ token }).keys.create({ ...WEB, limits: budget(reset) });
    await as("olga").projects.update({ ...WEB, limits: budget("monthly") });
    await as("ada").keys.create({ ...WEB, limits: budget("weekly") });
    const above = { budget: { usd: 101, reset: "weekly" as const } };
    await expect(as("ada").keys.create({ ...WEB, limits: above })).rejects.toThrow(LimitError);
  });

  it("is no limit in shadow mode, which keeps nobody to it either", async () => {
    const limits = { rpm: 10 };
    const { token } = await as("ada").keys.create({ ...WEB, limits });
    const { keys } = gate.as({ token });
    for (const shadowed of [
      { ...limits, mode: "shadow" as const },
      { perModel: { "*": { ...limits, mode: "shadow" as const } } },
    ]) {
      await expect(keys.create({ ...WEB, limits: shadowed })).rejects.toThrow(/^limits\.rpm: at most 10/);
      const watched = await as("ada").keys.create({ ...WEB, limits: shadowed });
      await gate.as({ token: watched.token }).keys.create(WEB);
    }
  });

  it("is no virtual model where the list is of MCP servers, which have names of their own", async () => {
    await as("olga").virtualModels.create({ ...ORG, alias: "assistant", models: ["acme/llama"] });
    const servers = { ...WEB, mcpServers: ["acme/*"] };
    const { token } = await as("ada").keys.create(servers);
    const other = { ...WEB, mcpServers: ["assistant"] };
    await expect(gate.as({ token }).keys.create(other)).rejects.toThrow(/^mcpServers/);
    await as("olga").projects.update(servers);
    await expect(as("ada").keys.create(other)).rejects.toThrow(/^mcpServers: "assistant" is not among/);
    await as("ada").keys.create({ ...WEB, models: ["assistant"] });
  });

  it("is asked for by adding a member as by setting a role: models, MCP servers and logging come with it", async () => {
    const mel = { ...WEB, userId: "mel", role: "member" };
    const add = async (more: object) => {
      const { token } = await as("ada").keys.create({ ...WEB, ...more });
      return gate.as({ token }).projectMembers.add(mel);
    };
    await expect(add({ models: ["a"] })).rejects.toThrow(
      /^models: at most those of the key you act through$/,
    );
    await expect(add({ mcpServers: [] })).rejects.toThrow(/^mcpServers/);
    await expect(add({ contentLogging: false })).rejects.toThrow(/^contentLogging/);
    await add({});
    await as("ada").projectMembers.remove({ ...WEB, userId: "mel" });
    await as("olga").projects.update({ ...WEB, models: ["a"], contentLogging: false });
    await as("ada").projectMembers.add(mel);
  });

  it("is asked for of everything once more where a key that has ended begins again", async () => {
    const limits = (usd: number) => ({ budget: { usd, reset: "monthly" as const } });
    const member = { ...WEB, userId: "mel" };
    await as("olga").projectMembers.add({ ...member, role: "member" });
    const expiresAt = START + 1_000;
    const { key } = await as("mel").keys.create({ ...WEB, limits: limits(100), expiresAt });
    await as("olga").projectMembers.setLimits({ ...WEB, userId: "ada", limits: limits(1) });
    const keyId = key.id;
    await as("ada").keys.update({ keyId, expiresAt: expiresAt + 1_000 });
    clock.time = expiresAt + 1_000;
    for (const later of [null, clock.time + 1])
      await expect(as("ada").keys.update({ keyId, expiresAt: later })).rejects.toThrow(
        /^limits\.budget\.usd: at most 1 USD/,
      );
    await as("ada").keys.update({ keyId, expiresAt: clock.time });
    await as("ada").keys.update({ keyId, name: "is over" });
    await as("ada").keys.update({ keyId, limits: limits(1), expiresAt: null });
    clock.time += 1;
    await as("mel").keys.update({ keyId, limits: limits(100), expiresAt: clock.time });
    await as("mel").keys.update({ keyId, expiresAt: null });
  });

  it("is asked for of everything once more where a membership that has ended begins again", async () => {
    const limits = { budget: { usd: 1, reset: "monthly" as const } };
    const member = { ...WEB, userId: "mel" };
    await as("olga").projectMembers.add({ ...member, role: "admin", expiresAt: START + 1_000 });
    await as("olga").projectMembers.setLimits({ ...WEB, userId: "ada", limits });
    const { token } = await as("ada").keys.create({ ...WEB, limits, models: ["a"] });
    const { projectMembers } = as("ada");
    await projectMembers.setExpiry({ ...member, expiresAt: START + 2_000 });
    clock.time = START + 2_000;
    for (const expiresAt of [null, clock.time + 1])
      await expect(projectMembers.setExpiry({ ...member, expiresAt })).rejects.toThrow(
        /^limits\.budget\.usd: at most 1 USD/,
      );
    await projectMembers.setLimits({ ...member, limits });
    const through = gate.as({ token }).projectMembers;
    await expect(through.setExpiry({ ...member, expiresAt: null })).rejects.toThrow(/^models/);
    await projectMembers.setExpiry({ ...member, expiresAt: null });
  });
});

describe("a budget of one period keeps within one of another", () => {
  const START_AT = Date.UTC(2023, 0, 1);
  const END_AT = Date.UTC(2026, 0, 1);
  const periodsOf = (reset: CalendarReset) => {
    const periods = [periodAt(reset, "UTC", START_AT)];
    for (let last = periods[0]; last && last.endsAt < END_AT; periods.push(last))
      last = periodAt(reset, "UTC", last.endsAt);
    return periods;
  };
  /** By looking at three years. */
  const lieWithin = (part: BudgetReset, whole: BudgetReset) => {
    if (whole === "never" || part === "never") return whole === "never";
    return periodsOf(part).every(({ startsAt, endsAt }) => periodAt(whole, "UTC", startsAt).endsAt >= endsAt);
  };
  const resets = budgetResetSchema.options;

  test.each(resets.flatMap((part) => resets.map((whole) => [part, whole] as const)))(
    "law: a bound by %s budget is kept by one that is %s exactly if each period lies within one of those",
    (part, whole) => {
      const limits = (reset: BudgetReset) => ({ limits: { budget: { usd: 1, reset } } });
      const give = () => checkCeiling(limits(whole), { enclosing: [], own: [{ of: "it", ...limits(part) }] });
      if (lieWithin(part, whole)) give();
      else expect(give).toThrow(LimitError);
    },
  );
});
