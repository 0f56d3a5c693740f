import { isUsd } from "./money.js";
import { isId, isModel, plainTags } from "./text.js";
import { type Actual, type CallParts, ITEMS_MAX, TOKENS_MAX, type Usage } from "./usage.js";

/**
 * What {@link usageSchema} makes of a usage in which all is right; else undefined.
 *
 * Every call comes by, and asking the schema would take longer than the rest of it. Whatever is wrong or odd goes to
 * the schema, which alone says what it is. Like the schema it reads each field once, whether it is the object's own or
 * a getter of its class, and what it has read is what counts: the caller may change its own while the chain is being
 * loaded.
 */
export function plainUsage(input: Usage): Usage | undefined {
  try {
    return readUsage(input);
  } catch {
    return undefined; // what a getter threw; the schema says that it cannot be read
  }
}

function readUsage(input: Usage): Usage | undefined {
  for (const field in input) if (!isUsageField(field)) return undefined;
  if (typeof input !== "object" || input === null) return undefined;
  const { model, mcpServer, inputTokens, maxOutputTokens, costUsd, requestId, byok, tags } = input;
  if (!mayBeModel(model) || !mayBeModel(mcpServer)) return undefined;
  if ((model === undefined) === (mcpServer === undefined)) return undefined;
  if (!mayBeTokens(inputTokens) || !mayBeTokens(maxOutputTokens)) return undefined;
  const parts = plainParts(input);
  if (parts === undefined) return undefined;
  if (parts === NO_PARTS && !isAnyGiven(mcpServer, costUsd, requestId, byok, tags)) {
    return { model, inputTokens, maxOutputTokens };
  }
  if (!mayBe(isUsd, costUsd) || !mayBe(isId, requestId) || !mayBe(isBoolean, byok)) return undefined;
  const copied = tags === undefined ? undefined : plainTags(tags);
  if (copied === undefined && tags !== undefined) return undefined;
  const usage = { model, mcpServer, inputTokens, maxOutputTokens, costUsd, requestId, byok, tags: copied };
  return withParts(usage, parts);
}

/** What {@link actualSchema} makes of an actual in which everything is right; see {@link plainUsage}. */
export function plainActual(input: Actual): Actual | undefined {
  try {
    return readActual(input);
  } catch {
    return undefined; // what a getter threw; the schema says that it cannot be read
  }
}

function readActual(input: Actual): Actual | undefined {
  for (const field in input) if (!isActualField(field)) return undefined;
  if (typeof input !== "object" || input === null || Array.isArray(input)) return undefined;
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = input;
  const { model, costUsd, disconnected } = input;
  if (!mayBeTokens(inputTokens) || !mayBeTokens(outputTokens)) return undefined;
  if (!mayBeTokens(cachedInputTokens) || !mayBeTokens(reasoningTokens)) return undefined;
  const parts = plainParts(input);
  if (parts === undefined) return undefined;
  const tokens = { inputTokens, outputTokens, cachedInputTokens, reasoningTokens };
  if (!isAnyGiven(model, costUsd, disconnected)) {
    if (parts !== NO_PARTS) return withParts(tokens, parts);
    // An actual that says nothing may not be one at all but, say, a promise.
    return isAnyGiven(inputTokens, outputTokens, cachedInputTokens, reasoningTokens) ? tokens : undefined;
  }
  if (!mayBeModel(model) || !mayBe(isUsd, costUsd) || !mayBe(isBoolean, disconnected)) return undefined;
  const actual = {
    inputTokens,
    outputTokens,
    cachedInputTokens,
    reasoningTokens,
    model,
    costUsd,
    disconnected,
  };
  return withParts(actual, parts);
}

const NO_PARTS: CallParts = Object.freeze({});

/** Not by spreading, which takes longer than all the rest. */
function withParts<T extends object>(call: T, parts: CallParts): T & CallParts {
  return parts === NO_PARTS ? call : Object.assign(call, parts);
}

/** The parts that are given. Undefined if one of them is wrong. */
function plainParts(input: CallParts): CallParts | undefined {
  const { cacheWriteTokens, cacheWrite1hTokens, audioInputTokens, imageInputTokens } = input;
  const { audioOutputTokens, imageOutputTokens, inputImages, outputImages, searches, serviceTier } = input;
  if (
    !isAnyGiven(
      cacheWriteTokens,
      cacheWrite1hTokens,
      audioInputTokens,
      imageInputTokens,
      audioOutputTokens,
    ) &&
    !isAnyGiven(imageOutputTokens, inputImages, outputImages, searches, serviceTier)
  ) {
    return NO_PARTS;
  }
  if (!mayBeTokens(cacheWriteTokens) || !mayBeTokens(cacheWrite1hTokens)) return undefined;
  if (!mayBeTokens(audioInputTokens) || !mayBeTokens(imageInputTokens)) return undefined;
  if (!mayBeTokens(audioOutputTokens) || !mayBeTokens(imageOutputTokens)) return undefined;
  if (!mayBe(isItems, inputImages) || !mayBe(isItems, outputImages)) return undefined;
  if (!mayBe(isItems, searches) || !mayBeModel(serviceTier)) return undefined;
  return {
    cacheWriteTokens,
    cacheWrite1hTokens,
    audioInputTokens,
    imageInputTokens,
    audioOutputTokens,
    imageOutputTokens,
    inputImages,
    outputImages,
    searches,
    serviceTier,
  };
}

function isAnyGiven(a: unknown, b: unknown, c: unknown, d?: unknown, e?: unknown): boolean {
  return a !== undefined || b !== undefined || c !== undefined || d !== undefined || e !== undefined;
}

/** By a switch, since looking the names up in a set would make a call a tenth longer. */
function isUsageField(field: string): boolean {
  switch (field) {
    case "model":
    case "inputTokens":
    case "maxOutputTokens":
    case "requestId":
    case "tags":
    case "costUsd":
    case "byok":
    case "mcpServer":
      return true;
    default:
      return isPart(field);
  }
}

function isActualField(field: string): boolean {
  switch (field) {
    case "inputTokens":
    case "outputTokens":
    case "cachedInputTokens":
    case "reasoningTokens":
    case "model":
    case "costUsd":
    case "disconnected":
      return true;
    default:
      return isPart(field);
  }
}

function isPart(field: string): boolean {
  switch (field) {
    case "cacheWriteTokens":
    case "cacheWrite1hTokens":
    case "audioInputTokens":
    case "imageInputTokens":
    case "audioOutputTokens":
    case "imageOutputTokens":
    case "inputImages":
    case "outputImages":
    case "searches":
    case "serviceTier":
      return true;
    default:
      return false;
  }
}

function mayBe(is: (value: unknown) => boolean, value: unknown): boolean {
  return value === undefined || is(value);
}

// The two checks that every call makes, written out: `mayBe` is given a different function each time, so V8 does not
// inline it.

function mayBeTokens(value: unknown): boolean {
  return value === undefined || isWhole(value, TOKENS_MAX);
}

function mayBeModel(value: unknown): boolean {
  return value === undefined || isModel(value);
}

function isItems(value: unknown): boolean {
  return isWhole(value, ITEMS_MAX);
}

function isWhole(value: unknown, max: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max;
}

function isBoolean(value: unknown): boolean {
  return typeof value === "boolean";
}
