/** A field of a provider's JSON, whatever it is; undefined where there is no object to have one. */
export function fieldOf(value: unknown, name: string): unknown {
  // Sound: an object has fields by name, of whatever kind.
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** Whether it is a whole answer, which has the usage or one of its other fields, and not the usage alone. */
export function isWhole(value: unknown, usageName: string, ...others: readonly string[]): boolean {
  if (typeof value !== "object" || value === null) return false;
  return usageName in value || others.some((name) => name in value);
}

/** The items of a list; none where it is no list. */
export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The texts among the values, one after the other. */
export function textOf(...values: readonly unknown[]): string {
  let text = "";
  for (const value of values) if (typeof value === "string") text += value;
  return text;
}

/** What `read` makes of a provider's counts; undefined where they are wrong, since a stream goes on all the same. */
export function readOrNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
