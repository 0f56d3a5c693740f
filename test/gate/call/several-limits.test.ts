import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KeyChain } from "../../../src/model/chain.js";
import type { Usage } from "../../../src/model/usage.js";
import { passed, refusedBy } from "../../scenarios/answers.js";
import { countedWorld, limited, NOON } from "../world.js";
import { anyChain, anyUsage, history, live } from "./histories.js";

const KEY = { keyId: "k1" };
const CALL: Usage = { model: "gpt-4o", inputTokens: 100, maxOutputTokens: 100 };
const HOUR_MS = 3_600_000;

describe("of several limits that are short", () => {
  /** Uses up each of the limits with one call and asks for another. */
  async function secondCall(chain: KeyChain) {
    const { gate } = countedWorld(chain);
    passed(await gate.admit(KEY, { ...CALL, costUsd: 1 }));
    return refusedBy(await gate.admit(KEY, { ...CALL, costUsd: 1 }));
  }
  const monthMs = Date.UTC(2026, 5, 1) - NOON;

  it("the one with the longest wait is named, whatever its scope", async () => {
    expect(
      await secondCall(limited({ org: { rpm: 1 }, key: { budget: { usd: 1, reset: "daily" } } })),
    ).toMatchObject({ reason: "budget_exceeded", scope: "key", retryAfterMs: 12 * HOUR_MS });
    expect(
      await secondCall(
        limited({
          org: { budget: { usd: 1, reset: "monthly" } },
          key: { budget: { usd: 1, reset: "daily" } },
        }),
      ),
    ).toMatchObject({ reason: "budget_exceeded", scope: "org", retryAfterMs: monthMs });
    expect(await secondCall(limited({ member: { inFlight: 1 }, key: { rpm: 1, rpd: 1 } }))).toMatchObject({
      reason: "rate_limited",
      limit: { window: "day" },
    });
  });

  it("one that waiting never helps is named before all waits, and no wait is told", async () => {
    const refusal = await secondCall(
      limited({ org: { budget: { usd: 1, reset: "monthly" } }, key: { budget: { usd: 1, reset: "never" } } }),
    );
    expect(refusal).toMatchObject({ reason: "budget_exceeded", scope: "key" });
    expect("retryAfterMs" in refusal).toBe(false);
  });

  it("one that the call alone is above is named before all others", async () => {
    const { gate, put, clock } = countedWorld(limited({ org: { budget: { usd: 1, reset: "never" } } }));
    passed(await gate.admit(KEY, { ...CALL, costUsd: 1 }));
    put(limited({ org: { budget: { usd: 1, reset: "never" } }, key: { outputTpm: 99 } }));
    clock.at += 1;
    expect(refusedBy(await gate.admit(KEY, { ...CALL, costUsd: 1 }))).toMatchObject({
      reason: "too_large",
      scope: "key",
      limit: { meter: "outputTokens" },
    });
  });

  it("the widest scope is named where the waits are the same", async () => {
    expect(await secondCall(limited({ project: { rpm: 1 }, key: { rpm: 1 } }))).toMatchObject({
      scope: "project",
    });
  });

  it("all are listed, those with room too, in the order org, project, member, key", async () => {
    const { limits } = await secondCall(
      limited({ org: { rpm: 9 }, project: { rpm: 1, tpm: 900 }, member: { inFlight: 9 }, key: { rpm: 1 } }),
    );
    expect(limits.map(({ scope, meter, used }) => `${scope} ${meter} ${used}`)).toEqual([
      "org requests 1",
      "project requests 1",
      "project tokens 200",
      "member inFlight 1",
      "key requests 1",
    ]);
  });

  it("those in shadow mode are listed too, and say that they refuse nothing", async () => {
    const { limits } = await secondCall(limited({ project: { tpm: 900, mode: "shadow" }, key: { rpm: 1 } }));
    expect(limits.map(({ scope, meter, mode }) => `${scope} ${meter} ${mode}`)).toEqual([
      "project tokens shadow",
      "key requests enforce",
    ]);
  });

  it("retryAfterMs is exact over all of them together", async () => {
    await fc.assert(
      fc.asyncProperty(anyChain, history, anyUsage, async (chain, steps, usage) => {
        const made = countedWorld(chain, { unpriced: "free" });
        await live(made, steps);
        const answer = await made.gate.check(KEY, usage);
        if (answer.admitted) return;
        const { retryAfterMs } = answer;
        if (retryAfterMs === undefined) {
          made.clock.at += 40 * 24 * HOUR_MS;
          refusedBy(await made.gate.check(KEY, usage));
          return;
        }
        made.clock.at += retryAfterMs - 1;
        refusedBy(await made.gate.check(KEY, usage));
        made.clock.at += 1;
        passed(await made.gate.check(KEY, usage));
      }),
      { numRuns: 400 },
    );
  });
});

describe("a clock that goes back over a reset", () => {
  it("gets a refusal from the spent day that it is back in, and no error", async () => {
    const midnight = Date.UTC(2026, 4, 16);
    const { gate, clock } = countedWorld(limited({ key: { budget: { usd: 1, reset: "daily" } } }));
    const dollar = { model: "gpt-4o", costUsd: 1 };
    clock.at = midnight - 10;
    passed(await gate.admit(KEY, dollar));
    for (const aheadMs of [0, 1, 90_000]) {
      clock.at = midnight + aheadMs;
      await gate.admit(KEY, dollar);
      clock.at = midnight - 1;
      expect(refusedBy(await gate.admit(KEY, dollar)).reason).toBe("budget_exceeded");
      expect(refusedBy(await gate.check(KEY, dollar)).reason).toBe("budget_exceeded");
    }
  });
});
