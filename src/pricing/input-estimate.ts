import * as z from "zod";
import { having, parse, schemaOf, wholeNumber } from "../model/validation.js";
import { fieldOf } from "./dialects/json.js";
import { countTokens } from "./meters/text-count.js";
import { characterCounter, type TokenCounter } from "./token-counter.js";

/** Options of {@link estimateInputTokens}. */
export interface InputEstimateOptions {
  /** Counts the text of the request. Default: {@link characterCounter}. */
  readonly tokenCounter?: TokenCounter | undefined;
  /**
   * Tokens to count for each image, sound or file, whether sent as data or by its address: a whole number from 0 to
   * 1,000,000,000. Default: 1600.
   */
  readonly mediaTokens?: number | undefined;
}

const optionsSchema: z.ZodType<InputEstimateOptions> = schemaOf<InputEstimateOptions>()(
  z.strictObject({
    tokenCounter: having<TokenCounter>("count").optional(),
    mediaTokens: wholeNumber(0, 1_000_000_000, "a whole number of tokens").optional(),
  }),
);

/** About what Anthropic and OpenAI count for a large image: 1,568 and 1,105 tokens. */
const MEDIA_TOKENS = 1_600;

/** What a chat format adds around each message: role and delimiters. OpenAI's cookbook counts 3 or 4. */
const MESSAGE_TOKENS = 4;

/**
 * The fields of a request, in any dialect, that the model reads as text. Tools and schemas are counted as their JSON.
 */
const PROMPT_FIELDS = [
  ...["system", "instructions", "systemInstruction", "system_instruction", "prompt", "suffix"],
  // For embeddings and rankings.
  ...["query", "documents", "texts", "inputs", "images", "content", "requests"],
];
const MESSAGE_FIELDS = ["messages", "input", "contents"];
const JSON_FIELDS = ["tools", "functions", "toolConfig", "response_format", "text", "output_config"];

/** Fields of a message that the model does not read as text. */
const UNREAD = new Set([
  "type",
  "role",
  "id",
  "tool_call_id",
  "call_id",
  "tool_use_id",
  "cache_control",
  "detail",
]);

/** The arguments or the result of a tool call: JSON of any shape. */
const STRUCTURED = new Set(["input", "args", "response"]);

/** Fields whose value is an image, a sound or a file. */
const MEDIA = new Set([
  ...["image_url", "input_audio", "file", "source", "inlineData", "inline_data", "fileData", "file_data"],
  ...["image_file", "image_base64", "video_url"],
]);

/** OpenAI's types of a single image or file, and the fields that contain it or say where it is. */
const MEDIA_TYPES: ReadonlySet<unknown> = new Set(["input_image", "input_file", "image_generation_call"]);
const MEDIA_FIELDS = new Set([
  "image_url",
  "file_data",
  "file_url",
  "file_id",
  "filename",
  "result",
  "status",
]);

/**
 * Estimates the input tokens of a request, for `usage.inputTokens`.
 *
 * It understands OpenAI's chat completions, responses and embeddings, Anthropic's messages, Gemini's `generateContent`
 * and `embedContent`, Cohere's embeddings, and rankings by a query. It counts the text of the prompt, the messages and
 * the tools, four tokens per message, and `mediaTokens` for each image, sound or file. What the provider adds (a prompt
 * for tools, a conversation that it stores) is not in the request and so not counted. The settle corrects the estimate.
 *
 * @param body The parsed body of the request, or its messages alone.
 * @param options How to count text and media.
 * @returns a whole number of tokens
 * @throws ValidationError naming an option that is wrong
 */
export function estimateInputTokens(body: unknown, options: InputEstimateOptions = {}): number {
  const { tokenCounter = characterCounter, mediaTokens = MEDIA_TOKENS } = parse(
    optionsSchema,
    options,
    "options",
  );
  const read = new Reading();
  if (Array.isArray(body) || typeof body === "string") read.messages(body);
  else if (typeof body === "object" && body !== null) {
    for (const [name, value] of Object.entries(body)) {
      if (PROMPT_FIELDS.includes(name)) read.content({ [name]: value });
      else if (MESSAGE_FIELDS.includes(name)) read.messages(value);
      else if (JSON_FIELDS.includes(name)) read.json(value);
      else if (name === "generationConfig")
        read.json(fieldOf(value, "responseSchema") ?? fieldOf(value, "responseJsonSchema"));
    }
  }
  const text = countTokens(tokenCounter, read.text);
  return text + read.tokens + read.count * MESSAGE_TOKENS + read.media * mediaTokens;
}

/** Deeper than any real request. What is nested deeper is skipped, so that no request exhausts the stack. */
const DEPTH_MAX = 64;

/** What has been read of a request so far. */
class Reading {
  text = "";
  media = 0;
  count = 0;
  /** Input that came as token numbers already. */
  tokens = 0;
  /**
   * Whether a value was too deeply nested for `JSON.stringify`. If one was, it is not tried again: each try walks all
   * the way down.
   */
  #isTooDeep = false;

  add(text: string): void {
    if (text !== "") this.text += this.text === "" ? text : `\n${text}`;
  }

  messages(value: unknown): void {
    const list = Array.isArray(value) && !isTokens(value) ? value : [value];
    this.count += list.length;
    for (const message of list) this.content(message);
  }

  json(value: unknown, depth = 0): void {
    try {
      if (!this.#isTooDeep) {
        this.add(JSON.stringify(value) ?? "");
        return;
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#isTooDeep = true;
    }
    this.content(value, depth);
  }

  content(value: unknown, depth = 0): void {
    if (depth > DEPTH_MAX) return;
    if (typeof value === "string") this.add(value);
    else if (isTokens(value)) this.tokens += value.length;
    else if (Array.isArray(value)) for (const item of value) this.content(item, depth + 1);
    else if (typeof value === "object" && value !== null) {
      const isMedia = MEDIA_TYPES.has(fieldOf(value, "type"));
      if (isMedia) this.media++;
      for (const [name, inner] of Object.entries(value)) {
        if (isMedia && MEDIA_FIELDS.has(name)) continue;
        if (name === "images" && Array.isArray(inner)) this.media += inner.length;
        else if (MEDIA.has(name) && !isText(inner)) this.media++;
        else if (STRUCTURED.has(name) && typeof inner === "object") this.json(inner, depth + 1);
        else if (!UNREAD.has(name)) this.content(inner, depth + 1);
      }
    }
  }
}

/** Prompts and texts to embed may be given as the numbers of their tokens. */
function isTokens(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "number");
}

/** Anthropic's sources may be plain text. */
function isText(source: unknown): boolean {
  return Object(source).type === "text" || Object(source).type === "content";
}
