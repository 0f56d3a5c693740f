import { brand, hasBrand } from "./brand.js";
import { masked } from "./masked.js";

/** The stable codes of {@link TollgateError}; safe to branch on. */
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

/** Base of every error Tollgate throws. A refusal or a denied verdict is a value and never one of these. */
export class TollgateError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(masked(message));
    brand(this, "TollgateError");
    this.name = new.target.name;
    this.code = code;
  }
}

/** Whether it is an error of Tollgate, by whichever copy, and of that code where one is given. */
export function isTollgateError(error: unknown, code?: ErrorCode): error is TollgateError {
  return hasBrand(error, "TollgateError") && (code === undefined || Object(error).code === code);
}

/** One field that was wrong, and what was expected there. Never holds the value itself: it may be a secret. */
export interface FieldProblem {
  /**
   * Path of the field. It begins with the name of what was given, `usage.inputTokens`, or in a control plane with its noun,
   * `key.limits.budget[0].usd`; in a policy it does not, and is empty for the policy as a whole.
   */
  readonly field: string;
  readonly expected: string;
}

/** The caller's input was wrong; nothing was changed. */
export class ValidationError extends TollgateError {
  readonly problems: readonly FieldProblem[];

  constructor(problems: readonly FieldProblem[]) {
    super("validation", problems.map(({ field, expected }) => `${field || "input"}: ${expected}`).join("; "));
    this.problems = problems.map(({ field, expected }) => ({
      field: masked(field),
      expected: masked(expected),
    }));
  }

  /** The first field that was wrong. */
  get field(): string {
    return this.problems[0]?.field ?? "";
  }
}

/** The actor may not do this. */
export class PermissionError extends TollgateError {
  /** The permission that was asked for. */
  readonly permission: string;
  /** Why it was denied: a verdict's reason. */
  readonly reason: string;

  constructor(permission: string, reason: string) {
    super("permission", `${permission} is not allowed: ${reason}`);
    this.permission = permission;
    this.reason = reason;
  }
}

/** There is no such record, or none that the actor may know of. */
export class NotFoundError extends TollgateError {
  constructor(kind: string, id: string) {
    super("not_found", `${kind} ${JSON.stringify(id)} was not found`);
  }
}

/** The state has moved on: a stale version, a taken id, an idempotency id used again for something else. */
export class ConflictError extends TollgateError {
  constructor(message: string) {
    super("conflict", message);
  }
}

/** More was asked for than the actor or the enclosing scope may give. */
export class LimitError extends TollgateError {
  /** Path of the field that is too much within the input, such as `limits.rpm`. */
  readonly field: string;

  constructor(field: string, message: string) {
    super("limit", `${field}: ${message}`);
    this.field = masked(field);
  }
}

/** The write would leave an org without an owner. */
export class LastOwnerError extends TollgateError {
  constructor(orgId: string) {
    super("last_owner", `org ${JSON.stringify(orgId)} would be left without an owner`);
  }
}

/** The counters did not answer in time, so a settle or a reading could not be made. It may be tried again. */
export class CountersUnavailableError extends TollgateError {
  constructor(message: string, cause?: unknown) {
    super("counters_unavailable", message);
    if (cause !== undefined) this.cause = cause;
  }
}

/** The ledger's sink did not take everything over in time; the message says of how many events. Once closed, they are lost. */
export class LedgerUnavailableError extends TollgateError {
  constructor(message: string) {
    super("ledger_unavailable", message);
  }
}

/** The gate, or the queue before it, was closed. */
export class ClosedError extends TollgateError {
  constructor(what = "gate") {
    super("closed", `the ${what} is closed`);
  }
}
