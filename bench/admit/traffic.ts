import type { Limits } from "tollgate";
import { draws } from "../random.js";

/** Ten keys to a project and ten projects to an org. */
const KEYS_PER_PROJECT = 10;
const KEYS_PER_ORG = 100;

/** Where a key hangs. */
export interface KeyPlace {
  readonly keyId: string;
  readonly projectId: string;
  readonly orgId: string;
}

export function placeOf(key: number): KeyPlace {
  return {
    keyId: `key_${key.toString(36)}`,
    projectId: `project_${Math.floor(key / KEYS_PER_PROJECT).toString(36)}`,
    orgId: `org_${Math.floor(key / KEYS_PER_ORG).toString(36)}`,
  };
}

/** What one call says beforehand, and what it comes to. */
export interface Call {
  readonly model: string;
  readonly inputTokens: number;
  readonly maxOutputTokens: number;
  readonly outputTokens: number;
}

/** US dollars per million tokens. */
export const PRICES = {
  "openai/gpt-4o": { inputUsdPerMillion: 2.5, outputUsdPerMillion: 10 },
  "openai/gpt-4o-mini": { inputUsdPerMillion: 0.15, outputUsdPerMillion: 0.6 },
  "anthropic/claude-sonnet": { inputUsdPerMillion: 3, outputUsdPerMillion: 15 },
  "google/gemini-flash": { inputUsdPerMillion: 0.3, outputUsdPerMillion: 2.5 },
} as const;

const MODELS = Object.keys(PRICES) as (keyof typeof PRICES)[]; // sound: PRICES has these keys and no others

/** A power of two, as is {@link ORDER_LENGTH}, so that a loop can go round with a mask. */
export const CALLS = 256;

export const calls: readonly Call[] = Array.from({ length: CALLS }, (_, i) => {
  const maxOutputTokens = 256 + ((i * 389) % 1024);
  return {
    model: MODELS[i % MODELS.length] as string, // sound: a remainder is below the length
    inputTokens: 100 + ((i * 2081) % 4000),
    maxOutputTokens,
    outputTokens: Math.floor(maxOutputTokens * (0.2 + ((i * 31) % 70) / 100)),
  };
});

export const ORDER_LENGTH = 2 ** 20;

/** Which key makes each call: at random, and the same for every contender. */
export function orderOf(keys: number): Uint32Array {
  return draws(ORDER_LENGTH, keys, 3);
}

/** Limits that no call here ever reaches. */
export const MAX_REQUESTS = 1e9;
export const MAX_TOKENS = 1e12;
export const MAX_USD = 9_000_000;

/** Requests and tokens of a minute and dollars of a month: with org, project and key, nine limits. */
export function limits(): Limits {
  return { rpm: MAX_REQUESTS, tpm: MAX_TOKENS, budget: { usd: MAX_USD, reset: "monthly" } };
}

/** What a call costs in micro-USD, a whole number, as those who have no prices of their own may be given it. */
export function costsMicroUsd({ model, inputTokens, maxOutputTokens, outputTokens }: Call) {
  const { inputUsdPerMillion, outputUsdPerMillion } = PRICES[model as keyof typeof PRICES]; // sound: a model of MODELS
  const cost = (tokens: number) => Math.ceil(inputTokens * inputUsdPerMillion + tokens * outputUsdPerMillion);
  return { estimated: cost(maxOutputTokens), actual: cost(outputTokens) };
}
