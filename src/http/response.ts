import type { Admission } from "../gate/call/admission.js";
import { ValidationError } from "../model/errors.js";
import { anthropic } from "./anthropic.js";
import { type Failure, failureOf } from "./failure.js";
import type { Form } from "./form.js";
import { openai } from "./openai.js";
import { problem } from "./problem.js";
import { retriedByItself, retryHeaders } from "./retry.js";
import { type Told, toldOf } from "./told.js";

/** The form of an answer: OpenAI's, Anthropic's, or RFC 9457 with the IETF's RateLimit header fields. */
export type Profile = "openai" | "anthropic" | "problem";

const FORMS: Readonly<Record<Profile, Form>> = { openai, anthropic, problem };

/** Options of {@link toResponse} and {@link toErrorResponse}. */
export interface ResponseOptions {
  /** The form of the answer. Choose that of the API that the client called. */
  readonly profile: Profile;
  /**
   * The present on the gate's clock, in epoch milliseconds, from which durations until a reset are computed. Default:
   * `Date.now()`.
   */
  readonly now?: number | undefined;
}

/**
 * An HTTP answer for any framework: `Response.json(body, { status, headers })` or
 * `res.status(status).set(headers).json(body)`.
 */
export interface HttpAnswer {
  readonly status: number;
  /** Header fields by names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The JSON body. Absent for an admitted call. */
  readonly body?: Readonly<Record<string, unknown>>;
}

/**
 * Turns a decision into HTTP. For an admitted call: status 200 and the header fields to add to the model's answer. For
 * a refused call: the whole answer.
 *
 * - A known wait is given in `retry-after` (seconds, rounded up) and `retry-after-ms`, even if it lasts until a
 *   budget's next period. A wait of 60 to 61 seconds is given as 59999 in `retry-after-ms`, the most that every SDK
 *   waits for.
 * - A refusal carries `x-should-retry: false` unless retrying soon helps: that is, unless it is an outage, or a 429 with
 *   a wait of at most 61 seconds, the longest that a limit per minute takes.
 * - A 401 does not say what is wrong with the token.
 * - Limits in shadow mode are not shown.
 *
 * @throws ValidationError if there is no such profile, or `admission` is not a complete admission
 */
export function toResponse(admission: Admission, options: ResponseOptions): HttpAnswer {
  const form = formOf(options);
  const now = options.now ?? Date.now();
  if (typeof Object(admission).admitted !== "boolean") {
    throw new ValidationError([
      { field: "admission", expected: "an admission; await it if it is a promise" },
    ]);
  }
  const { limits } = admission;
  // It may be a getter, which a copy made by spreading lacks.
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
 * Turns an error into HTTP:
 *
 * - an error of Tollgate, by its code, or as a 401 if the token that somebody acts through does not work;
 * - a {@link Failure}, as it says;
 * - what Express, Koa or Fastify threw about a request (a body that is not JSON or is too large), by its status;
 * - anything else, as a 500 that says nothing about it. That includes mistakes of the gateway itself: a wrong option, a
 *   wrong settle, or missing `inputTokens` that a limit counts.
 *
 * @throws ValidationError if there is no such profile
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
      // RFC 9110 requires it for every 401.
      ...(told.status === 401 && { "www-authenticate": "Bearer" }),
      ...headers,
    },
    body: form.body(told),
  };
}
