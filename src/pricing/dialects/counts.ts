import { ValidationError } from "../../model/errors.js";
import { TOKENS_MAX } from "../../model/usage.js";

/** An object of a provider's JSON, or a place in it that must be one. */
export class UsageObject {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #path: string;

  /** @throws ValidationError naming `path` for anything but an object */
  constructor(value: unknown, path: string, expected: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(path, expected);
    // Sound: an object that is no array has fields by name, of whatever kind.
    this.#fields = value as Readonly<Record<string, unknown>>;
    this.#path = path;
  }

  has(field: string): boolean {
    return this.#fields[field] !== undefined && this.#fields[field] !== null;
  }

  /** A count of tokens or of things; `undefined` where there is none: absent or null, which is not zero. */
  count(field: string): number | undefined {
    if (!this.has(field)) return undefined;
    const value = this.#fields[field];
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= TOKENS_MAX)
      return value;
    throw wrong(`${this.#path}.${field}`, `a whole number from 0 to ${TOKENS_MAX}`);
  }

  /** One of the provider's names for something. */
  name(field: string): string | undefined {
    if (!this.has(field)) return undefined;
    const value = this.#fields[field];
    if (isName(value)) return value;
    throw wrong(`${this.#path}.${field}`, "a name of at most 100 characters");
  }

  /** An object inside this one; one without fields where there is none. */
  object(field: string): UsageObject {
    return new UsageObject(this.#fields[field] ?? {}, `${this.#path}.${field}`, "an object");
  }

  /** Objects in a list inside this one. */
  objects(field: string): UsageObject[] {
    const value = this.#fields[field] ?? [];
    if (!Array.isArray(value)) throw wrong(`${this.#path}.${field}`, "a list");
    return value.map((item, i) => new UsageObject(item, `${this.#path}.${field}[${i}]`, "an object"));
  }

  /** @throws ValidationError where none of the fields is there: the usage of another dialect, most likely */
  needsOneOf(fields: readonly string[]): void {
    if (!fields.some((field) => this.has(field))) throw wrong(this.#path, `one of ${fields.join(", ")}`);
  }
}

/** Whether it is a name as providers have them for tiers and kinds. */
export function isName(value: unknown): value is string {
  return typeof value === "string" && /^[\w.:-]{1,100}$/.test(value);
}

/**
 * A sum of counts.
 *
 * @throws ValidationError where it is more tokens than one call may have
 */
export function sumOf(field: string, ...counts: readonly (number | undefined)[]): number {
  const sum = counts.reduce<number>((total, count) => total + (count ?? 0), 0);
  if (sum > TOKENS_MAX) throw wrong(field, `at most ${TOKENS_MAX} tokens together`);
  return sum;
}

/** The fields that are known, so that an actual says nothing about the others. */
export function known<T extends object>(fields: T): T {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  // Sound: every field that is left out is one that was undefined.
  return Object.fromEntries(entries) as T;
}

/** The count where it is more than nothing: a part that is zero need not be told. */
export function some(count: number | undefined): number | undefined {
  return count === 0 ? undefined : count;
}

function wrong(field: string, expected: string): ValidationError {
  return new ValidationError([{ field, expected }]);
}
