import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createGate } from "../../../src/gate/gate.js";
import { LimitError } from "../../../src/model/errors.js";
import type { Limits } from "../../../src/model/limits.js";
import { NOON, PRICES } from "../world.js";

const usd = (nano: number) => `0.${String(nano).padStart(9, "0")}`;

/** Limits of a few requests and nano-dollars, each there or not. */
const limits = fc
  .record({
    rpm: fc.option(fc.nat(6), { nil: undefined }),
    daily: fc.option(fc.nat(60), { nil: undefined }),
    monthly: fc.option(fc.nat(60), { nil: undefined }),
  })
  .map(({ rpm, daily, monthly }): Limits => {
    const budget = [
      ...(daily === undefined ? [] : [{ usd: usd(daily), reset: "daily" as const }]),
      ...(monthly === undefined ? [] : [{ usd: usd(monthly), reset: "monthly" as const }]),
    ];
    return { ...(rpm !== undefined && { rpm }), budget };
  });

const step = fc.oneof(
  fc.record({ do: fc.constant("tighten or loosen the project" as const), limits }),
  fc.record({ do: fc.constant("write the key" as const), key: fc.nat(1), limits }),
  fc.record({ do: fc.constant("call" as const), key: fc.nat(1), cost: fc.nat(30) }),
  fc.record({ do: fc.constant("call" as const), key: fc.nat(1), cost: fc.nat(5) }),
);

const budgetOf = (written: Limits, reset: string): number => {
  const budget = [written.budget ?? []].flat().find((one) => one.reset === reset);
  return budget === undefined ? Number.POSITIVE_INFINITY : Math.round(Number(budget.usd) * 1e9);
};

const budgetsOf = (written: Limits) => ({
  daily: budgetOf(written, "daily"),
  monthly: budgetOf(written, "monthly"),
});

describe("the limits of a key", () => {
  it("never loosen those of its project, whatever is written in whatever order", async () => {
    let refusedWrites = 0;
    let admitted = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 30 }), async (steps) => {
        const gate = createGate({ clock: { now: () => NOON }, prices: PRICES });
        const owner = gate.as({ userId: "ada" });
        const { id: orgId } = await owner.orgs.create({ name: "Acme" });
        const { id: projectId } = await owner.projects.create({ orgId, name: "Search" });
        const keyIds: string[] = [];
        for (const name of ["a", "b"])
          keyIds.push((await owner.keys.create({ orgId, projectId, name })).key.id);

        let project: Limits = {};
        // A limit counts from when it is there: what was called while the project had none of its kind is not in it.
        const used = { rpm: 0, daily: 0, monthly: 0 };
        for (const one of steps) {
          if (one.do === "tighten or loosen the project") {
            await owner.projects.update({ orgId, projectId, limits: one.limits });
            project = one.limits;
            continue;
          }
          const keyId = keyIds[one.key] ?? "";
          if (one.do === "write the key") {
            const { rpm = 0 } = one.limits;
            const looser =
              rpm > (project.rpm ?? Number.POSITIVE_INFINITY) ||
              ["daily", "monthly"].some((reset) => {
                const mine = budgetOf(one.limits, reset);
                // A period as long as the project's or shorter compares.
                const theirs =
                  reset === "daily"
                    ? Math.min(budgetOf(project, "daily"), budgetOf(project, "monthly"))
                    : budgetOf(project, "monthly");
                return Number.isFinite(mine) && mine > theirs;
              });
            const write = owner.keys.update({ keyId, limits: one.limits });
            if (looser) {
              refusedWrites++;
              await expect(write).rejects.toBeInstanceOf(LimitError);
            } else await write;
            continue;
          }
          const admission = await gate.admit(
            { keyId },
            { model: "gpt-4o", inputTokens: 0, costUsd: usd(one.cost) },
          );
          if (!admission.admitted) continue;
          admitted++;
          const maxima = { rpm: project.rpm ?? Number.POSITIVE_INFINITY, ...budgetsOf(project) };
          const amounts = { rpm: 1, daily: one.cost, monthly: one.cost };
          for (const limit of ["rpm", "daily", "monthly"] as const) {
            if (!Number.isFinite(maxima[limit])) continue;
            used[limit] += amounts[limit];
            // An amount of zero is never refused, also where a limit was tightened below what was used.
            if (amounts[limit] > 0) expect(used[limit]).toBeLessThanOrEqual(maxima[limit]);
          }
        }
        await gate.close();
      }),
      { numRuns: 150 },
    );
    expect(refusedWrites).toBeGreaterThan(50);
    expect(admitted).toBeGreaterThan(200);
  });
});
