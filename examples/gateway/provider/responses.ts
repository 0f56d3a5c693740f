import { type Api, event, type FakeUsage, type Prompt } from "./reply.js";

const ITEM = "msg_1";

function responseOf({ model }: Prompt, status: string, more: object): object {
  return { id: "resp_1", object: "response", created_at: 1, status, model, error: null, output: [], ...more };
}

function messageOf(words: readonly string[]): object {
  const content = [{ type: "output_text", text: words.join(""), annotations: [] }];
  return { id: ITEM, type: "message", status: "completed", role: "assistant", content };
}

function usageOf({ inputTokens, cachedInputTokens, outputTokens }: FakeUsage): object {
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: cachedInputTokens },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: inputTokens + outputTokens,
  };
}

const typed = (type: string, more: object) => event({ type, ...more }, type);

/** OpenAI's responses. */
export const responses: Api = {
  path: "/v1/responses",
  maxField: "max_output_tokens",

  answer: (prompt, words, usage) =>
    responseOf(prompt, "completed", { output: [messageOf(words)], usage: usageOf(usage) }),

  before: (prompt) =>
    typed("response.created", { response: responseOf(prompt, "in_progress", {}) }) +
    typed("response.output_item.added", {
      output_index: 0,
      item: { id: ITEM, type: "message", status: "in_progress", role: "assistant", content: [] },
    }) +
    typed("response.content_part.added", {
      item_id: ITEM,
      output_index: 0,
      content_index: 0,
      part: { type: "output_text", text: "", annotations: [] },
    }),

  word: (_prompt, delta) =>
    typed("response.output_text.delta", { item_id: ITEM, output_index: 0, content_index: 0, delta }),

  after: (prompt, words, usage) =>
    typed("response.output_item.done", { output_index: 0, item: messageOf(words) }) +
    typed("response.completed", {
      response: responseOf(prompt, "completed", { output: [messageOf(words)], usage: usageOf(usage) }),
    }),
};
