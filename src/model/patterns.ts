import { modelSchema } from "./text.js";

const EXPECTED = "a model such as openai/gpt-4o, where * stands for a whole path segment";

/**
 * Names models: `openai/gpt-4o` is itself, `*` within a path stands for one whole segment, `*` at the end for one or
 * more, so that `bedrock/*` matches `bedrock/us/claude` and never `bedrockz/claude`.
 */
export const patternSchema = modelSchema.refine(
  (pattern) => pattern.split("/").every((segment) => segment === "*" || !segment.includes("*")),
  { error: EXPECTED },
);

/** Whether a pattern of {@link patternSchema} matches a model. */
export function matches(pattern: string, model: string): boolean {
  if (!pattern.includes("*")) return pattern === model;
  const wanted = pattern.split("/");
  const given = model.split("/");
  const open = wanted.at(-1) === "*";
  if (open ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((segment, i) => segment === "*" || segment === given[i]);
}

/** Whether a list allows a model. `null` allows everything (nothing was said); `[]` allows nothing. */
export function listAllows(list: readonly string[] | null | undefined, model: string): boolean {
  return list == null || list.some((pattern) => matches(pattern, model));
}
