import type { Actual } from "../../model/usage.js";
import { geminiUsage } from "../dialects/gemini.js";
import { fieldOf, itemsOf, readOrNothing, textOf } from "../dialects/json.js";
import { type MeterOptions, type UsageMeter, usageMeter } from "./usage-meter.js";

/**
 * Makes a meter for streams of Gemini's `streamGenerateContent` with `alt=sse`. (Without `alt=sse` the stream is one
 * JSON list instead of events.) Each event has the usage so far.
 *
 * After the last usage, it counts text, thoughts, code, and the arguments of function calls.
 *
 * @throws ValidationError naming an option that is wrong
 * @see https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
 */
export function geminiMeter(options: MeterOptions = {}): UsageMeter {
  return usageMeter(options, (event) => {
    if (event === "[DONE]") return undefined;
    const { candidates, usageMetadata, promptFeedback } = event;
    if (candidates === undefined && usageMetadata === undefined && promptFeedback === undefined) {
      return "error" in event ? {} : undefined;
    }
    let text = "";
    let reasoning = "";
    let ended = typeof fieldOf(promptFeedback, "blockReason") === "string";
    for (const candidate of itemsOf(candidates)) {
      ended ||= typeof fieldOf(candidate, "finishReason") === "string";
      for (const part of itemsOf(fieldOf(fieldOf(candidate, "content"), "parts"))) {
        const said = textOf(fieldOf(part, "text"));
        if (fieldOf(part, "thought") === true) reasoning += said;
        else text += said + callOf(part);
      }
    }
    return { text, reasoning, usage: usageOf(usageMetadata, ended), ended };
  });
}

/** A function call or code as text. */
function callOf(part: unknown): string {
  const call = fieldOf(part, "functionCall");
  const args = fieldOf(call, "args");
  const called = readOrNothing(() => JSON.stringify(args));
  return textOf(fieldOf(call, "name"), called, fieldOf(fieldOf(part, "executableCode"), "code"));
}

/** The first events only have the prompt count. Their output is not known yet, rather than zero. */
function usageOf(usageMetadata: unknown, ended: boolean): Actual | undefined {
  const usage = readOrNothing(() => geminiUsage(usageMetadata, "lenient"));
  const told = fieldOf(usageMetadata, "candidatesTokenCount") !== undefined;
  if (usage === undefined || told || ended) return usage;
  const { outputTokens: _, ...input } = usage;
  return input;
}
