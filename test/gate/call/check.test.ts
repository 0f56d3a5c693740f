import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Admission } from "../../../src/gate/call/admission.js";
import type { Limits } from "../../../src/model/limits.js";
import type { Usage } from "../../../src/model/usage.js";
import { passed, refusedBy } from "../../scenarios/answers.js";
import { aChain, countedWorld, limited } from "../world.js";
import { anyChain, anyUnpriced, anyUsage, history, live, smallBudget } from "./histories.js";

const KEY = { keyId: "k1" };
const CALL: Usage = { model: "gpt-4o", inputTokens: 100, maxOutputTokens: 100 };

/** An answer as data, without the reservation's own id. */
function dataOf(admission: Admission, without: "limits" | "nothing" = "nothing") {
  const data = JSON.parse(JSON.stringify(admission));
  if (admission.admitted) {
    delete data.reservation.id;
    if (without === "limits") delete data.limits;
  }
  return data;
}

describe("check", () => {
  it("answers as admit does a moment later, for any limits, history and call, and charges nothing", async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(anyChain, history, anyUsage, anyUnpriced, async (chain, steps, usage, unpriced) => {
        const made = countedWorld(chain, { unpriced });
        await live(made, steps);
        const before = made.dump();
        const checked = await made.gate.check(KEY, usage);
        expect(made.dump()).toEqual(before);
        const admission = await made.gate.admit(KEY, usage);
        expect(dataOf(checked, "limits")).toEqual(dataOf(admission, "limits"));
        const outcome = admission.admitted ? "admitted" : admission.reason;
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
        if (!admission.admitted) expect(made.dump()).toEqual(before);
      }),
      { numRuns: 1_000 },
    );
    for (const outcome of ["admitted", "too_large", "rate_limited", "budget_exceeded"]) {
      expect(seen.get(outcome), outcome).toBeGreaterThan(2);
    }
  });

  it("shows the limits as admit would, with the call itself counted", async () => {
    const { gate } = countedWorld(limited({ key: { rpm: 5, tpm: 900, budget: { usd: 1, reset: "daily" } } }));
    passed(await gate.admit(KEY, CALL));
    const { limits } = passed(await gate.check(KEY, CALL));
    expect(limits).toEqual(passed(await gate.admit(KEY, CALL)).limits);
  });

  it("answers as admit does for a request id: with the open reservation, though the limit is used up by it", async () => {
    const { gate } = countedWorld(limited({ key: { rpm: 1 } }));
    const usage = { ...CALL, requestId: "r" };
    passed(await gate.admit(KEY, usage));
    passed(await gate.admit(KEY, usage));
    passed(await gate.check(KEY, usage));
  });

  it("makes no reservation that could be settled", async () => {
    const { gate } = countedWorld(limited({ key: { rpm: 1 } }));
    const { reservation } = passed(await gate.check(KEY, CALL));
    expect(await gate.settle(reservation, {})).toEqual({ settled: false, reason: "unknown_reservation" });
  });

  it("tells no listener of a refusal, as no call was refused", async () => {
    const { gate } = countedWorld(limited({ key: { rpm: 0 } }));
    const heard: unknown[] = [];
    gate.on("refusal", (event) => heard.push(event));
    refusedBy(await gate.check(KEY, CALL));
    refusedBy(await gate.check({ keyId: "nobody" }, CALL));
    refusedBy(await gate.check("sk-tg-nonsense", CALL));
    expect(heard).toEqual([]);
  });
});

describe("an amount of zero", () => {
  it("is refused by no limit on tokens or money, whatever was used before", async () => {
    const counted = fc
      .record(
        {
          tpm: fc.nat(2_000),
          inputTpm: fc.nat(2_000),
          outputTpm: fc.nat(2_000),
          tpd: fc.nat(2_000),
          budget: fc.uniqueArray(smallBudget, { maxLength: 3, selector: ({ reset }) => reset }),
        },
        { requiredKeys: [] },
      )
      .map((all): Limits => ({ ...all, perModel: { "*": all } }));
    await fc.assert(
      fc.asyncProperty(counted, counted, history, async (org, key, steps) => {
        const made = countedWorld(
          aChain({ org: { limits: org, creditsNanoUsd: 1_000_000 }, key: { limits: key } }),
          { unpriced: "free" },
        );
        await live(made, steps);
        passed(await made.gate.admit(KEY, { model: "free", inputTokens: 0, maxOutputTokens: 0 }));
        passed(await made.gate.admit(KEY, { ...CALL, inputTokens: 0, maxOutputTokens: 0, costUsd: 0 }));
      }),
      { numRuns: 200 },
    );
  });

  it("is not short of a limit on input when only output is used up", async () => {
    const { gate } = countedWorld(limited({ key: { inputTpm: 100, outputTpm: 100 } }));
    passed(await gate.admit(KEY, { ...CALL, inputTokens: 0 }));
    passed(await gate.admit(KEY, { ...CALL, maxOutputTokens: 0 }));
    refusedBy(await gate.admit(KEY, { ...CALL, inputTokens: 1, maxOutputTokens: 0 }));
  });
});
