import { type Api, event, type FakeUsage } from "./reply.js";

/** Anthropic's input does not contain what was read from the cache. */
function inputOf({ inputTokens, cachedInputTokens }: FakeUsage): object {
  return {
    input_tokens: inputTokens - cachedInputTokens,
    cache_read_input_tokens: cachedInputTokens,
    cache_creation_input_tokens: 0,
  };
}

const typed = (type: string, more: object = {}) => event({ type, ...more }, type);

/** Anthropic's messages. */
export const messages: Api = {
  path: "/v1/messages",
  maxField: "max_tokens",

  answer({ model }, words, usage) {
    return {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model,
      content: [{ type: "text", text: words.join("") }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { ...inputOf(usage), output_tokens: usage.outputTokens },
    };
  },

  before: ({ model }, usage) =>
    typed("message_start", {
      message: {
        id: "msg_1",
        type: "message",
        role: "assistant",
        model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { ...inputOf(usage), output_tokens: 1 },
      },
    }) + typed("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),

  word: (_prompt, text) => typed("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),

  after: (_prompt, _words, usage) =>
    typed("content_block_stop", { index: 0 }) +
    typed("message_delta", {
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: usage.outputTokens },
    }) +
    typed("message_stop"),
};
