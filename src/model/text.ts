import { z } from "zod";
import { recordOf } from "./validation.js";

/** Text of `min` to `max` UTF-16 units, without halves of surrogate pairs: those do not survive a store's UTF-8. */
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

/** What {@link modelSchema} takes. */
export function isModel(value: unknown): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= MODEL_MAX && value.isWellFormed();
}

/** A moment: milliseconds since 1970-01-01T00:00Z, up to the year 9999. */
export const momentSchema = z
  .int({ error: "a moment in milliseconds since 1970" })
  .min(0, { error: "a moment in milliseconds since 1970" })
  .max(253_402_300_799_999, { error: "a moment in milliseconds since 1970, at most the year 9999" });

const TAGS_MAX = 50;

/** Free labels of a key or a call, such as `{ purpose: "batch" }`: at most 50. */
export const tagsSchema = recordOf(text(1, 100), text(0, 200)).refine(
  (tags) => Object.keys(tags).length <= TAGS_MAX,
  { error: `at most ${TAGS_MAX} tags` },
);
