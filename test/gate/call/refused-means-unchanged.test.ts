import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryCounters } from "../../../src/counters/memory.js";
import type { Limits } from "../../../src/model/limits.js";
import { clockStep } from "../../counters/limits.js";
import { limited, world } from "../world.js";

const limits = (scale: number): Limits => ({
  rpm: 4 * scale,
  tpm: 500 * scale,
  outputTpm: 300 * scale,
  rpd: 9 * scale,
  inFlight: 3 * scale,
  budget: [
    { usd: 0.004 * scale, reset: "daily" },
    { usd: 0.009 * scale, reset: "monthly" },
    { usd: 0.02 * scale, reset: "never" },
  ],
  perModel: { "gpt-4o": { rpm: 3 * scale } },
});

const calls = fc.array(
  fc.record({
    step: clockStep,
    model: fc.constantFrom("gpt-4o", "gpt-4o-mini"),
    inputTokens: fc.nat(400),
    maxOutputTokens: fc.nat(300),
    settle: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40 },
);

describe("a refused call", () => {
  it("leaves every counter byte for byte as it was", async () => {
    let refusals = 0;
    await fc.assert(
      fc.asyncProperty(calls, async (trace) => {
        const counters = memoryCounters();
        const chain = limited({ org: limits(3), project: limits(2), member: limits(2), key: limits(1) });
        const { gate, clock } = world(chain, { counters });
        for (const { step, model, inputTokens, maxOutputTokens, settle } of trace) {
          clock.at += step;
          const before = JSON.stringify(counters.dump());
          const admission = await gate.admit({ keyId: "k1" }, { model, inputTokens, maxOutputTokens });
          if (!admission.admitted) {
            refusals++;
            expect(JSON.stringify(counters.dump())).toBe(before);
          } else if (settle) await gate.settle(admission.reservation, { outputTokens: maxOutputTokens >> 1 });
        }
      }),
      { numRuns: 300 },
    );
    expect(refusals).toBeGreaterThan(500);
  });

  it("gets the answer that check gives, and check changes no counter either", async () => {
    await fc.assert(
      fc.asyncProperty(calls, async (trace) => {
        const counters = memoryCounters();
        const { gate, clock } = world(limited({ project: limits(2), key: limits(1) }), { counters });
        for (const { step, model, inputTokens, maxOutputTokens } of trace) {
          clock.at += step;
          const usage = { model, inputTokens, maxOutputTokens };
          const before = JSON.stringify(counters.dump());
          const checked = await gate.check({ keyId: "k1" }, usage);
          expect(JSON.stringify(counters.dump())).toBe(before);
          const admitted = await gate.admit({ keyId: "k1" }, usage);
          expect(checked.admitted).toBe(admitted.admitted);
          if (!admitted.admitted) expect(JSON.stringify(checked)).toBe(JSON.stringify(admitted));
        }
      }),
      { numRuns: 100 },
    );
  });

  it("passes at retryAfterMs and is refused one millisecond earlier, whichever limit was short", async () => {
    let waits = 0;
    await fc.assert(
      fc.asyncProperty(calls, async (trace) => {
        const chain = limited({ org: limits(3), project: limits(2), key: limits(1) });
        const { gate, clock } = world(chain, { reservationTtlMs: 90_000 });
        for (const { step, model, inputTokens, maxOutputTokens, settle } of trace) {
          clock.at += Math.max(0, step);
          const usage = { model, inputTokens, maxOutputTokens };
          const admission = await gate.admit({ keyId: "k1" }, usage);
          if (admission.admitted) {
            if (settle) await gate.settle(admission.reservation, { outputTokens: maxOutputTokens >> 1 });
          } else if (admission.retryAfterMs !== undefined) {
            waits++;
            const refusedAt = clock.at;
            clock.at = refusedAt + admission.retryAfterMs - 1;
            expect(await gate.admit({ keyId: "k1" }, usage)).toMatchObject({ admitted: false });
            clock.at = refusedAt + admission.retryAfterMs;
            expect(await gate.admit({ keyId: "k1" }, usage)).toMatchObject({ admitted: true });
          }
        }
      }),
      { numRuns: 200 },
    );
    expect(waits).toBeGreaterThan(200);
  });
});
