import { anthropicUsage } from "../dialects/anthropic.js";
import { fieldOf, readOrNothing, textOf } from "../dialects/json.js";
import { type MeterOptions, type Told, type UsageMeter, usageMeter } from "./usage-meter.js";

/**
 * Makes a meter for streams of Anthropic's Messages API. The first event has the input, the last but one the output.
 *
 * If a stream ends before that, it counts text, thinking as far as it is shown, compactions, the input of tools, and
 * web searches.
 *
 * @throws ValidationError naming an option that is wrong
 * @see https://docs.claude.com/en/docs/build-with-claude/streaming
 */
export function anthropicMeter(options: MeterOptions = {}): UsageMeter {
  /** The counts of all events so far. Each event replaces the counts that it names. */
  let counts: Readonly<Record<string, unknown>> = {};
  /** The searches answered so far. The last event has their number too. */
  let searches = 0;

  function usageOf(usage: unknown) {
    // Some servers give the input in the first event, and zeros for it in the last. Others (Kimi, Qwen) give the whole
    // input in the first, and in the last what of it was not cached, which may be zero.
    const isSplit = hasCache(usage) && !hasCache(counts);
    const isTold = (name: string, value: unknown) =>
      value !== null && (value !== 0 || isSplit || name === "output_tokens" || !counts[name]);
    const told = Object.entries(Object(usage)).filter(([name, value]) => isTold(name, value));
    const merged = { ...counts, ...Object.fromEntries(told) };
    const read = readOrNothing(() => anthropicUsage(merged, "lenient"));
    if (read !== undefined) counts = merged;
    return read;
  }

  return usageMeter(options, (event): Told | undefined => {
    if (event === "[DONE]") return undefined;
    switch (event.type) {
      case "message_start": {
        // Its output tokens are those of text that is still to come.
        const { outputTokens: _, ...usage } = usageOf(fieldOf(event.message, "usage")) ?? {};
        return { usage };
      }
      case "content_block_start": {
        const { content_block: block } = event;
        // A search that failed has an error as its content, and costs nothing.
        if (fieldOf(block, "type") === "web_search_tool_result" && Array.isArray(fieldOf(block, "content")))
          return { usage: { searches: ++searches } };
        return { text: textOf(fieldOf(block, "text"), fieldOf(block, "name")) };
      }
      case "content_block_delta": {
        const { delta } = event;
        const summary = fieldOf(delta, "type") === "compaction_delta" ? fieldOf(delta, "content") : undefined;
        const text = textOf(fieldOf(delta, "text"), fieldOf(delta, "partial_json"), summary);
        return { text, reasoning: textOf(fieldOf(delta, "thinking")) };
      }
      case "message_delta":
        return {
          usage: usageOf(event.usage),
          ended: typeof fieldOf(event.delta, "stop_reason") === "string",
        };
      case "message_stop":
        return { ended: true };
      case "content_block_stop":
      case "ping":
      case "error":
        return {};
      default:
        return undefined;
    }
  });
}

/** Whether a usage tells of tokens that were read from or written to a cache. */
function hasCache(usage: unknown): boolean {
  const counts = [fieldOf(usage, "cache_read_input_tokens"), fieldOf(usage, "cache_creation_input_tokens")];
  return counts.some((count) => typeof count === "number" && count > 0);
}
