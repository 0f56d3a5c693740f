import { once } from "node:events";
import Anthropic from "@anthropic-ai/sdk";
import express, { type ErrorRequestHandler } from "express";
import fc from "fast-check";
import fastify from "fastify";
import OpenAI from "openai";
import {
  type Admission,
  ClosedError,
  ConflictError,
  CountersUnavailableError,
  createGate,
  LastOwnerError,
  LedgerUnavailableError,
  LimitError,
  type LimitReading,
  NotFoundError,
  PermissionError,
  REFUSAL_REASONS,
  type TollgateError,
  ValidationError,
} from "tollgate";
import { Failure, type HttpAnswer, type Profile, toErrorResponse, toResponse } from "tollgate/http";
import { aKeyChain, directoryOf, ManualClock } from "tollgate/testing";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { anyString } from "../any-string.js";
import { anAdmission, aReading, aRefusal, NOW, refusedByLimit } from "./refusals.js";

const PROFILES: readonly Profile[] = ["openai", "anthropic", "problem"];

/** Design, section 5. */
const STATUS = {
  invalid_key: 401,
  key_revoked: 401,
  key_disabled: 401,
  key_expired: 401,
  org_inactive: 403,
  project_inactive: 403,
  holder_removed: 403,
  model_not_allowed: 403,
  mcp_server_not_allowed: 403,
  model_unpriced: 403,
  too_large: 429,
  rate_limited: 429,
  in_flight_limited: 429,
  budget_exceeded: 402,
  credits_exhausted: 402,
  counters_unavailable: 503,
  queue_full: 429,
  queue_timeout: 429,
} as const;

const openaiError = ({ status, headers, body }: HttpAnswer) =>
  OpenAI.APIError.generate(status, body, undefined, new Headers(headers));
const anthropicError = ({ status, headers, body }: HttpAnswer) =>
  Anthropic.APIError.generate(status, body, undefined, new Headers(headers));

describe.each(PROFILES)("every refusal, profile %s", (profile) => {
  it.each(REFUSAL_REASONS)("%s has the status of its table and a body that JSON can carry", (reason) => {
    const { status, body, headers } = toResponse(aRefusal(reason), { profile, now: NOW });
    expect(status).toBe(STATUS[reason]);
    expect(JSON.parse(JSON.stringify(body))).toEqual(body);
    expect(headers["content-type"]).toMatch(/^application\/(problem\+)?json$/);
  });

  it("about a token is the same, whatever is wrong with it", () => {
    const reasons = ["invalid_key", "key_revoked", "key_disabled", "key_expired"] as const;
    const answers = reasons.map((reason) => toResponse(aRefusal(reason), { profile, now: NOW }));
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(JSON.stringify(answers[0])).not.toContain("refused for");
    expect(answers[0]?.headers["www-authenticate"]).toBe("Bearer");
    const spent = toResponse(aRefusal("budget_exceeded"), { profile, now: NOW });
    expect(spent.headers).not.toHaveProperty("www-authenticate");
  });
});

describe("whether and when to try again", () => {
  const hints = (answer: HttpAnswer) => [
    answer.headers["retry-after"],
    answer.headers["retry-after-ms"],
    answer.headers["x-should-retry"],
  ];
  const limit = aReading({ used: 10, remaining: 0 });
  const hintsOf = (reason: (typeof REFUSAL_REASONS)[number], retryAfterMs?: number) =>
    hints(toResponse(refusedByLimit(reason, limit, retryAfterMs), { profile: "openai", now: NOW }));

  it("a rate limit says how long in milliseconds, and in whole seconds that are not too few", () => {
    expect(hintsOf("rate_limited", 0.2)).toEqual(["1", "1", undefined]);
    expect(hintsOf("rate_limited", 1)).toEqual(["1", "1", undefined]);
    expect(hintsOf("rate_limited", 1_000)).toEqual(["1", "1000", undefined]);
    expect(hintsOf("rate_limited", 1_001)).toEqual(["2", "1001", undefined]);
    expect(hintsOf("rate_limited", 59_999)).toEqual(["60", "59999", undefined]);
  });

  it("the whole wait of a sliding minute is one to sit out, in milliseconds that every SDK honours", () => {
    expect(hintsOf("rate_limited", 60_000)).toEqual(["60", "59999", undefined]);
    expect(hintsOf("rate_limited", 61_000)).toEqual(["61", "59999", undefined]);
  });

  it("a client that waits as told passes a limit per minute at its second retry at the latest", async () => {
    for (const startMs of [0, 1, 500, 999]) {
      const clock = new ManualClock(NOW + startMs);
      const directory = directoryOf(aKeyChain({ key: { limits: { rpm: 1 } } }));
      const gate = createGate({ directory, clock });
      const call = { model: "m", inputTokens: 1 };
      const passes = async () => {
        const admission = await gate.admit(directory.tokenOf("key"), call);
        const { headers } = toResponse(admission, { profile: "openai", now: clock.now() });
        expect(headers["x-should-retry"]).toBeUndefined();
        clock.advance(Number(headers["retry-after-ms"] ?? 0));
        return admission.admitted;
      };
      expect(await passes()).toBe(true);
      const answers = [await passes(), await passes(), await passes()];
      expect([startMs, answers.indexOf(true)]).toEqual([
        startMs,
        expect.toSatisfy((at) => at === 1 || at === 2),
      ]);
    }
  });

  it("a wait that is longer than any of a minute is told, but is none that a client should sit out by itself", () => {
    expect(hintsOf("rate_limited", 61_001)).toEqual(["62", "61001", "false"]);
    expect(hintsOf("rate_limited", 86_400_000)).toEqual(["86400", "86400000", "false"]);
  });

  it("a call that is too large is never worth another try", () => {
    expect(hintsOf("too_large")).toEqual([undefined, undefined, "false"]);
  });

  it("parallel calls: soon, and not at the end of the slots' own life", () => {
    expect(hintsOf("in_flight_limited", 3_600_000)).toEqual(["1", "1000", undefined]);
    expect(hintsOf("in_flight_limited", 20)).toEqual(["1", "20", undefined]);
    expect(hintsOf("in_flight_limited")).toEqual(["1", "1000", undefined]);
  });

  it("a queue that had no place: after the wait of the limit that was short, or soon", () => {
    expect(hintsOf("queue_full", 20_000)).toEqual(["20", "20000", undefined]);
    expect(hintsOf("queue_timeout")).toEqual(["1", "1000", undefined]);
  });

  it("money: never by itself, though it says when the budget starts again", () => {
    expect(hintsOf("budget_exceeded", 30_000)).toEqual(["30", "30000", "false"]);
    expect(hintsOf("budget_exceeded")).toEqual([undefined, undefined, "false"]);
    expect(hintsOf("credits_exhausted")).toEqual([undefined, undefined, "false"]);
  });

  it("who may not is told not to, and an outage is left to the client's own patience", () => {
    expect(hintsOf("model_not_allowed")).toEqual([undefined, undefined, "false"]);
    expect(hintsOf("invalid_key")).toEqual([undefined, undefined, "false"]);
    expect(hintsOf("counters_unavailable")).toEqual([undefined, undefined, undefined]);
  });
});

describe("profile openai", () => {
  const answer = (reason: (typeof REFUSAL_REASONS)[number], limit = aReading()) =>
    openaiError(toResponse(refusedByLimit(reason, limit, 500), { profile: "openai", now: NOW }));

  it("is what the SDK makes its own errors of, with type, code and message", () => {
    const refused = (error: unknown) => ({ ...(error as { status: number; type: string; code: string }) });
    expect(answer("rate_limited")).toBeInstanceOf(OpenAI.RateLimitError);
    expect(refused(answer("rate_limited"))).toMatchObject({
      status: 429,
      type: "requests",
      code: "rate_limit_exceeded",
    });
    expect(refused(answer("rate_limited", aReading({ meter: "inputTokens" })))).toMatchObject({
      type: "tokens",
      code: "rate_limit_exceeded",
    });
    expect(answer("invalid_key")).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(refused(answer("key_revoked"))).toMatchObject({ status: 401, code: "invalid_api_key" });
    expect(answer("model_not_allowed")).toBeInstanceOf(OpenAI.PermissionDeniedError);
    expect(refused(answer("model_not_allowed"))).toMatchObject({ status: 403, code: "model_not_found" });
    expect(refused(answer("project_inactive"))).toMatchObject({ status: 403, code: "project_inactive" });
    const budget = aReading({ meter: "cost", window: "monthly" });
    const quota = { type: "insufficient_quota", code: "insufficient_quota" };
    for (const reason of ["budget_exceeded", "credits_exhausted"] as const) {
      expect(refused(answer(reason, budget))).toMatchObject({ status: 402, ...quota });
    }
    expect(refused(answer("too_large", budget))).toMatchObject({ status: 429, ...quota });
    expect(refused(answer("too_large"))).toMatchObject({ status: 429, code: "rate_limit_exceeded" });
    expect(answer("counters_unavailable")).toBeInstanceOf(OpenAI.InternalServerError);
    expect(answer("rate_limited").message).toBe("429 refused for rate_limited");
  });

  it.each(["tokens", "inputTokens", "outputTokens"] as const)(
    "of a limit on %s is about a rate of tokens",
    (meter) => {
      for (const reason of ["rate_limited", "too_large"] as const) {
        expect(answer(reason, aReading({ meter }))).toMatchObject({
          status: 429,
          type: "tokens",
          code: "rate_limit_exceeded",
        });
      }
    },
  );

  it("of parallel calls is of the type that is about requests", () => {
    const slots = aReading({ meter: "inFlight", window: "in-flight" });
    expect(answer("in_flight_limited", slots)).toMatchObject({
      type: "requests",
      code: "rate_limit_exceeded",
    });
  });

  it("tells the tightest limit on requests and on tokens, whichever comes first, with resets as durations", () => {
    const limits = [
      aReading(),
      aReading({ scope: "member", max: 200, remaining: 100, window: "day", resetsAt: NOW + 86_400_000 }),
      aReading({ scope: "org", max: 1_000, remaining: 3, resetsAt: NOW + 250 }),
      aReading({ scope: "project", max: 50, remaining: 3, window: "day", resetsAt: NOW + 3_661_500 }),
      aReading({ meter: "tokens", max: 9_000, remaining: 800, resetsAt: NOW + 1_500 }),
      aReading({ meter: "tokens", max: 100, remaining: 0, mode: "shadow" }),
      aReading({ meter: "cost", max: 5e9, remaining: 1 }),
    ];
    for (const given of [limits, limits.toReversed()]) {
      expect(toResponse(anAdmission(given), { profile: "openai", now: NOW })).toEqual({
        status: 200,
        headers: {
          "x-ratelimit-limit-requests": "50",
          "x-ratelimit-remaining-requests": "3",
          "x-ratelimit-reset-requests": "1h1m1.5s",
          "x-ratelimit-limit-tokens": "9000",
          "x-ratelimit-remaining-tokens": "800",
          "x-ratelimit-reset-tokens": "1.5s",
        },
      });
    }
  });

  it("of several with as little left, tells the one that is used for longest: before all, one without an end", () => {
    const { resetsAt: _, ...endless } = aReading({ max: 30 });
    const limits = [aReading(), aReading({ max: 20, resetsAt: NOW + 90_000 })];
    const told = (of: typeof limits) => toResponse(anAdmission(of), { profile: "openai", now: NOW }).headers;
    expect(told(limits)["x-ratelimit-limit-requests"]).toBe("20");
    expect(told([...limits, endless])).toEqual({
      "x-ratelimit-limit-requests": "30",
      "x-ratelimit-remaining-requests": "6",
    });
  });

  it.each([
    [0, "0ms"],
    [12.2, "13ms"],
    [999, "999ms"],
    [1_000, "1s"],
    [360_000, "6m0s"],
    [3_600_000, "1h0m0s"],
    [-5, "0ms"],
  ])("writes %d ms as %s", (ms, text) => {
    const limits = [aReading({ resetsAt: NOW + ms })];
    const { headers } = toResponse(anAdmission(limits), { profile: "openai", now: NOW });
    expect(headers["x-ratelimit-reset-requests"]).toBe(text);
  });

  it("counts from the machine's time if it is told no other", () => {
    const present = vi.spyOn(Date, "now").mockReturnValue(NOW);
    onTestFinished(() => present.mockRestore());
    const { headers } = toResponse(anAdmission([aReading()]), { profile: "openai" });
    expect(headers["x-ratelimit-reset-requests"]).toBe("1m1s");
  });

  it("tells of tokens also where nothing limits requests, or only a limit without an end", () => {
    const { resetsAt: _, ...endless } = aReading();
    const tokens = aReading({ meter: "tokens", max: 100, remaining: 90 });
    const told = { "x-ratelimit-remaining-tokens": "90", "x-ratelimit-reset-tokens": "1m1s" };
    for (const limits of [[tokens], [endless, tokens]])
      expect(toResponse(anAdmission(limits), { profile: "openai", now: NOW }).headers).toMatchObject(told);
  });

  it("says nothing where no limit applies", () => {
    expect(toResponse(anAdmission([]), { profile: "openai", now: NOW }).headers).toEqual({});
  });
});

describe("profile anthropic", () => {
  const answer = (reason: (typeof REFUSAL_REASONS)[number]) =>
    anthropicError(toResponse(refusedByLimit(reason, aReading(), 500), { profile: "anthropic", now: NOW }));

  it("is what the SDK makes its own errors of, with the exact reason in the details", () => {
    expect(answer("rate_limited")).toBeInstanceOf(Anthropic.RateLimitError);
    expect(answer("rate_limited")).toMatchObject({
      status: 429,
      type: "rate_limit_error",
      errorCode: "rate_limited",
      apiMessage: "refused for rate_limited",
    });
    expect(answer("key_expired")).toBeInstanceOf(Anthropic.AuthenticationError);
    expect(answer("key_expired")).toMatchObject({ type: "authentication_error", errorCode: "invalid_key" });
    expect(answer("model_not_allowed")).toBeInstanceOf(Anthropic.PermissionDeniedError);
    expect(answer("model_not_allowed")).toMatchObject({ type: "permission_error" });
    expect(answer("budget_exceeded")).toMatchObject({ status: 402, type: "billing_error" });
    expect(answer("counters_unavailable")).toMatchObject({ status: 503, type: "api_error" });
  });

  it("tells requests and the three counts of tokens, with resets as moments", () => {
    const limits = [
      aReading({ resetsAt: NOW + 1 }),
      aReading({ meter: "tokens", max: 100, remaining: 90 }),
      aReading({ meter: "inputTokens", max: 80, remaining: 70 }),
      aReading({ meter: "outputTokens", max: 60, remaining: 50 }),
    ];
    const { headers } = toResponse(anAdmission(limits), { profile: "anthropic", now: NOW });
    expect(headers).toMatchObject({
      "anthropic-ratelimit-requests-limit": "10",
      "anthropic-ratelimit-requests-remaining": "6",
      "anthropic-ratelimit-requests-reset": "2026-05-15T12:00:01Z",
      "anthropic-ratelimit-tokens-remaining": "90",
      "anthropic-ratelimit-input-tokens-remaining": "70",
      "anthropic-ratelimit-output-tokens-limit": "60",
    });
    expect(Object.keys(headers)).toHaveLength(12);
  });

  it("tells of tokens also where nothing limits requests, or only a limit without an end", () => {
    const { resetsAt: _, ...endless } = aReading();
    const output = aReading({ meter: "outputTokens", max: 60, remaining: 50, resetsAt: NOW + 1 });
    for (const limits of [[output], [endless, output]])
      expect(toResponse(anAdmission(limits), { profile: "anthropic", now: NOW }).headers).toMatchObject({
        "anthropic-ratelimit-output-tokens-remaining": "50",
        "anthropic-ratelimit-output-tokens-reset": "2026-05-15T12:00:01Z",
      });
  });

  it("tells no reset of a limit that has none", () => {
    const { resetsAt: _, ...endless } = aReading();
    const { headers } = toResponse(anAdmission([endless]), { profile: "anthropic", now: NOW });
    expect(headers).toEqual({
      "anthropic-ratelimit-requests-limit": "10",
      "anthropic-ratelimit-requests-remaining": "6",
    });
  });
});

describe("profile problem", () => {
  it("is a problem of RFC 9457; where a limit is the reason, of the type quota-exceeded", () => {
    const limit = aReading({ used: 10, remaining: 0 });
    const { status, headers, body } = toResponse(refusedByLimit("rate_limited", limit, 4_200), {
      profile: "problem",
      now: NOW,
    });
    expect(status).toBe(429);
    expect(headers).toEqual({
      "content-type": "application/problem+json",
      "ratelimit-policy": '"key-requests-minute";q=10;w=60',
      ratelimit: '"key-requests-minute";r=0;t=61',
      "retry-after": "5",
      "retry-after-ms": "4200",
    });
    expect(body).toEqual({
      type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
      title: "Request cannot be satisfied as assigned quota has been exceeded",
      status: 429,
      detail: "refused for rate_limited",
      code: "rate_limited",
      "violated-policies": ["key-requests-minute"],
    });
    expect(toResponse(aRefusal("model_not_allowed"), { profile: "problem", now: NOW }).body).toEqual({
      type: "about:blank",
      title: "Forbidden",
      status: 403,
      detail: "refused for model_not_allowed",
      code: "model_not_allowed",
    });
  });

  it("lists the limits with their units, the tightest first, and of money only what is the reason", () => {
    const budget = aReading({
      scope: "org",
      meter: "cost",
      window: "monthly",
      max: 2_000_000_001,
      remaining: 0,
    });
    const limits = [
      aReading(),
      aReading({ scope: "project", meter: "tokens", window: "day", max: 100, remaining: 10 }),
      aReading({ meter: "inFlight", window: "in-flight", max: 5, remaining: 5, perModel: 'a/*"\r\n€' }),
      aReading({ scope: "org", meter: "cost", window: "daily", max: 1e9, remaining: 0 }),
      budget,
      aReading({ scope: "member", mode: "shadow", remaining: 0 }),
    ];
    const admitted = toResponse(anAdmission(limits), { profile: "problem", now: NOW }).headers;
    expect(admitted["ratelimit-policy"]).toBe(
      '"project-tokens-day";q=100;w=86400;qu="tokens", ' +
        '"key-requests-minute";q=10;w=60, ' +
        '"key-inFlight-in-flight:a%2F*%22%0D%0A%E2%82%AC";q=5;qu="concurrent-requests"',
    );
    const refused = aRefusal("budget_exceeded", { scope: "org", limit: budget, limits });
    const { headers, body } = toResponse(refused, { profile: "problem", now: NOW });
    expect(headers["ratelimit-policy"]).toContain('"org-cost-monthly";q=2000000;qu="micro-usd", ');
    expect(headers["ratelimit-policy"]).not.toContain("daily");
    expect(body?.["violated-policies"]).toEqual(["org-cost-monthly"]);
  });

  it("lists the limit that is named first, though others have less left, and no reset that is over", () => {
    const named = aReading({ remaining: 6, resetsAt: NOW - 5_000 });
    const others = Array.from({ length: 20 }, (_, i) =>
      aReading({ meter: "tokens", remaining: 0, perModel: `m${i}` }),
    );
    const refused = aRefusal("rate_limited", { scope: "key", limit: named, limits: [...others, named] });
    const { headers } = toResponse(refused, { profile: "problem", now: NOW });
    expect(headers.ratelimit).toMatch(/^"key-requests-minute";r=6;t=0, /);
  });

  it("lists a limit of zero before one of which something is left", () => {
    const limits = [aReading(), aReading({ meter: "tokens", max: 0, remaining: 0 })];
    const { headers } = toResponse(anAdmission(limits), { profile: "problem", now: NOW });
    expect(headers.ratelimit).toMatch(/^"key-tokens-minute";r=0;.*, "key-requests-minute";r=6;/);
  });

  it("tells no reset before its moment, and takes a pattern that is no well-formed text", () => {
    const limits = [aReading({ resetsAt: NOW + 1, perModel: "\uD800" })];
    const { headers } = toResponse(anAdmission(limits), { profile: "problem", now: NOW });
    expect(headers.ratelimit).toBe('"key-requests-minute:%EF%BF%BD";r=6;t=1');
  });

  it("tells no reset of a limit that has none", () => {
    const { resetsAt: _, ...slots } = aReading({ meter: "inFlight", window: "in-flight" });
    const { headers } = toResponse(anAdmission([slots]), { profile: "problem", now: NOW });
    expect(headers.ratelimit).toBe('"key-inFlight-in-flight";r=6');
  });

  it("has integers of at most 15 digits, and at most 16 limits", () => {
    const limits = Array.from({ length: 100 }, (_, i) =>
      aReading({ meter: "tokens", max: 1e15, remaining: 1e15 - 100 + i, perModel: `m${i}` }),
    );
    const { headers } = toResponse(anAdmission(limits), { profile: "problem", now: NOW });
    expect(headers["ratelimit-policy"]?.match(/q=999999999999999;/g)).toHaveLength(16);
    expect(headers.ratelimit).toContain('minute:m0"');
  });
});

describe("no answer", () => {
  it("can be broken by an id, a message or a pattern: every header is printable ASCII on one line", () => {
    const text = anyString({ maxLength: 20 });
    const reading = fc.record({
      scopeId: text,
      perModel: text,
      meter: fc.constantFrom("requests", "tokens", "inputTokens", "outputTokens", "cost", "inFlight"),
      remaining: fc.nat(),
    });
    fc.assert(
      fc.property(
        fc.array(reading, { maxLength: 4 }),
        text,
        fc.constantFrom(...PROFILES),
        (parts, message, profile) => {
          const limits = parts.map((part) => aReading(part as Partial<ReturnType<typeof aReading>>));
          const refusal = aRefusal("rate_limited", {
            message,
            limits,
            retryAfterMs: 10,
            ...(limits[0] && { limit: limits[0] }),
          });
          const { headers } = toResponse(refusal, { profile, now: NOW });
          expect(
            Object.entries(headers).filter(
              ([name, value]) => !/^[a-z-]+$/.test(name) || !/^[ -~]+$/.test(value),
            ),
          ).toEqual([]);
          new Headers(headers);
        },
      ),
    );
  });

  it("is given for a profile that does not exist", () => {
    for (const profile of ["azure", "constructor"]) {
      const options = { profile: profile as Profile };
      expect(() => toResponse(anAdmission([]), options)).toThrow(ValidationError);
    }
    expect(() => toResponse(anAdmission([]), undefined as never)).toThrow(ValidationError);
  });
});

describe("a copy of a decision", () => {
  const decisions = async () => {
    const directory = directoryOf(aKeyChain({ key: { limits: { rpm: 1 } } }));
    const gate = createGate({ directory, clock: new ManualClock(NOW) });
    const admit = () => gate.admit(directory.tokenOf("key"), { model: "m", inputTokens: 1 });
    return [await admit(), await admit()];
  };
  const answer = (admission: Admission) => toResponse(admission, { profile: "problem", now: NOW });

  it("that JSON made is answered as the decision itself", async () => {
    for (const admission of await decisions()) {
      expect(answer(JSON.parse(JSON.stringify(admission)))).toEqual(answer(admission));
    }
  });

  it("by spreading is refused with what it leaves out", async () => {
    for (const admission of await decisions()) {
      const spread = () => answer({ ...admission });
      expect(spread).toThrow(ValidationError);
      expect(spread).toThrow(/^admission\.limits: .*\{ \.\.\.admission \} leaves out limits and message$/);
      const limits = {} as LimitReading[]; // a caller's mistake
      expect(() => answer({ ...admission, limits })).toThrow(ValidationError);
    }
  });
});

describe("an error", () => {
  const told = (error: unknown) => {
    const { status, headers, body } = toErrorResponse(error, { profile: "problem" });
    return [status, body?.code, headers["x-should-retry"]];
  };

  it.each<[status: number, error: TollgateError]>([
    [400, new ValidationError([{ field: "usage.model", expected: "text" }])],
    [403, new PermissionError("key.create", "no_role")],
    [404, new NotFoundError("key")],
    [409, new ConflictError("taken")],
    [409, new LastOwnerError("o1")],
    [422, new LimitError("limits.rpm", "too high")],
    [503, new CountersUnavailableError("down")],
    [503, new LedgerUnavailableError("down")],
    [503, new ClosedError("gate")],
  ])("of ours has the status %i of its code, and only an outage is worth another try", (status, error) => {
    expect(told(error)).toEqual([status, error.code, status === 503 ? undefined : "false"]);
  });

  it("of a client's field is the client's, also where the field has a name as the gateway's own have", () => {
    for (const field of ["usage.tags.options", "queryText"]) {
      expect(told(new ValidationError([{ field, expected: "x" }]))).toEqual([400, "validation", "false"]);
    }
    const both = ["usage.model", "options.clock"].map((field) => ({ field, expected: "x" }));
    expect(told(new ValidationError(both))).toEqual([500, "internal_error", undefined]);
  });

  it("in the form of OpenAI is about a rate only if its status is 429", () => {
    const { body } = toErrorResponse(new Failure(431, "x", "m"), { profile: "openai" });
    expect(body?.error).toMatchObject({ type: "invalid_request_error" });
  });

  it.each([
    [404, "not_found_error"],
    [409, "conflict_error"],
    [413, "request_too_large"],
    [418, "invalid_request_error"],
  ])("of status %i has the type %s of Anthropic", (status, type) => {
    const { body } = toErrorResponse(new Failure(status, "x", "m"), { profile: "anthropic" });
    expect(body?.error).toMatchObject({ type });
  });

  it("that is unknown is a server's error in every profile", () => {
    const typeIn = (profile: Profile) =>
      Object(toErrorResponse(new Error("x"), { profile }).body?.error).type;
    expect([typeIn("openai"), typeIn("anthropic")]).toEqual(["server_error", "api_error"]);
  });

  it("in what the gateway asks of itself is no mistake of its client", () => {
    for (const field of ["options.clock", "chain.org.id", "reservation", "actual.model", "query.keyId"]) {
      expect(told(new ValidationError([{ field, expected: "x" }]))).toEqual([
        500,
        "internal_error",
        undefined,
      ]);
    }
  });

  it("that the gateway made for its client is told as it is", () => {
    const failure = new Failure(502, "upstream_unreachable", "The provider does not answer.");
    const { status, body } = toErrorResponse(failure, { profile: "openai" });
    expect([status, body]).toEqual([
      502,
      {
        error: {
          message: "The provider does not answer.",
          type: "server_error",
          param: null,
          code: "upstream_unreachable",
        },
      },
    ]);
  });

  it("keeps its cause for the gateway's log, and no client is told of it", () => {
    const cause = new Error("of the account org-ours");
    const failure = new Failure(502, "upstream_failed", "The provider failed.", { cause });
    expect(failure.cause).toBe(cause);
    for (const profile of ["openai", "anthropic", "problem"] as const) {
      expect(JSON.stringify(toErrorResponse(failure, { profile }))).not.toContain("org-ours");
    }
    expect(new Failure(502, "upstream_failed", "The provider failed.")).not.toHaveProperty("cause");
  });

  it("that the gateway makes has the status of one", () => {
    for (const status of [200, 399, 600, 404.5, Number.NaN]) {
      expect(() => new Failure(status, "x", "m")).toThrow(/^status: a status of an error, from 400 to 599$/);
    }
    expect([new Failure(400, "x", "m").status, new Failure(599, "x", "m").status]).toEqual([400, 599]);
    expect(String(new Failure(400, "x", "m"))).toBe("Failure: m");
  });

  it("of a request, as Express and Koa expose it, is told by its status, and one that they do not expose is not", () => {
    const thrown = (more: object) =>
      Object.assign(new Error("request entity too large"), { status: 413, ...more });
    expect(told(thrown({ expose: true }))).toEqual([413, "invalid_request", "false"]);
    for (const more of [
      {},
      { expose: false },
      { expose: true, status: 500 },
      { expose: true, status: 302 },
      { expose: "yes" },
      { expose: true, status: "413" },
    ]) {
      expect(told(thrown(more))).toEqual([500, "internal_error", undefined]);
    }
  });

  it("of a body that Koa's parsers cannot read is 400, and of JSON that the gateway itself cannot read 500", () => {
    // As co-body throws them, which the body parsers of Koa are made of: its own, and that of JSON.parse.
    const asCoBody = (error: unknown) => Object.assign(Object(error), { status: 400, body: "{" });
    const own = new SyntaxError("invalid JSON, only supports object and array");
    expect(told(asCoBody(own))).toEqual([400, "invalid_request", "false"]);
    let unread: unknown;
    try {
      JSON.parse("{");
    } catch (error) {
      unread = error;
    }
    expect(told(unread)).toEqual([500, "internal_error", undefined]);
    // A client for HTTP may put the status of the provider's answer on it.
    expect(told(Object.assign(Object(unread), { status: 400 }))).toEqual([500, "internal_error", undefined]);
    expect(told(asCoBody(unread))).toEqual([400, "invalid_request", "false"]);
  });

  it("of Express itself is 400 for a path that cannot be decoded, and of the gateway's own decoding 500", async () => {
    const app = express();
    app.get("/keys/:id", () => expect.unreachable());
    app.get("/own", () => decodeURIComponent("%zz"));
    app.use(((error, _request, reply, _next) => {
      reply.json(told(error));
    }) satisfies ErrorRequestHandler);
    const server = app.listen(0, "127.0.0.1");
    await once(server, "listening");
    const answer = (path: string) =>
      fetch(`http://127.0.0.1:${Object(server.address()).port}${path}`).then((response) => response.json());
    expect(await answer("/keys/%zz")).toEqual([400, "invalid_request", "false"]);
    expect(await answer("/own")).toEqual([500, "internal_error", null]);
    server.close();
    server.closeAllConnections();
  });

  it("of a request shows no token that the client has put into its address or its body", async () => {
    const token = directoryOf(aKeyChain({})).tokenOf("key");
    const message = `'/v1/%ZZ${token}' is not a valid url component`;
    for (const framework of [
      { expose: true, status: 400 },
      { code: "FST_ERR_BAD_URL", statusCode: 400 },
    ]) {
      const { body } = toErrorResponse(Object.assign(new Error(message), framework), { profile: "problem" });
      expect(body?.detail).toBe(`'/v1/%ZZsk-tg-••••${token.slice(-4)}' is not a valid url component`);
    }
  });

  it.each<[status: number, what: string, type: string, body: string]>([
    [400, "no JSON", "application/json", "{"],
    [413, "too large", "application/json", JSON.stringify("x".repeat(200))],
    [415, "of a type that nobody reads", "text/csv", "a,b"],
  ])("of Fastify itself is %i for a body that is %s", async (status, _what, type, body) => {
    const app = fastify({ bodyLimit: 100 });
    app.setErrorHandler((error, _request, reply) => reply.code(202).send(told(error)));
    app.post("/", () => expect.unreachable());
    const answer = await app.inject({ method: "POST", url: "/", headers: { "content-type": type }, body });
    expect(answer.json()).toEqual([status, "invalid_request", "false"]);
    await app.close();
  });

  it("of a count that the gateway has left out is its own, and of one that it has taken from a client is the client's", async () => {
    const directory = directoryOf(aKeyChain({ key: { limits: { tpm: 100 } } }));
    const gate = createGate({ directory });
    const thrown = (inputTokens?: number) =>
      gate.admit(directory.tokenOf("key"), { model: "m", inputTokens }).catch(told);
    expect(await thrown()).toEqual([500, "internal_error", undefined]);
    expect(await thrown(-1)).toEqual([400, "validation", "false"]);
  });

  it("with a status that is not Fastify's own, or that is none of the client's, is 500", () => {
    const thrown = (more: object) => Object.assign(new Error("of the account org-ours"), more);
    for (const more of [
      { statusCode: 404 },
      { statusCode: 404, code: "ENOENT" },
      { statusCode: 403, code: "FORBIDDEN" },
      { statusCode: 500, code: "FST_ERR_REP_ALREADY_SENT" },
      { statusCode: "413", code: "FST_ERR_CTP_BODY_TOO_LARGE" },
      { code: "FST_ERR_CTP_BODY_TOO_LARGE" },
    ]) {
      expect(told(thrown(more))).toEqual([500, "internal_error", undefined]);
    }
  });

  it.each([
    [405, "Method Not Allowed"],
    [408, "Request Timeout"],
    [415, "Unsupported Media Type"],
    [418, "Error"],
    [422, "Unprocessable Content"],
    [502, "Bad Gateway"],
    [503, "Service Unavailable"],
    [504, "Gateway Timeout"],
  ])("of status %i is a problem with the title of RFC 9110, if that has one: %s", (status, title) => {
    const { body } = toErrorResponse(new Failure(status, "x", "m"), { profile: "problem" });
    expect(body).toMatchObject({ type: "about:blank", title, status });
  });

  it("of anything else, or in what a directory answered, is 500 without a word about it", () => {
    const chain = new ValidationError([{ field: "chain.org.limits.rpn", expected: "no such field" }]);
    const principal = new ValidationError([
      { field: "principal.userId", expected: "rpn, whom it was asked for" },
    ]);
    for (const error of [new Error("password=hunter2"), "text", undefined, chain, principal]) {
      expect(told(error)).toEqual([500, "internal_error", undefined]);
      const text = JSON.stringify(toErrorResponse(error, { profile: "anthropic" }));
      expect(text).not.toMatch(/hunter2|rpn|text"/);
    }
  });
});
