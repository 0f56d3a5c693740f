import { brand, hasBrand } from "./brand.js";
import { masked } from "./masked.js";

/** The codes of {@link TollgateError}. They are stable and safe to branch on. */
export type ErrorCode =
  | "validation"
  | "permission"
  | "not_found"
  | "conflict"
  | "limit"
  | "last_owner"
  | "counters_unavailable"
  | "ledger_unavailable"
  | "closed";

/**
 * The base class of Tollgate's own errors, each with a stable `code`. Refusals and denied verdicts are values and are
 * never thrown.
 */
export class TollgateError extends Error {
  /** Which error it is. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(masked(message));
    brand(this, "TollgateError");
    // Each class below says its name itself: a minifier gives classes others.
    this.name = new.target.name;
    this.code = code;
  }
}

/** The class of the errors with each code. */
export interface ErrorsByCode {
  readonly validation: ValidationError;
  readonly permission: PermissionError;
  readonly not_found: NotFoundError;
  readonly conflict: ConflictError;
  readonly limit: LimitError;
  readonly last_owner: LastOwnerError;
  readonly counters_unavailable: CountersUnavailableError;
  readonly ledger_unavailable: LedgerUnavailableError;
  readonly closed: ClosedError;
}

/**
 * Whether a value is an error of Tollgate.
 *
 * Unlike `instanceof`, it also recognizes errors made by another copy of the library in the same process.
 */
export function isTollgateError(error: unknown): error is TollgateError;
/** Whether a value is an error of Tollgate with this code, and so of its class. */
export function isTollgateError<Code extends ErrorCode>(
  error: unknown,
  code: Code,
): error is ErrorsByCode[Code];
export function isTollgateError(error: unknown, code?: ErrorCode): boolean {
  return hasBrand(error, "TollgateError") && (code === undefined || Object(error).code === code);
}

/** One wrong field and what was expected there. It never holds the value itself, which may be a secret. */
export interface FieldProblem {
  /**
   * The path of the field. It begins with the name of the argument, as in `usage.inputTokens`, or in the control plane
   * with the noun, as in `key.limits.budget[0].usd`. In a policy it has no such prefix, and is empty for the policy as
   * a whole.
   */
  readonly field: string;
  /** What was expected there, in words. */
  readonly expected: string;
}

/** The caller's input is wrong. Nothing was changed. */
export class ValidationError extends TollgateError {
  /** Every wrong field, at most 20. */
  readonly problems: readonly FieldProblem[];

  constructor(problems: readonly FieldProblem[]) {
    super("validation", problems.map(({ field, expected }) => `${field || "input"}: ${expected}`).join("; "));
    this.name = "ValidationError";
    this.problems = problems.map(({ field, expected }) => ({
      field: masked(field),
      expected: masked(expected),
    }));
  }

  /** The path of the first wrong field; see {@link FieldProblem}. */
  get field(): string {
    return this.problems[0]?.field ?? "";
  }
}

/** The actor may not do this. */
export class PermissionError extends TollgateError {
  /** The permission that was checked, such as `key.create`. */
  readonly permission: string;
  /** Why it was denied: a verdict's reason, or why the actor's token does not work, such as `key_expired`. */
  readonly reason: string;

  constructor(permission: string, reason: string) {
    super("permission", `${permission} is not allowed: ${reason}`);
    this.name = "PermissionError";
    this.permission = permission;
    this.reason = reason;
  }
}

/** The record does not exist, or the actor may not know that it does. */
export class NotFoundError extends TollgateError {
  /** @param id left out if it is not an id by which the record was looked for */
  constructor(kind: string, id?: string) {
    super("not_found", `${id === undefined ? kind : `${kind} ${JSON.stringify(id)}`} was not found`);
    this.name = "NotFoundError";
  }
}

/**
 * The request conflicts with the present state: a stale version, an id that is taken, or a request id that was used for
 * a different call.
 */
export class ConflictError extends TollgateError {
  constructor(message: string) {
    super("conflict", message);
    this.name = "ConflictError";
  }
}

/** More was asked for than the actor or the enclosing scope may give. */
export class LimitError extends TollgateError {
  /** The path of the field that is too much, within the input, such as `limits.rpm`. */
  readonly field: string;

  constructor(field: string, message: string) {
    super("limit", `${field}: ${message}`);
    this.name = "LimitError";
    this.field = masked(field);
  }
}

/** The write would leave an org without an owner. */
export class LastOwnerError extends TollgateError {
  constructor(orgId: string) {
    super("last_owner", `org ${JSON.stringify(orgId)} would be left without an owner`);
    this.name = "LastOwnerError";
  }
}

/** The counters did not answer in time, so a settle or a reading could not be made. It can be retried. */
export class CountersUnavailableError extends TollgateError {
  constructor(message: string, cause?: unknown) {
    super("counters_unavailable", message);
    this.name = "CountersUnavailableError";
    if (cause !== undefined) this.cause = cause;
  }
}

/**
 * The ledger's sink did not take all events in time. The message says how many are left. Once the ledger is closed,
 * they are lost.
 */
export class LedgerUnavailableError extends TollgateError {
  constructor(message: string) {
    super("ledger_unavailable", message);
    this.name = "LedgerUnavailableError";
  }
}

/** The gate, or the queue in front of it, has been closed. */
export class ClosedError extends TollgateError {
  constructor(what = "gate") {
    super("closed", `the ${what} is closed`);
    this.name = "ClosedError";
  }
}
