import {
  createGate,
  createLedger,
  type LedgerSink,
  type MemoryLedgerSink,
  memoryLedgerSink,
  PermissionError,
  priceCatalog,
} from "tollgate";
import { describe, expect, it } from "vitest";
import { passed } from "../../scenarios/answers.js";

const NOON = Date.UTC(2026, 4, 15, 12);
const DAY_MS = 86_400_000;
const ORG = { org: "acme", from: NOON - DAY_MS, to: NOON + DAY_MS, groupBy: "key" as const };

/**
 * Olga owns the org. Ada is admin of `one` and member of `two`, Max member of both, Nina in no project. Ada has a key in
 * each project, Max too; the costs are 1, 2, 4 and 8 USD, so that a sum says what is in it.
 */
async function company(sink: LedgerSink = memoryLedgerSink()) {
  const clock = { now: () => NOON };
  const ledger = createLedger({ sink, clock });
  const gate = createGate({ clock, ledger, prices: priceCatalog.of({}), unpriced: "free" });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme", timeZone: "Asia/Tokyo" });
  for (const userId of ["ada", "max", "nina", "somebody"])
    await olga.orgMembers.add({ orgId: "acme", userId, role: "member" });
  for (const id of ["one", "two"]) await olga.projects.create({ orgId: "acme", id, name: id });
  const member = { orgId: "acme", role: "member" as const };
  await olga.projectMembers.add({ ...member, projectId: "one", userId: "ada", role: "admin" });
  await olga.projectMembers.add({ ...member, projectId: "two", userId: "ada" });
  await olga.projectMembers.add({ ...member, projectId: "one", userId: "max" });
  await olga.projectMembers.add({ ...member, projectId: "two", userId: "max" });
  await olga.projectMembers.add({ ...member, projectId: "one", userId: "somebody" });
  const costs = [
    ["ada-one", "ada", "one", 1],
    ["ada-two", "ada", "two", 2],
    ["max-one", "max", "one", 4],
    ["max-two", "max", "two", 8],
  ] as const;
  const tokens: Record<string, string> = {};
  for (const [id, userId, projectId, costUsd] of costs) {
    const { token } = await olga.keys.create({ orgId: "acme", projectId, id, userId });
    tokens[id] = token;
    const { reservation } = passed(await gate.admit(token, { model: "m", costUsd }));
    await gate.settle(reservation, { costUsd });
  }
  await ledger.flush();
  const sum = async (who: Parameters<typeof gate.as>[0], asked = {}) =>
    (await gate.as(who).ledger.report({ ...ORG, ...asked })).total.usd;
  return { gate, tokens, sum };
}

describe("a report through the control plane", () => {
  it("shows an owner all, an admin the project and their own elsewhere, a member their own", async () => {
    const { sum } = await company();
    expect(await sum({ userId: "olga" })).toBe("15");
    expect(await sum({ userId: "ada" })).toBe("7"); // 1 and 4 of `one`, 2 of their own in `two`
    expect(await sum({ userId: "max" })).toBe("12");
    expect(await sum({ userId: "somebody" })).toBe("0");
  });

  it("over many projects asks the sink once, or about each of them if it can only be asked so", async () => {
    const asked: string[] = [];
    const spied = ({ sum, sumWithin, ...kept }: MemoryLedgerSink): LedgerSink => ({
      ...kept,
      sum(query) {
        asked.push(`${query.projectId} of ${query.userId ?? "everybody"}`);
        return sum(query);
      },
      async sumWithin(query, within) {
        asked.push(`${within.length} parts`);
        return sumWithin?.(query, within) ?? [];
      },
    });
    const { sum } = await company(spied(memoryLedgerSink()));
    expect(await sum({ userId: "ada" })).toBe("7");
    expect(asked.splice(0)).toEqual(["2 parts"]);
    const { sumWithin: _, ...onePart } = spied(memoryLedgerSink());
    const { sum: sumOfEach } = await company(onePart);
    expect(await sumOfEach({ userId: "ada" })).toBe("7");
    expect(asked).toEqual(["one of everybody", "two of ada"]);
  });

  it("is narrowed by what is asked for, and never widened", async () => {
    const { sum } = await company();
    expect(await sum({ userId: "olga" }, { project: "two" })).toBe("10");
    expect(await sum({ userId: "olga" }, { user: "max" })).toBe("12");
    expect(await sum({ userId: "ada" }, { project: "one" })).toBe("5");
    expect(await sum({ userId: "ada" }, { project: "two" })).toBe("2");
    expect(await sum({ userId: "ada" }, { user: "max" })).toBe("4");
    expect(await sum({ userId: "max" }, { user: "max", project: "two" })).toBe("8");
    expect(await sum({ userId: "max" }, { key: "max-one" })).toBe("4");
  });

  it("is refused to whoever may see nothing of what is asked for", async () => {
    const { sum } = await company();
    await expect(sum({ userId: "nina" })).rejects.toThrow(PermissionError);
    await expect(sum({ userId: "stranger" })).rejects.toThrow(PermissionError);
    await expect(sum({ userId: "max" }, { user: "ada" })).rejects.toThrow(PermissionError);
    await expect(sum({ userId: "ada" }, { project: "two", user: "max" })).rejects.toThrow(PermissionError);
    await expect(sum({ userId: "olga" }, { org: "other" })).rejects.toThrow(PermissionError);
  });

  it("says the same of a key that one may not see and of one that is nobody's", async () => {
    const { sum } = await company();
    for (const key of ["ada-one", "nobodys"]) expect(await sum({ userId: "max" }, { key })).toBe("0");
    expect(await sum({ userId: "ada" }, { key: "ada-one" })).not.toBe("0");
  });

  it("shows a key as actor what its holder may see in its project", async () => {
    const { sum, tokens } = await company();
    expect(await sum({ token: tokens["max-two"] ?? "" })).toBe("8");
  });

  it("shows an owner's key that one project, and nothing of another org", async () => {
    const { gate, sum } = await company();
    const { token } = await gate.as({ userId: "olga" }).keys.create({ orgId: "acme", projectId: "one" });
    expect(await sum({ token })).toBe("5");
    await gate.as({ userId: "otto" }).orgs.create({ id: "other", name: "Other" });
    await gate.as({ userId: "otto" }).projects.create({ orgId: "other", id: "three", name: "Three" });
    const foreign = await gate.as({ userId: "otto" }).keys.create({ orgId: "other", projectId: "three" });
    await expect(sum({ token: foreign.token })).rejects.toThrow(PermissionError);
  });

  it("has days in the org's time zone where none is given", async () => {
    const { gate } = await company();
    const report = await gate.as({ userId: "olga" }).ledger.report({ ...ORG, groupBy: "day" });
    expect(report).toMatchObject({ timeZone: "Asia/Tokyo", rows: [{ group: "2026-05-15", usd: "15" }] });
  });

  it("asks for a ledger where the gate has none", async () => {
    const report = createGate().as({ userId: "olga" }).ledger.report(ORG);
    await expect(report).rejects.toThrow("options.ledger: a ledger");
  });
});
