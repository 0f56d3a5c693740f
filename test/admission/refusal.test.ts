import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import type { Charge, Reading } from "../../src/admission/charge.js";
import { creditLimit, type Limit } from "../../src/admission/limit.js";
import { MESSAGES } from "../../src/admission/reasons.js";
import { LimitRefusal, namedIndex, plainRefusal } from "../../src/admission/refusal.js";
import type { Limits } from "../../src/model/limits.js";
import { limitOf } from "../counters/limits.js";

const NEVER = Number.POSITIVE_INFINITY;
const NOON = Date.UTC(2026, 4, 15, 12);
const HOUR = 3_600_000;
const CREDITS: Limit = creditLimit(5_000_000_000, { kind: "org", id: "o1", key: "org o1", timeZone: "UTC" });

const charge = (limits: Limits | Limit, amount: number): Charge => {
  const limit = "meter" in limits ? limits : limitOf(limits);
  return { limit, amount };
};
const reading = (used: number, waitMs: number, resetMs = waitMs): Reading => ({ used, waitMs, resetMs });
const refused = (limits: Limits | Limit, amount: number, ...read: Parameters<typeof reading>) =>
  new LimitRefusal([charge(limits, amount)], [reading(...read)], 0, NOON);

describe("the charge that a refusal names", () => {
  const named = (given: readonly (readonly [Limits | Limit, amount: number, waitMs: number])[]) =>
    namedIndex(
      given.map(([limits, amount]) => charge(limits, amount)),
      given.map(([, , waitMs]) => reading(0, waitMs)),
    );

  it("is the one with the longest wait, the first of several", () => {
    expect(named([[{ rpm: 9 }, 1, 5]])).toBe(0);
    expect(
      named([
        [{ rpm: 9 }, 1, 5],
        [{ tpm: 9 }, 1, 7],
        [{ rpd: 9 }, 1, 7],
        [{ tpd: 9 }, 1, 6],
      ]),
    ).toBe(1);
    expect(
      named([
        [{ rpm: 9 }, 1, 5],
        [{ budget: { usd: 1, reset: "never" } }, 1, NEVER],
        [{ rpd: 9 }, 1, 9],
      ]),
    ).toBe(1);
  });

  it("is before all others one that the call alone is above, but credit, of which there may be more", () => {
    expect(
      named([
        [{ rpm: 9 }, 1, NEVER],
        [{ tpm: 9 }, 10, NEVER],
        [{ inputTpm: 9 }, 10, NEVER],
      ]),
    ).toBe(1);
    expect(
      named([
        [CREDITS, 6_000_000_000, NEVER],
        [{ tpm: 9 }, 10, NEVER],
      ]),
    ).toBe(1);
    expect(
      named([
        [{ rpm: 9 }, 1, 5],
        [{ tpm: 9 }, 9, 3],
      ]),
    ).toBe(0);
  });

  it("is none with room, and none in shadow mode", () => {
    expect(named([])).toBe(-1);
    expect(
      named([
        [{ rpm: 9 }, 1, 0],
        [{ tpm: 9, mode: "shadow" }, 10, NEVER],
      ]),
    ).toBe(-1);
    expect(namedIndex([charge({ tpm: 9 }, 10)], [])).toBe(-1);
  });
});

describe("a refusal by a limit", () => {
  it("has the reason that the limit gives", () => {
    expect(refused({ tpm: 9 }, 10, 0, NEVER).reason).toBe("too_large");
    expect(refused({ tpm: 9 }, 9, 9, 5).reason).toBe("rate_limited");
    expect(refused({ inFlight: 1 }, 1, 1, 5).reason).toBe("in_flight_limited");
    expect(refused({ inFlight: 0 }, 1, 0, NEVER).reason).toBe("too_large");
    expect(refused({ budget: { usd: 1, reset: "daily" } }, 9, 1e9, 5).reason).toBe("budget_exceeded");
    expect(refused({ budget: { usd: 1, reset: "never" } }, 9, 1e9, NEVER).reason).toBe("budget_exceeded");
    expect(refused(CREDITS, 9, 5e9, NEVER).reason).toBe("credits_exhausted");
    expect(refused(CREDITS, 6e9, 0, NEVER).reason).toBe("credits_exhausted");
  });

  it("says in a message which limit, how much of it is used, and when there is room", () => {
    expect(refused({ rpm: 1 }, 1, 1, 1_001).message).toBe(
      "The key limit of 1 request per minute (key key1) is used up to 1 request, and this call needs 1 request; there is room in 2 s.",
    );
    expect(refused({ tpd: 900 }, 1, 900, 2_000).message).toBe(
      "The key limit of 900 tokens per day (key key1) is used up to 900 tokens, and this call needs 1 token; there is room in 2 s.",
    );
    expect(refused({ perModel: { "gpt-4o": { inputTpm: 20 } } }, 2, 19, 1_000).message).toBe(
      "The key limit of 20 input tokens per minute for gpt-4o (key key1) is used up to 19 input tokens, and this call needs 2 input tokens; there is room in 1 s.",
    );
    expect(refused({ inFlight: 2 }, 1, 2, 999).message).toBe(
      "The key limit of 2 calls at the same time (key key1) is used up to 2 calls, and this call needs 1 call; there is room as soon as one of them ends, in 1 s at the latest.",
    );
    const monthly = { budget: { usd: 200, reset: "monthly" as const } };
    expect(refused(limitOf(monthly, "project"), 0.75e9, 199.5e9, 2 * HOUR, HOUR).message).toBe(
      "The project limit of 200 USD (monthly budget) (project project1) is used up to 199.5 USD, and this call needs 0.75 USD; it resets at 2026-05-15T14:00:00.000Z.",
    );
    expect(refused(monthly, 1e9, 200e9, NEVER).message).toBe(
      "The key limit of 200 USD (monthly budget) (key key1) is used up to 200 USD, and this call needs 1 USD.",
    );
    expect(refused({ budget: { usd: 1, reset: "never" } }, 1e9, 0.5e9, NEVER).message).toBe(
      "The key limit of 1 USD (lifetime budget) (key key1) is used up to 0.5 USD, and this call needs 1 USD.",
    );
    expect(refused(CREDITS, 6e9, 4e9, NEVER).message).toBe(
      "The org limit of 5 USD (credits) (org o1) is used up to 4 USD, and this call needs 6 USD.",
    );
    expect(refused({ budget: { usd: 9_000_000, reset: "never" } }, 75, 9e15 - 1, NEVER).message).toBe(
      "The key limit of 9000000 USD (lifetime budget) (key key1) is used up to 8999999.999999999 USD, and this call needs 0.000000075 USD.",
    );
  });

  it("of a budget whose next period is spent too resets when there is room, in its message and readings", () => {
    const refusal = refused({ budget: { usd: 1, reset: "daily" } }, 1, 1e9, 20 * HOUR, HOUR);
    expect(refusal.retryAfterMs).toBe(20 * HOUR);
    expect(refusal.limit.resetsAt).toBe(NOON + 20 * HOUR);
    expect(refusal.limits[0]?.resetsAt).toBe(NOON + 20 * HOUR);
    expect(refusal.message).toContain("it resets at 2026-05-16T08:00:00.000Z");
  });

  it("says of a call that is too large how large it is", () => {
    expect(refused({ outputTpm: 1 }, 2, 0, NEVER).message).toBe(
      "The key limit of 1 output token per minute (key key1) is below the 2 output tokens that this call alone needs.",
    );
  });

  it("says how long to wait, unless that never helps", () => {
    expect(refused({ rpm: 1 }, 1, 1, 1_001).retryAfterMs).toBe(1_001);
    expect("retryAfterMs" in refused({ rpm: 1 }, 2, 1, NEVER)).toBe(false);
  });

  it("shows the limit that it names among all limits of the call, as they were", () => {
    const refusal = new LimitRefusal(
      [charge(limitOf({ rpm: 9 }, "org"), 1), charge({ tpm: 50 }, 30)],
      [reading(4, 0, 7_000), reading(40, 3_000, 5_000)],
      1,
      NOON,
    );
    expect(refusal).toMatchObject({ admitted: false, reason: "rate_limited", scope: "key" });
    const tokens = {
      scope: "key",
      scopeId: "key1",
      meter: "tokens",
      max: 50,
      used: 40,
      remaining: 10,
      window: "minute",
      mode: "enforce",
      resetsAt: NOON + 5_000,
    };
    const requests = {
      scope: "org",
      scopeId: "org1",
      meter: "requests",
      max: 9,
      used: 4,
      remaining: 5,
      window: "minute",
      mode: "enforce",
      resetsAt: NOON + 7_000,
    };
    expect(refusal.limit).toEqual(tokens);
    expect(refusal.limits).toEqual([requests, tokens]);
    const shown = {
      admitted: false,
      reason: "rate_limited",
      message: refusal.message,
      scope: "key",
      limit: tokens,
      limits: [requests, tokens],
      retryAfterMs: 3_000,
    };
    expect(refusal.toJSON()).toStrictEqual(shown);
    expect(inspect(refusal)).toBe(inspect(shown));
    expect(Object.keys(refused({ rpm: 1 }, 2, 0, NEVER).toJSON())).not.toContain("retryAfterMs");
  });

  it("names one of its charges", () => {
    const wrong = () => new LimitRefusal([charge({ rpm: 1 }, 1)], [reading(0, 1)], -1, NOON);
    expect(wrong).toThrow(new RangeError("a refusal names one of its charges"));
  });
});

describe("a reading of a limit", () => {
  it("shows money in dollars besides, and an overdraft with nothing left", () => {
    expect(refused({ budget: { usd: 2, reset: "never" } }, 1, 3e9, NEVER).limit).toStrictEqual({
      scope: "key",
      scopeId: "key1",
      meter: "cost",
      max: 2e9,
      used: 3e9,
      remaining: 0,
      usd: { max: 2, used: 3, remaining: 0 },
      window: "lifetime",
      mode: "enforce",
    });
  });

  it("shows the models that it is about", () => {
    expect(refused({ perModel: { "openai/*": { rpm: 1 } } }, 1, 1, 5).limit).toMatchObject({
      perModel: "openai/*",
    });
    expect("perModel" in refused({ rpm: 1 }, 1, 1, 5).limit).toBe(false);
  });
});

describe("a refusal that no limit caused", () => {
  it("says why, in a sentence that names nobody", () => {
    expect(plainRefusal("key_revoked")).toEqual({
      admitted: false,
      reason: "key_revoked",
      message: "The API key was revoked.",
      limits: [],
    });
    expect(MESSAGES).toEqual({
      counters_unavailable: "Usage cannot be counted at the moment.",
      holder_removed: "The holder of the API key is no longer a member of its project.",
      invalid_key: "The API key is not valid.",
      key_disabled: "The API key is disabled.",
      key_expired: "The API key has expired.",
      key_revoked: "The API key was revoked.",
      mcp_server_not_allowed: "The API key may not call this MCP server.",
      model_not_allowed: "The API key may not call this model.",
      model_unpriced: "A budget applies and the price of this model is not known.",
      org_inactive: "The organization is suspended.",
      project_inactive: "The project is archived.",
      queue_full: "Too many calls are waiting.",
      queue_timeout: "There was no room for the call in the time that it may wait.",
    });
  });
});
