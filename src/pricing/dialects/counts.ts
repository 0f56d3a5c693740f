import { ValidationError } from "../../model/errors.js";
import { ITEMS_MAX, TOKENS_MAX } from "../../model/usage.js";

/**
 * What becomes of a field that is wrong: it is an error, or it counts as absent. The second is for a stream, which goes
 * on whatever it says: one odd detail shall not cost the counts beside it.
 */
export type Reading = "strict" | "lenient";

/** An object of a provider's JSON, or a place in it that must be one. Errors are those of a strict reading. */
export class UsageObject {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #reading: Reading;

  /** @throws ValidationError naming `path` for anything but an object */
  constructor(value: unknown, path: string, expected: string, reading: Reading) {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    this.#reading = reading;
    this.#path = path;
    if (!isObject) this.#isWrong(path, expected);
    // Sound: an object that is no array has fields by name, of whatever kind.
    this.#fields = isObject ? (value as Readonly<Record<string, unknown>>) : {};
  }

  has(field: string): boolean {
    return this.#fields[field] !== undefined && this.#fields[field] !== null;
  }

  /** A count of tokens or of things; `undefined` where there is none: absent or null, which is not zero. */
  count(field: string, most = TOKENS_MAX): number | undefined {
    if (!this.has(field)) return undefined;
    const value = this.#fields[field];
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most) return value;
    return this.#isWrong(`${this.#path}.${field}`, `a whole number from 0 to ${most}`);
  }

  /** The web searches that a provider counts by the name that Anthropic gave them. */
  get searches(): number | undefined {
    return this.object("server_tool_use").count("web_search_requests", ITEMS_MAX);
  }

  /** One of the provider's names for something. */
  name(field: string): string | undefined {
    if (!this.has(field)) return undefined;
    const value = this.#fields[field];
    return isName(value)
      ? value
      : this.#isWrong(`${this.#path}.${field}`, "a name of at most 100 characters");
  }

  /** An object inside this one; one without fields where there is none. */
  object(field: string): UsageObject {
    return this.#inner(this.#fields[field] ?? {}, field);
  }

  /** Objects in a list inside this one. */
  objects(field: string): UsageObject[] {
    const value = this.#fields[field] ?? [];
    if (Array.isArray(value)) return value.map((item, i) => this.#inner(item, `${field}[${i}]`));
    this.#isWrong(`${this.#path}.${field}`, "a list");
    return [];
  }

  /** @throws ValidationError where none of the fields is there: the usage of another dialect, most likely */
  needsOneOf(fields: readonly string[]): void {
    if (!fields.some((field) => this.has(field))) this.#isWrong(this.#path, `one of ${fields.join(", ")}`);
  }

  #inner(value: unknown, place: string): UsageObject {
    return new UsageObject(value, `${this.#path}.${place}`, "an object", this.#reading);
  }

  #isWrong(field: string, expected: string): undefined {
    if (this.#reading === "strict") throw wrong(field, expected);
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
