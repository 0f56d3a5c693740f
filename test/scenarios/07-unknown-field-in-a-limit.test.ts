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
});
