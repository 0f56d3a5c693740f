/**
 * Throws where `actual` is not what was expected, naming the first place at which they differ.
 *
 * Plain data is compared by its values; a property that is undefined is one that is absent. An assertion library is not
 * used, so that a suite runs wherever an adapter does.
 *
 * @param what says what was looked at, for the message
 */
export function check(what: string, actual: unknown, expected: unknown): void {
  const difference = firstDifference(actual, expected, "");
  if (difference === undefined) return;
  const { path, found, wanted } = difference;
  throw new Error(`${what}: ${path ? `${path} is` : "got"} ${shown(found)}, expected ${shown(wanted)}`);
}

/** As {@link check}, but only of the properties that `expected` has. */
export function checkPart(what: string, actual: unknown, expected: object): void {
  const present = typeof actual === "object" && actual !== null ? actual : {};
  const part = Object.fromEntries(Object.keys(expected).map((key) => [key, Reflect.get(present, key)]));
  const told = typeof actual === "object" ? part : actual;
  check(what, told, expected);
}

/** Throws where a condition does not hold. */
export function claim(what: string, holds: boolean): asserts holds {
  if (!holds) throw new Error(what);
}

/** What a promise was rejected with. Throws where it was not. */
export async function rejection(what: string, promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`${what}: was done, expected an error`);
}

interface Difference {
  readonly path: string;
  readonly found: unknown;
  readonly wanted: unknown;
}

function firstDifference(found: unknown, wanted: unknown, path: string): Difference | undefined {
  if (Object.is(found, wanted)) return undefined;
  const differs = { path, found, wanted };
  if (typeof found !== "object" || typeof wanted !== "object" || found === null || wanted === null)
    return differs;
  if (Array.isArray(found) !== Array.isArray(wanted)) return differs;
  if (Array.isArray(found) && Array.isArray(wanted) && found.length !== wanted.length) return differs;
  for (const key of new Set([...Object.keys(wanted), ...Object.keys(found)])) {
    const place = Array.isArray(wanted) ? `${path}[${key}]` : `${path}${path ? "." : ""}${key}`;
    const inside = firstDifference(own(found, key), own(wanted, key), place);
    if (inside) return inside;
  }
  return undefined;
}

/** Not what an object inherits: `__proto__` may be a key like any other. */
function own(data: object, key: string): unknown {
  return Object.hasOwn(data, key) ? Reflect.get(data, key) : undefined;
}

const SHOWN_MAX = 400;

/** A value for people: as JSON, with the numbers that JSON has none for. */
function shown(value: unknown): string {
  const text =
    JSON.stringify(value, (_, part: unknown) =>
      typeof part === "number" && !Number.isFinite(part) ? String(part) : part,
    ) ?? String(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
