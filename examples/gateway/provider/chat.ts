import { type Api, event, type FakeUsage, type Prompt } from "./reply.js";

function usageOf({ inputTokens, cachedInputTokens, outputTokens }: FakeUsage): object {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedInputTokens },
  };
}

function chunk({ model }: Prompt, choices: readonly object[], more: object = {}): string {
  return event({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model, choices, ...more });
}

/** OpenAI's chat completions. Its usage counts cached tokens as part of the prompt. */
export const chat: Api = {
  path: "/v1/chat/completions",
  maxField: "max_completion_tokens",

  answer({ model }, words, usage) {
    const message = { role: "assistant", content: words.join(""), refusal: null };
    return {
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 1,
      model,
      choices: [{ index: 0, message, logprobs: null, finish_reason: "stop" }],
      usage: usageOf(usage),
    };
  },

  before: (prompt) =>
    chunk(prompt, [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }]),

  word: (prompt, word) => chunk(prompt, [{ index: 0, delta: { content: word }, finish_reason: null }]),

  after: (prompt, _words, usage) =>
    chunk(prompt, [{ index: 0, delta: {}, finish_reason: "stop" }]) +
    chunk(prompt, [], { usage: usageOf(usage) }) +
    event("[DONE]"),
};
