import { ValidationError } from "../../model/errors.js";
import { GRANT_FIELDS, type GrantField } from "./ceiling.js";

/** The fields of a patch that are given. `null` removes a clearable one. */
export function patchOf<T extends object, C extends keyof T = never>(
  input: T,
  clearable: readonly C[] = [],
): { [F in keyof T]?: F extends C ? Exclude<T[F], null> : T[F] } {
  const names: readonly unknown[] = clearable;
  const given = Object.entries(input).filter(([, value]) => value !== undefined);
  const cleared = given.map(([field, value]) => [
    field,
    value === null && names.includes(field) ? undefined : value,
  ]);
  return Object.fromEntries(cleared);
}

/** The fields of an input that grant something. */
export function grantedBy(input: object): GrantField[] {
  return GRANT_FIELDS.filter((field) => Reflect.get(input, field) !== undefined);
}

/**
 * Refuses an end in the past. Most likely, seconds were given instead of milliseconds.
 *
 * @throws ValidationError naming `field`
 */
export function requireLater(field: string, moment: number | undefined, now: number): void {
  if (moment !== undefined && moment <= now) {
    throw new ValidationError([{ field, expected: "a moment in the future, in milliseconds since 1970" }]);
  }
}

/**
 * Refuses an end from before the record was made, for the same reason. A later end in the past is fine: it ends now.
 *
 * @throws ValidationError naming `field`
 */
export function requireSinceMade(field: string, end: number | null | undefined, createdAt: number): void {
  if (end != null && end < createdAt) {
    throw new ValidationError([
      { field, expected: "a moment not before it was made, in milliseconds since 1970" },
    ]);
  }
}

/**
 * Whether something that has ended is started again, by a later end or none. Everything in it then counts as given, not
 * only the end.
 */
export function beginsAgain(
  endedAt: number | undefined,
  end: number | null | undefined,
  now: number,
): boolean {
  if (endedAt === undefined || endedAt > now) return false;
  return end === null || (end !== undefined && end > now);
}
