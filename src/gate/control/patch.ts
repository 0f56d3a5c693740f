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
