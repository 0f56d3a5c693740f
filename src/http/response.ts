import type { Admission } from "../gate/call/admission.js";
import { ValidationError } from "../model/errors.js";
import { anthropic } from "./anthropic.js";
import { type Failure, failureOf } from "./failure.js";
import type { Form } from "./form.js";
import { openai } from "./openai.js";
import { problem } from "./problem.js";
import { retriedByItself, retryHeaders } from "./retry.js";
import { type Told, toldOf } from "./told.js";

/** In whose manner to answer: OpenAI's, Anthropic's, or that of RFC 9457 and the IETF's RateLimit header fields. */
export type Profile = "openai" | "anthropic" | "problem";

const FORMS: Readonly<Record<Profile, Form>> = { openai, anthropic, problem };

/** How to tell a decision. */
export interface ResponseOptions {
  /** In whose manner: that of the API that the client has called. */
  readonly profile: Profile;
  /** Epoch milliseconds on the gate's clock, for durations until a reset; the time of this machine by default. */
  readonly now?: number | undefined;
}

/** An answer without a framework: `Response.json(body, { status, headers })`, `res.status(status).set(headers).json(body)`. */
export interface HttpAnswer {
  readonly status: number;
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** What goes out as JSON; absent for a call that was admitted. */
  readonly body?: Readonly<Record<string, unknown>>;
}

/**
 * A decision as HTTP. For a call that was admitted, 200 and the header fields to add to the answer of the model; for one
 * that was refused, all of the answer.
 *
 * - A wait that is known is told in `retry-after` (seconds, rounded up) and `retry-after-ms`, until a budget's next period
 *   too; whatever a client should not try again by itself, or only after more than the 61 seconds that a limit per minute may
 *   take, carries `x-should-retry: false`. `retry-after-ms` of a minute is 59999, the most that every SDK waits for.
 * - A 401 does not say what is wrong with the token.
 * - Limits in shadow mode are not told.
 *
 * @throws ValidationError where there is no such profile, or for what is no whole admission
 */
export function toResponse(admission: Admission, options: ResponseOptions): HttpAnswer {
  const form = formOf(options);
  const now = options.now ?? Date.now();
  if (typeof Object(admission).admitted !== "boolean") {
    throw new ValidationError([{ field: "admission", expected: "an admission; of a promise, its value" }]);
  }
  const { limits } = admission;
  // It may be a getter, which a spread copy has not.
  if (!Array.isArray(limits)) {
    const expected =
      "the admission itself, or a copy that JSON made of it: { ...admission } leaves out limits and message";
    throw new ValidationError([{ field: "admission.limits", expected }]);
  }
  if (admission.admitted) return { status: 200, headers: form.limitHeaders(limits, undefined, now) };
  const told = toldOf(admission);
  const headers = {
    ...form.limitHeaders(limits, told.limit, now),
    ...retryHeaders(told.status, admission),
  };
  return answerOf(told, form, headers);
}

/**
 * An error as HTTP: one of ours by its code, a {@link Failure} of the gateway's own as it stands, what Express, Koa or Fastify
 * themselves have thrown about a request (a body that is no JSON, or too large) by its status, anything else as 500 without a
 * word about it. So is what the gateway itself has left out or got wrong: an option, a settle, `inputTokens` that a limit counts.
 */
export function toErrorResponse(error: unknown, options: Pick<ResponseOptions, "profile">): HttpAnswer {
  const failure = failureOf(error);
  return answerOf(failure, formOf(options), retriedByItself(failure.status));
}

function formOf(options: Pick<ResponseOptions, "profile">): Form {
  const profile: Profile = Object(options).profile;
  if (Object.hasOwn(FORMS, profile)) return FORMS[profile];
  throw new ValidationError([{ field: "options.profile", expected: "openai, anthropic or problem" }]);
}

function answerOf(told: Told, form: Form, headers: Record<string, string>): HttpAnswer {
  return {
    status: told.status,
    headers: {
      "content-type": form.contentType,
      // RFC 9110 requires it of every 401.
      ...(told.status === 401 && { "www-authenticate": "Bearer" }),
      ...headers,
    },
    body: form.body(told),
  };
}
