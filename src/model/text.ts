import * as z from "zod";
import { recordOf } from "./validation.js";

/** Text of `min` to `max` UTF-16 code units without lone surrogates, which do not survive a store's UTF-8. */
export function text(min: number, max: number) {
  const expected = `text of ${min} to ${max} characters, well-formed`;
  return z
    .string({ error: expected })
    .min(min, { error: expected })
    .max(max, { error: expected })
    .refine((value) => value.isWellFormed(), { error: expected });
}

/** Most characters of an id. */
export const ID_MAX = 200;

/** An id of any record: the caller's or ours. Every well-formed string is ordinary, `__proto__` included. */
export const idSchema = text(1, ID_MAX);

/** A name for people. */
export const nameSchema = text(1, 200);

/** Most characters of a model's name. */
const MODEL_MAX = 300;

/** A model, an alias or an MCP server as a call names it. */
export const modelSchema = text(1, MODEL_MAX);

/** Whether {@link modelSchema} accepts a value. */
export function isModel(value: unknown): boolean {
  return isText(value, 1, MODEL_MAX);
}

/** Whether {@link idSchema} accepts a value. */
export function isId(value: unknown): boolean {
  return isText(value, 1, ID_MAX);
}

/** Whether {@link text} accepts a value, without asking a schema. */
function isText(value: unknown, min: number, max: number): value is string {
  return typeof value === "string" && value.length >= min && value.length <= max && value.isWellFormed();
}

/** The last millisecond of the year 9999. */
export const MOMENT_MAX = 253_402_300_799_999;

/** A moment: milliseconds since 1970-01-01T00:00Z, up to the year 9999. */
export const momentSchema = z
  .int({ error: "a moment in milliseconds since 1970" })
  .min(0, { error: "a moment in milliseconds since 1970" })
  .max(MOMENT_MAX, { error: "a moment in milliseconds since 1970, at most the year 9999" });

const TAGS_MAX = 50;

const TAG_NAME_MAX = 100;

const TAG_MAX = 200;

export const tagNameSchema = text(1, TAG_NAME_MAX);

export const tagValueSchema = text(0, TAG_MAX);

/** Free labels of a key or a call, such as `{ purpose: "batch" }`. At most 50. */
export const tagsSchema = recordOf(tagNameSchema, tagValueSchema).refine(
  (tags) => Object.keys(tags).length <= TAGS_MAX,
  { error: `at most ${TAGS_MAX} tags` },
);

/** The copy that {@link tagsSchema} makes of tags in a plain object. Undefined if anything is wrong or unusual. */
export function plainTags(tags: unknown): Record<string, string> | undefined {
  if (typeof tags !== "object" || tags === null) return undefined;
  const prototype: unknown = Object.getPrototypeOf(tags);
  if (prototype !== Object.prototype && prototype !== null) return undefined;
  const names = Reflect.ownKeys(tags);
  if (names.length > TAGS_MAX) return undefined;
  const copy: Record<string, string> = {};
  for (const name of names) {
    if (!isText(name, 1, TAG_NAME_MAX) || name === "__proto__") return undefined;
    const tag: unknown = Reflect.get(tags, name);
    if (!isText(tag, 0, TAG_MAX)) return undefined;
    copy[name] = tag;
  }
  return copy;
}
