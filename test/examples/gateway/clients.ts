import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { APICallError, generateText, RetryError, streamText } from "ai";
import OpenAI from "openai";
import type { Arena } from "./arena.js";

/** What a test asks of a model. */
export interface Question {
  readonly model?: string;
  /** Told each piece of the answer. */
  readonly onText?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** What a client made of an answer that was no success. */
export interface Seen {
  readonly status: number | undefined;
  /** Name of the client's own class for it. */
  readonly name: string;
  /** The provider's word for it. */
  readonly code: string | null | undefined;
}

/** A published client library, with its defaults, on a gateway. */
export interface Client {
  readonly name: string;
  /** Retries by default after a refusal that allows it. */
  call(arena: Arena, question?: Question): Promise<string>;
  stream(arena: Arena, question?: Question): Promise<string>;
  seen(error: unknown): Seen;
}

const MAX_TOKENS = 50;
const PROMPT = [{ role: "user" as const, content: "What is the toll?" }];

async function collect(pieces: AsyncIterable<string>, { onText }: Question): Promise<string> {
  let all = "";
  for await (const piece of pieces) {
    all += piece;
    onText?.(piece);
  }
  return all;
}

async function* texts<T>(events: AsyncIterable<T>, textOf: (event: T) => string | null | undefined) {
  for await (const event of events) {
    const text = textOf(event);
    if (text) yield text;
  }
}

const openai = ({ url, token }: Arena) => new OpenAI({ apiKey: token, baseURL: `${url}/v1` });
const optionsOf = ({ signal }: Question) => ({ ...(signal && { signal }) });

function openaiSeen(error: unknown): Seen {
  if (!(error instanceof OpenAI.APIError)) throw error;
  return { status: error.status, name: error.constructor.name, code: error.code };
}

const openaiChat: Client = {
  name: "openai, chat completions",
  async call(arena, question = {}) {
    const { model = "gpt-4o" } = question;
    const body = { model, max_completion_tokens: MAX_TOKENS, messages: PROMPT };
    const { choices } = await openai(arena).chat.completions.create(body, optionsOf(question));
    return choices[0]?.message.content ?? "";
  },
  async stream(arena, question = {}) {
    const { model = "gpt-4o" } = question;
    const body = { model, max_completion_tokens: MAX_TOKENS, messages: PROMPT, stream: true } as const;
    const chunks = await openai(arena).chat.completions.create(body, optionsOf(question));
    return collect(
      texts(chunks, ({ choices }) => choices[0]?.delta.content),
      question,
    );
  },
  seen: openaiSeen,
};

const openaiResponses: Client = {
  name: "openai, responses",
  async call(arena, question = {}) {
    const { model = "gpt-4o" } = question;
    const body = { model, max_output_tokens: MAX_TOKENS, input: PROMPT };
    return (await openai(arena).responses.create(body, optionsOf(question))).output_text;
  },
  async stream(arena, question = {}) {
    const { model = "gpt-4o" } = question;
    const body = { model, max_output_tokens: MAX_TOKENS, input: PROMPT, stream: true } as const;
    const events = await openai(arena).responses.create(body, optionsOf(question));
    return collect(
      texts(events, (event) => (event.type === "response.output_text.delta" ? event.delta : "")),
      question,
    );
  },
  seen: openaiSeen,
};

const anthropic = ({ url, token }: Arena) => new Anthropic({ apiKey: token, baseURL: url });

const anthropicMessages: Client = {
  name: "@anthropic-ai/sdk, messages",
  async call(arena, question = {}) {
    const { model = "gpt-4o" } = question;
    const body = { model, max_tokens: MAX_TOKENS, messages: PROMPT };
    const { content } = await anthropic(arena).messages.create(body, optionsOf(question));
    return content.map((block) => (block.type === "text" ? block.text : "")).join("");
  },
  async stream(arena, question = {}) {
    const { model = "gpt-4o" } = question;
    const body = { model, max_tokens: MAX_TOKENS, messages: PROMPT, stream: true } as const;
    const events = await anthropic(arena).messages.create(body, optionsOf(question));
    return collect(
      texts(events, (event) =>
        event.type === "content_block_delta" && event.delta.type === "text_delta" ? event.delta.text : "",
      ),
      question,
    );
  },
  seen(error) {
    if (!(error instanceof Anthropic.APIError)) throw error;
    return { status: error.status, name: error.constructor.name, code: error.errorCode };
  },
};

/** Vercel's AI SDK, over one of its two models of OpenAI. */
function aiSdk(api: "chat" | "responses"): Client {
  const settings = ({ url, token }: Arena, question: Question) => ({
    model: createOpenAI({ apiKey: token, baseURL: `${url}/v1` })[api](question.model ?? "gpt-4o"),
    maxOutputTokens: MAX_TOKENS,
    messages: PROMPT,
    ...(question.signal && { abortSignal: question.signal }),
  });
  return {
    name: `ai with @ai-sdk/openai, ${api}`,
    async call(arena, question = {}) {
      return (await generateText(settings(arena, question))).text;
    },
    async stream(arena, question = {}) {
      let failure: unknown;
      const { textStream } = streamText({
        ...settings(arena, question),
        onError({ error }) {
          failure = error;
        },
      });
      const text = await collect(textStream, question);
      if (failure !== undefined) throw failure;
      return text;
    },
    seen(error) {
      const last = RetryError.isInstance(error) ? error.lastError : error;
      if (!APICallError.isInstance(last)) throw error;
      const body = JSON.parse(last.responseBody ?? "{}");
      return { status: last.statusCode, name: "APICallError", code: body.error?.code };
    },
  };
}

export const CLIENTS: readonly Client[] = [
  openaiChat,
  openaiResponses,
  anthropicMessages,
  aiSdk("chat"),
  aiSdk("responses"),
];
