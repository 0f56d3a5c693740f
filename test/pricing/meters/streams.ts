/** Streams as the providers send them. */

function events(objects: readonly object[], named: boolean): string {
  return objects
    .map(
      (object) =>
        `${named && "type" in object ? `event: ${object.type}\n` : ""}data: ${JSON.stringify(object)}\n\n`,
    )
    .join("");
}

const chunk = (delta: object, rest: object = {}) => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  model: "gpt-4o-2024-08-06",
  service_tier: "default",
  choices: [{ index: 0, delta, finish_reason: null }],
  usage: null,
  ...rest,
});

export const CHAT_TEXT = "Grüße aus Zürich, 你好 👋. ";

/** Chat completions with `include_usage`: text, a tool call, and the usage in a last chunk without choices. */
export const chat = `${events(
  [
    chunk({ role: "assistant", content: "" }),
    chunk({ content: CHAT_TEXT }),
    chunk({ tool_calls: [{ index: 0, id: "call_1", function: { name: "weather", arguments: "" } }] }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: '{"city":"Zürich"}' } }] }),
    chunk({}, { choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }] }),
    chunk(
      {},
      {
        choices: [],
        usage: {
          prompt_tokens: 120,
          completion_tokens: 33,
          total_tokens: 153,
          prompt_tokens_details: { cached_tokens: 64, audio_tokens: 0 },
          completion_tokens_details: { reasoning_tokens: 8 },
        },
      },
    ),
  ],
  false,
)}data: [DONE]\n\n`;

export const chatActual = {
  inputTokens: 120,
  cachedInputTokens: 64,
  outputTokens: 33,
  reasoningTokens: 8,
  serviceTier: "default",
};

/** Responses: reasoning, text and a search. */
export const responses = events(
  [
    { type: "response.created", response: { id: "resp_1", usage: null, service_tier: "auto" } },
    { type: "response.web_search_call.completed", item_id: "ws_1" },
    { type: "response.reasoning_summary_text.delta", delta: "Thinking about it. " },
    { type: "response.output_text.delta", item_id: "msg_1", delta: "Grüße " },
    { type: "response.output_text.delta", item_id: "msg_1", delta: "aus Zürich" },
    { type: "response.output_text.done", item_id: "msg_1", text: "Grüße aus Zürich" },
    { type: "response.function_call_arguments.delta", delta: '{"city":"Zürich"}' },
    {
      type: "response.completed",
      response: {
        id: "resp_1",
        service_tier: "flex",
        usage: {
          input_tokens: 75,
          input_tokens_details: { cached_tokens: 32 },
          output_tokens: 125,
          output_tokens_details: { reasoning_tokens: 64 },
          total_tokens: 200,
        },
      },
    },
  ],
  true,
);

export const responsesActual = {
  inputTokens: 75,
  cachedInputTokens: 32,
  outputTokens: 125,
  reasoningTokens: 64,
  searches: 1,
  serviceTier: "flex",
};

/** Messages: thinking, text and a tool call; the output is told in the last event but one. */
export const messages = events(
  [
    {
      type: "message_start",
      message: {
        id: "msg_1",
        usage: {
          input_tokens: 25,
          cache_creation_input_tokens: 100,
          cache_read_input_tokens: 1_000,
          cache_creation: { ephemeral_5m_input_tokens: 60, ephemeral_1h_input_tokens: 40 },
          output_tokens: 3,
          service_tier: "standard",
        },
      },
    },
    { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
    { type: "ping" },
    { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "Let me think. " } },
    { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "EqQBCgIYAg" } },
    { type: "content_block_stop", index: 0 },
    { type: "content_block_start", index: 1, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "Grüße aus Zürich" } },
    {
      type: "content_block_start",
      index: 2,
      content_block: { type: "tool_use", name: "weather", input: {} },
    },
    {
      type: "content_block_delta",
      index: 2,
      delta: { type: "input_json_delta", partial_json: '{"city":"Zürich"}' },
    },
    {
      type: "message_delta",
      delta: { stop_reason: "tool_use", stop_sequence: null },
      usage: { input_tokens: null, output_tokens: 89, server_tool_use: { web_search_requests: 1 } },
    },
    { type: "message_stop" },
  ],
  true,
);

export const messagesActual = {
  inputTokens: 1_125,
  cachedInputTokens: 1_000,
  cacheWriteTokens: 60,
  cacheWrite1hTokens: 40,
  outputTokens: 89,
  searches: 1,
  serviceTier: "standard",
};

const candidate = (parts: readonly object[], finishReason?: string) => ({
  candidates: [{ content: { role: "model", parts }, index: 0, ...(finishReason && { finishReason }) }],
});

/** `streamGenerateContent`: the first event tells the prompt alone, the later ones the usage so far. Lines end in CR LF. */
export const generate = events(
  [
    {
      ...candidate([{ text: "Thinking. ", thought: true }]),
      usageMetadata: { promptTokenCount: 40, totalTokenCount: 40 },
    },
    {
      ...candidate([{ text: "Grüße " }]),
      usageMetadata: {
        promptTokenCount: 40,
        candidatesTokenCount: 4,
        thoughtsTokenCount: 20,
        totalTokenCount: 64,
      },
    },
    {
      ...candidate([{ functionCall: { name: "weather", args: { city: "Zürich" } } }], "STOP"),
      usageMetadata: {
        promptTokenCount: 40,
        cachedContentTokenCount: 16,
        candidatesTokenCount: 11,
        thoughtsTokenCount: 20,
        totalTokenCount: 71,
      },
    },
  ],
  false,
).replaceAll("\n", "\r\n");

export const generateActual = {
  inputTokens: 40,
  cachedInputTokens: 16,
  outputTokens: 31,
  reasoningTokens: 20,
};
