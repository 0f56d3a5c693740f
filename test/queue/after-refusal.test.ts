import { describe, expect, it } from "vitest";
import type { RefusalReason } from "../../src/admission/reasons.js";
import type { Refused } from "../../src/admission/refusal.js";
import { afterRefusal, isHopeless } from "../../src/queue/after-refusal.js";

const refusal = (reason: RefusalReason, retryAfterMs?: number): Refused => ({
  admitted: false,
  reason,
  message: "short",
  limits: [],
  ...(retryAfterMs !== undefined && { retryAfterMs }),
});

const call = { deadlineAt: 1_000 };

describe("after a refusal", () => {
  it.each<[number, RefusalReason, number, number]>([
    [30, "rate_limited", 500, 530],
    [30, "in_flight_limited", 500, 130],
    [30, "rate_limited", 0, 31],
    [30, "in_flight_limited", 60, 90], // a slot that ends by itself before the next question
  ])(
    "at %s ms by %s with a wait of %s ms, the gate is asked again at %s ms",
    (now, reason, waitMs, askAt) => {
      const asked = { now, pollMs: 100, isOvertaken: false };
      expect(afterRefusal(call, refusal(reason, waitMs), asked)).toEqual({ askAt });
    },
  );

  it.each([
    [999, { askAt: 1_049 }],
    [1_000, { outcome: "timeout" }],
  ])("at %s ms of a second, a call for a slot has its answer once the second is over", (now, next) => {
    const asked = { now, pollMs: 50, isOvertaken: false };
    expect(afterRefusal(call, refusal("in_flight_limited", 500), asked)).toMatchObject(next);
  });

  it("waiting is hopeless where the wait ends after the deadline, and not where it ends with it", () => {
    expect(isHopeless(call, refusal("rate_limited", 500), 500)).toBe(false);
    expect(isHopeless(call, refusal("rate_limited", 500), 501)).toBe(true);
    expect(isHopeless(call, refusal("in_flight_limited", 9_000), 501)).toBe(false);
    expect(isHopeless(call, refusal("too_large"), 0)).toBe(true);
  });
});
