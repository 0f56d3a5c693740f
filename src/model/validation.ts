import * as z from "zod";
import { type FieldProblem, ValidationError } from "./errors.js";
import { masked } from "./masked.js";

/** The most problems reported at once, since an input can have any number of unknown fields. */
const PROBLEMS_MAX = 20;

/**
 * Parses `input` with a schema.
 *
 * @throws ValidationError naming each wrong field and what was expected. It leaves out values, which may be secrets.
 */
export function parse<T>(schema: z.ZodType<T>, input: unknown, root = ""): T {
  let problems: FieldProblem[];
  try {
    const result = schema.safeParse(input);
    if (result.success) return result.data;
    problems = result.error.issues.flatMap((issue) => problemsOf(issue, root));
  } catch {
    // What a getter or a proxy throws may contain anything, so it is left out too.
    problems = [{ field: root, expected: "a value whose fields can be read" }];
  }
  throw new ValidationError(problems.slice(0, PROBLEMS_MAX));
}

function problemsOf(issue: z.core.$ZodIssue, root: string): FieldProblem[] {
  const field = fieldPath(issue.path, root);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      field: fieldPath([...issue.path, key], root),
      expected: "no such field",
    }));
  }
  if (issue.code === "invalid_key") {
    // The name itself is wrong, so report what is wrong with it.
    const [inner] = issue.issues;
    if (inner) return problemsOf({ ...inner, path: issue.path }, root);
  }
  if (issue.code === "invalid_union") {
    // Of the allowed shapes, the one meant is the one that was followed furthest, with the fewest problems there.
    const depth = (issues: readonly z.core.$ZodIssue[]) =>
      Math.max(0, ...issues.map(({ path }) => path.length));
    const [meant] = [...issue.errors].sort((a, b) => depth(b) - depth(a) || a.length - b.length);
    if (meant && depth(meant) > 0) {
      return meant.flatMap((inner) => problemsOf({ ...inner, path: [...issue.path, ...inner.path] }, root));
    }
  }
  if (issue.code === "invalid_value" && issue.message.startsWith("Invalid ")) {
    return [{ field, expected: oneOf(issue.values) }];
  }
  return [{ field, expected: issue.message.replace(/^Invalid input: /, "") }];
}

/** For example `"daily", "weekly", "monthly" or "never"`. */
function oneOf(values: readonly unknown[]): string {
  const texts = values.map((value) => (typeof value === "string" ? JSON.stringify(value) : String(value)));
  const last = texts.pop() ?? "nothing";
  return texts.length === 0 ? last : `${texts.join(", ")} or ${last}`;
}

/** A path in the notation of code. Parts are cut at 64 characters, so that no input can flood a log. */
function fieldPath(path: readonly PropertyKey[], root: string): string {
  let text = root;
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += `${text ? "." : ""}${masked(String(part)).slice(0, 64)}`;
  }
  return text;
}

/** A type with every field present, at every depth, to compare which fields two types have. */
type Whole<T> = T extends (...input: never[]) => unknown
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Whole<Item>[]
    : T extends object
      ? { readonly [Field in keyof T]-?: Whole<Exclude<T[Field], undefined>> }
      : T;

/**
 * The schema of a type that is written out by hand. It compiles only if the schema's output has everything the type
 * has, and its input accepts everything the type allows. Assignability alone would let a schema miss an optional field,
 * or one of several literals, and refuse what the type allows.
 */
export function schemaOf<T>() {
  return <S extends z.ZodType<T>>(
    schema: S & ([Whole<T>, Whole<z.output<S>>] extends [Whole<z.input<S>>, Whole<T>] ? unknown : never),
  ): S => schema;
}

/** A whole number in a range. The error names the whole range, whichever end was exceeded. */
export function wholeNumber(min: number, max: number, what = "a whole number") {
  const error = `${what} from ${min} to ${max}`;
  return z.int({ error, abort: true }).min(min, { error }).max(max, { error });
}

/** An object with these methods, whatever else it has. */
export function having<T>(...methods: string[]) {
  return z.custom<T>((value) => methods.every((name) => typeof Object(value)[name] === "function"), {
    error: `an object with ${methods.join(", ")}`,
  });
}

/** A function. */
export function aFunction<T>() {
  return z.custom<T>((value) => typeof value === "function", { error: "a function" });
}

/**
 * A record schema that refuses a key named `__proto__`.
 *
 * zod silently drops that key. A limit under it would vanish, and its model would be unlimited.
 */
export function recordOf<V extends z.ZodType>(keys: z.ZodType<string, string>, values: V) {
  const schema = z
    .unknown()
    .refine((input) => !(typeof input === "object" && input !== null && Object.hasOwn(input, "__proto__")), {
      error: "no key named __proto__",
    })
    .pipe(z.record(keys, values));
  // Sound: the record refuses anything else.
  return schema as z.ZodType<Record<string, z.output<V>>, Record<string, z.input<V>>>;
}
