import { expect, it, onTestFinished } from "vitest";
import * as errors from "../../src/model/errors.js";

const { ValidationError, PermissionError, NotFoundError, ConflictError, LimitError } = errors;
const { LastOwnerError, CountersUnavailableError, LedgerUnavailableError, ClosedError } = errors;

const EACH: Readonly<Record<string, () => Error>> = {
  ValidationError: () => new ValidationError([{ field: "usage.model", expected: "text" }]),
  PermissionError: () => new PermissionError("key.create", "not_granted"),
  NotFoundError: () => new NotFoundError("key", "k1"),
  ConflictError: () => new ConflictError("taken"),
  LimitError: () => new LimitError("limits.rpm", "too much"),
  LastOwnerError: () => new LastOwnerError("o1"),
  CountersUnavailableError: () => new CountersUnavailableError("gone"),
  LedgerUnavailableError: () => new LedgerUnavailableError("3 events"),
  ClosedError: () => new ClosedError(),
};

it("there is no other class of errors, except the one of all", () => {
  const classes = Object.keys(errors).filter((name) => name.endsWith("Error") && name !== "isTollgateError");
  expect(classes.sort()).toEqual([...Object.keys(EACH), "TollgateError"].sort());
});

it.each(Object.entries(EACH))(
  "a %s has its name also where a minifier gave its class another",
  (name, make) => {
    const made = make();
    Object.defineProperty(made.constructor, "name", { value: "t" });
    onTestFinished(() => {
      Object.defineProperty(made.constructor, "name", { value: name });
    });
    expect(make().name).toBe(name);
    expect(String(make())).toBe(`${name}: ${made.message}`);
  },
);

it("a class of a user's own below the one of all has its own name", () => {
  class TenantError extends errors.TollgateError {}
  expect(new TenantError("conflict", "another tenant").name).toBe("TenantError");
});
