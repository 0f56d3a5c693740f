import { brand, hasBrand } from "../model/brand.js";
import { type ErrorCode, isTollgateError, type TollgateError, ValidationError } from "../model/errors.js";
import { masked } from "../model/masked.js";
import { STATUS as REFUSAL_STATUS } from "./status.js";
import { UNAUTHENTICATED } from "./told.js";

/** An error of a gateway's own, with what its client may be told. */
export class Failure extends Error {
  /** The HTTP status, 400 to 599. */
  readonly status: number;
  /** A stable code to branch on, such as `upstream_unreachable`. */
  readonly code: string;

  /**
   * @param status the HTTP status, 400 to 599
   * @param code a stable code, such as `upstream_unreachable`
   * @param message the text for the client. It must not contain secrets or anything about others.
   * @param options `cause` is the error behind it, for the gateway's own log. No client is told of it.
   * @throws ValidationError for any other status
   */
  constructor(
    status: number,
    code: string,
    message: string,
    options?: { readonly cause?: unknown } | undefined,
  ) {
    super(message, options);
    brand(this, "Failure");
    if (!(Number.isInteger(status) && status >= 400 && status <= 599)) {
      throw new ValidationError([{ field: "status", expected: "a status of an error, from 400 to 599" }]);
    }
    this.name = "Failure";
    this.status = status;
    this.code = code;
  }
}

/** Why somebody may not do something, where the token that they act through does not work. */
const DEAD_TOKEN: ReadonlySet<string> = new Set(
  Object.entries(REFUSAL_STATUS).flatMap(([reason, status]) => (status === 401 ? [reason] : [])),
);

const STATUS: Readonly<Record<ErrorCode, number>> = {
  validation: 400,
  permission: 403,
  not_found: 404,
  conflict: 409,
  limit: 422,
  last_owner: 409,
  counters_unavailable: 503,
  ledger_unavailable: 503,
  closed: 503,
};

/** What a client is told about an error. */
export function failureOf(error: unknown): Pick<Failure, "status" | "code" | "message"> {
  if (isFailure(error)) return error;
  if (isTollgateError(error, "permission") && DEAD_TOKEN.has(error.reason)) return UNAUTHENTICATED;
  if (isTollgateError(error) && !isOurs(error)) {
    return { status: STATUS[error.code], code: error.code, message: error.message };
  }
  const status = requestStatusOf(error);
  if (status !== undefined) return { status, code: "invalid_request", message: messageOf(error) };
  return { status: 500, code: "internal_error", message: "Internal error." };
}

function isFailure(error: unknown): error is Failure {
  return hasBrand(error, "Failure");
}

/** What a framework says about a request. It may quote the request, and with it a token. */
function messageOf(error: unknown): string {
  return masked(String(Object(error).message));
}

/**
 * The status of an error that a framework threw about a request and that its client may be told. Express, Koa and their
 * body parsers mark such errors like http-errors does (`expose`), except for a path that cannot be decoded and, in Koa,
 * a body that is no JSON. Fastify has codes of its own.
 */
function requestStatusOf(error: unknown): number | undefined {
  const { expose, status, code, statusCode, body } = Object(error);
  const isFastify = typeof code === "string" && code.startsWith("FST_ERR_");
  // Express's router throws this for such a path. A URIError from elsewhere has no status.
  const isPath = error instanceof URIError;
  // Koa's body parsers throw this for a body that is no JSON, with what they have read.
  const isBody = error instanceof SyntaxError && typeof body === "string";
  const told = isFastify ? statusCode : expose === true || isPath || isBody ? status : undefined;
  return Number.isInteger(told) && told >= 400 && told < 500 ? told : undefined;
}

/**
 * Beginnings of the names of fields that no client fills in: options, answers of a directory, whom a gateway asks or acts
 * for, and what it extends, settles and answers with.
 */
const OURS = /^(?:options|chain|principal|who|actor|reservation|actual|more|query|admission)\b/;

/** Whether an error concerns the gateway's own code or data, and so no client. */
function isOurs(error: TollgateError): boolean {
  if (!isTollgateError(error, "validation")) return false;
  return error.problems.some(({ field, expected }) => OURS.test(field) || isOmission(field, expected));
}

/**
 * Whether `inputTokens` are missing. Clients do not send them; the gateway estimates them from the body of the request.
 */
function isOmission(field: string, expected: string): boolean {
  return field === "usage.inputTokens" && expected.startsWith("the call's input tokens: ");
}
