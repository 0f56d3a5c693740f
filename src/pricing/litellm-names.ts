import { itemsOf } from "./dialects/json.js";
import type { Fields } from "./entries.js";

/** Providers that are listed by the kind of model or of API, and what their models are called by. */
const KINDS = [
  [/^vertex_ai-.*/, "vertex_ai"],
  [/^bedrock_converse$/, "bedrock"],
  [/^cohere_chat$/, "cohere"],
  [/^text-completion-openai$/, "openai"],
] as const;

/**
 * What finds an entry of LiteLLM's list besides its id: its aliases, and all of its names with the provider before
 * them, as called and as listed.
 */
export function namesOf(id: string, fields: Fields): string[] {
  const aliases = itemsOf(fields.get("aliases")).filter((alias) => typeof alias === "string");
  const provider = fields.get("litellm_provider");
  if (typeof provider !== "string") return aliases;
  const called = KINDS.find(([listed]) => listed.test(provider))?.[1];
  const providers = called === undefined ? [provider] : [called, provider];
  return [...aliases, ...[id, ...aliases].flatMap((name) => providers.map((before) => `${before}/${name}`))];
}

/**
 * The id for all fine-tunes of a model: OpenAI's names have org, name and id after it, as
 * `ft:gpt-4o-2024-08-06:acme::8Xx2`.
 */
export function fineTuned(model: string): string | undefined {
  return /^((?:openai\/)?ft:[^:]+):/.exec(model)?.[1];
}
