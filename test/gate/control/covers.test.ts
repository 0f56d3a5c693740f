import { beforeEach, describe, expect, it } from "vitest";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import { LimitError } from "../../../src/model/errors.js";
import { memoryStorage } from "../../../src/storage/memory.js";

const ORG = { orgId: "acme" };
const WEB = { ...ORG, projectId: "web" };
const START = Date.UTC(2026, 4, 15, 12);

describe("what keeps a gift within what its giver has", () => {
  let gate: Gate;
  const clock = { time: START, now: () => clock.time };
  const as = (userId: string) => gate.as({ userId });

  beforeEach(async () => {
    clock.time = START;
    gate = createGate({ clock, storage: memoryStorage() });
    const olga = as("olga");
    await olga.orgs.create({ id: "acme", name: "Acme" });
    await olga.projects.create({ ...ORG, id: "web", name: "Web" });
    for (const userId of ["ada", "mel"]) await olga.orgMembers.add({ ...ORG, userId, role: "member" });
    await olga.projectMembers.add({ ...WEB, userId: "ada", role: "admin" });
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
});
