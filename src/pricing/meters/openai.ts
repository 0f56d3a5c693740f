import type { Actual } from "../../model/usage.js";
import { fieldOf, itemsOf, readOrNothing, textOf } from "../dialects/json.js";
import { besideUsage, openAIUsage, withOutputOf } from "../dialects/openai.js";
import { type MeterOptions, type Told, type UsageMeter, usageMeter } from "./usage-meter.js";

/**
 * Makes a meter for OpenAI's streams (chat completions, completions, responses, images, speech and transcriptions, told
 * apart by their events) and for streams of providers that answer in the same form.
 *
 * Chat completions contain their usage only if the request says `stream_options: { include_usage: true }`. Without
 * usage, the meter counts text, refusals, reasoning, transcripts, the arguments of tool calls and, for responses, web
 * searches.
 *
 * @throws ValidationError naming an option that is wrong
 * @see https://platform.openai.com/docs/api-reference/chat-streaming
 * @see https://platform.openai.com/docs/api-reference/responses-streaming
 */
export function openAIMeter(options: MeterOptions = {}): UsageMeter {
  let searches = 0;
  return usageMeter(options, (event) => {
    if (event === "[DONE]") return { ended: true };
    if (Array.isArray(event.choices)) return chatChunk(event);
    if (event.type === "response.web_search_call.completed") return { usage: { searches: ++searches } };
    if (typeof event.type === "string")
      return responsesEvent(event.type, event) ?? mediaEvent(event.type, event);
    return event.usage ? { usage: usageOf(event) } : "error" in event ? {} : undefined;
  });
}

function chatChunk(chunk: unknown): Told {
  const choices = itemsOf(fieldOf(chunk, "choices"));
  let text = "";
  let reasoning = "";
  let ended = false;
  for (const choice of choices) {
    const delta = fieldOf(choice, "delta");
    const call = fieldOf(delta, "function_call");
    const content = partsOf(fieldOf(delta, "content"));
    text += textOf(
      fieldOf(choice, "text"),
      content.text,
      fieldOf(delta, "refusal"),
      fieldOf(fieldOf(delta, "audio"), "transcript"),
      fieldOf(call, "name"),
      fieldOf(call, "arguments"),
    );
    for (const tool of itemsOf(fieldOf(delta, "tool_calls"))) {
      const called = fieldOf(tool, "function");
      const custom = fieldOf(tool, "custom");
      text += textOf(
        fieldOf(called, "name"),
        fieldOf(called, "arguments"),
        fieldOf(custom, "name"),
        fieldOf(custom, "input"),
      );
    }
    // Not OpenAI's: two names that other providers use for the same text.
    reasoning += textOf(
      content.reasoning,
      fieldOf(delta, "reasoning_content") ?? fieldOf(delta, "reasoning"),
    );
    ended ||= typeof fieldOf(choice, "finish_reason") === "string";
  }
  return { text, reasoning, usage: usageOf(chunk, usageIn(chunk, choices)), ended };
}

/** What a content says. Mistral's reasoning models send a list, of texts and of thoughts that are lists of texts. */
function partsOf(content: unknown): { text: string; reasoning: string } {
  const parts = itemsOf(content);
  const thoughts = parts.flatMap((part) => itemsOf(fieldOf(part, "thinking")));
  return {
    text: textOf(content, ...parts.map((part) => fieldOf(part, "text"))),
    reasoning: textOf(...thoughts.map((thought) => fieldOf(thought, "text"))),
  };
}

/** Deltas that are not text of the model. */
const NO_TEXT = new Set(["response.audio.delta", "response.output_audio.delta"]);

const REASONING = /^response\.reasoning/;

function responsesEvent(type: string, event: unknown): Told | undefined {
  if (type === "error") return {};
  if (!type.startsWith("response.")) return undefined;
  if (type.endsWith(".delta")) {
    if (NO_TEXT.has(type)) return {};
    const delta = textOf(fieldOf(event, "delta"));
    return REASONING.test(type) ? { reasoning: delta } : { text: delta };
  }
  const ended = type === "response.completed" || type === "response.incomplete" || type === "response.failed";
  return { usage: usageOf(fieldOf(event, "response")), ended };
}

const MEDIA_END = /^(?:(image)_(?:generation|edit)\.completed|(speech)\.audio\.done|transcript\.text\.done)$/;

/**
 * Images, speech and transcriptions have their usage in their last event. For images and speech that end before it, no
 * output can be counted.
 */
function mediaEvent(type: string, event: unknown): Told | undefined {
  if (type === "transcript.text.delta") return { text: textOf(fieldOf(event, "delta")) };
  const end = MEDIA_END.exec(type);
  if (end === null || !fieldOf(event, "usage")) return undefined;
  const usage = usageOf(event);
  const [, image, speech] = end;
  if (image) return { usage: withOutputOf("imageOutputTokens", usage), ended: true };
  return { usage: speech ? withOutputOf("audioOutputTokens", usage) : usage, ended: true };
}

/** The usage of a chunk or a response, and what is beside it, which comes earlier. */
function usageOf(value: unknown, usage = fieldOf(value, "usage")): Actual {
  return { ...readOrNothing(() => openAIUsage(usage, "lenient")), ...besideUsage(value) };
}

/** Where a chunk has its usage: Kimi's is in the choice that ends, Groq's in an object of its own. */
function usageIn(chunk: unknown, choices: readonly unknown[]): unknown {
  const inChoices = choices.map((choice) => fieldOf(choice, "usage"));
  const places = [fieldOf(chunk, "usage"), ...inChoices, fieldOf(fieldOf(chunk, "x_groq"), "usage")];
  return places.find((usage) => usage !== undefined && usage !== null);
}
