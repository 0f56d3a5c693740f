import { createGate, type KeyChain, ValidationError } from "tollgate";
import { describe, expect, it } from "vitest";

/** A gate over one key whose chain is what some table held, with no type to check it. */
function gateOver(chain: unknown) {
  return createGate({
    directory: {
      key: async () => chain as KeyChain, // what is in a table is not known until it is read
      principal: async () => undefined,
    },
  });
}

const WRONG: readonly [written: string, limits: unknown, field: string][] = [
  ["a misspelt field", { rpn: 5 }, "rpn"],
  ["another gateway's name", { rpm: 5, max_budget: 10 }, "max_budget"],
  [
    "a misspelt field of a budget",
    { budget: { usd: 10, reset: "monthly", alertsAt: [0.8] } },
    "budget.alertsAt",
  ],
  [
    "a misspelt field in a list of budgets",
    {
      budget: [
        { usd: 10, reset: "daily" },
        { usd: 10, reset: "monthly", hard: true },
      ],
    },
    "budget[1].hard",
  ],
  ["a misspelt field of one model's limits", { perModel: { "gpt-4o": { rpms: 1 } } }, "perModel.gpt-4o.rpms"],
  ["a model called __proto__", JSON.parse('{"perModel":{"__proto__":{"rpm":1}}}'), "perModel"],
];

describe("an unknown field in a limit (bifrost#5673)", () => {
  for (const [written, limits, field] of WRONG) {
    for (const scope of ["org", "project", "holder", "key"] as const) {
      it(`is an error that names it, and not a limit that nobody holds: ${written}, at the ${scope}`, async () => {
        const chain = {
          org: { id: "o1" },
          project: { id: "p1" },
          holder: { userId: "u1", active: true },
          key: { id: "k1" },
        };
        const gate = gateOver({ ...chain, [scope]: { ...chain[scope], limits } });
        const answer = gate.admit({ keyId: "k1" }, { model: "gpt-4o", inputTokens: 1 });
        const error = await answer.catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(ValidationError);
        const fields = error instanceof ValidationError ? error.problems.map((one) => one.field) : [];
        expect(fields).toContain(`chain.${scope}.limits.${field}`);
      });
    }
  }

  for (const [written, limits, field] of WRONG) {
    it(`is refused where it is written, and nothing is written: ${written}`, async () => {
      const gate = createGate();
      const ann = gate.as({ userId: "ann" });
      await ann.orgs.create({ id: "acme", name: "Acme" });
      await ann.projects.create({ orgId: "acme", id: "p0", name: "p0" });
      await ann.orgMembers.add({ orgId: "acme", userId: "ben", role: "member" });
      await ann.projectMembers.add({ orgId: "acme", projectId: "p0", userId: "ben", role: "member" });
      const { key } = await ann.keys.create({ orgId: "acme", projectId: "p0" });
      const wrong = limits as never;
      const before = await ann.audit.list({ orgId: "acme" });
      for (const write of [
        () => ann.orgs.update({ orgId: "acme", limits: wrong }),
        () => ann.projects.create({ orgId: "acme", name: "p1", limits: wrong }),
        () => ann.projects.update({ orgId: "acme", projectId: "p0", limits: wrong }),
        () => ann.projectMembers.setLimits({ orgId: "acme", projectId: "p0", userId: "ben", limits: wrong }),
        () => ann.keys.create({ orgId: "acme", projectId: "p0", limits: wrong }),
        () => ann.keys.update({ orgId: "acme", keyId: key.id, limits: wrong }),
      ]) {
        const error = await write().catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(ValidationError);
        const fields = error instanceof ValidationError ? error.problems.map((one) => one.field) : [];
        expect(
          fields.some((one) => one.endsWith(`limits.${field}`)),
          fields.join(),
        ).toBe(true);
      }
      expect(await ann.audit.list({ orgId: "acme" })).toEqual(before);
      await gate.close();
    });
  }
});
