import * as z from "zod";
import { type Actual, TOKENS_MAX } from "../../model/usage.js";
import { having, parse, schemaOf } from "../../model/validation.js";
import { known as knownOf } from "../dialects/counts.js";
import { characterCounter, type TokenCounter } from "../token-counter.js";
import { EventReader } from "./server-sent-events.js";
import { TextCount } from "./text-count.js";

/** Measures what a call uses from the stream of its answer, as the stream passes on to the client. */
export interface UsageMeter {
  /**
   * Reads the next piece of the stream: bytes or text cut anywhere, or an event already parsed by the provider's
   * library.
   *
   * It buffers only the current event, changes nothing, and never throws. An event of more than 8,388,608 characters is
   * skipped.
   */
  push(chunk: Uint8Array | string | object): void;
  /** Whether the provider has sent the final usage. */
  readonly complete: boolean;
  /**
   * What the call has used as far as it was seen; pass it to `settle`, also when the client has hung up.
   *
   * It consists of the provider's own counts and, for text after the last of them, the token counter's estimate.
   * Whatever is not known is left out, so that the settle charges the estimate for it:
   *
   * - the input, if the provider has not sent it;
   * - the output, if part of the stream could not be read and no later count includes it, or if nothing in the stream
   *   could be understood.
   *
   * An output of zero is believed only if it comes at the end of the stream and not before, or if there is nothing
   * else.
   */
  actual(): Actual;
}

/** Options of the meters. */
export interface MeterOptions {
  /**
   * Counts the text of a stream that ends before the provider has sent its usage. Default: {@link characterCounter}.
   */
  readonly tokenCounter?: TokenCounter | undefined;
}

const optionsSchema: z.ZodType<MeterOptions> = schemaOf<MeterOptions>()(
  z.strictObject({
    tokenCounter: having<TokenCounter>("count").optional(),
  }),
);

/** What one event of a stream says. */
export interface Told {
  /** Text of the answer. Empty if it has none. */
  readonly text?: string | undefined;
  /** Text of the reasoning before the answer. Empty if it has none. */
  readonly reasoning?: string | undefined;
  /** The provider's counts so far. Their output tokens include the text of this event. */
  readonly usage?: Actual | undefined;
  /** Whether the answer ends with this event. */
  readonly ended?: boolean | undefined;
}

/**
 * A meter over the events of a stream.
 *
 * @param read What an event says, or `undefined` for an event that the dialect does not know. It is given the parsed
 *   JSON of the event, an object, or the text `[DONE]`, and must not throw.
 * @throws ValidationError naming an option that is wrong
 */
export function usageMeter(
  options: MeterOptions,
  read: (event: Readonly<Record<string, unknown>> | typeof DONE) => Told | undefined,
): UsageMeter {
  const { tokenCounter = characterCounter } = parse(optionsSchema, options, "options");
  const text = new TextCount(tokenCounter);
  const reasoning = new TextCount(tokenCounter);
  let usage: Actual = {};
  /** Counts of zero that are not believed, kept in case nothing else comes: see {@link take}. */
  let zeros: Actual = {};
  let hasEarlyZeros = false;
  let hasText = false;
  let ended = false;
  /** Whether the provider's last counts include all the text so far. */
  let upToDate = false;
  /** Whether something after the last counts could not be read. */
  let hasLost = false;
  let events = 0;
  let known = 0;

  function look(event: Readonly<Record<string, unknown>> | typeof DONE): void {
    events++;
    const told = read(event);
    if (told === undefined) return;
    known++;
    if (told.text || told.reasoning) {
      hasText = true;
      upToDate = false;
    }
    text.add(told.text ?? "");
    reasoning.add(told.reasoning ?? "");
    if (told.ended) ended = true;
    if (told.usage !== undefined) take(told.usage);
  }

  /**
   * Takes over the provider's counts.
   *
   * Some providers put zeros into every chunk, so a zero is not always believed. An output of zero counts only if there
   * is neither text, nor anything that could not be read, nor another count; or if it comes at the end and in no earlier
   * chunk. An input of zero counts only if no input was given before.
   */
  function take(told: Actual): void {
    const { inputTokens, outputTokens, ...beside } = told;
    if (outputTokens === 0 && !ended) hasEarlyZeros = true;
    const isLast = ended && !hasEarlyZeros;
    if (!hasTokens(told) && (!isLast || hasTokens(usage))) {
      zeros = { ...zeros, ...knownOf({ inputTokens, outputTokens }) };
      usage = { ...usage, ...beside };
      return;
    }
    const mayBeZero = !usage.outputTokens && (isLast || !(hasText || hasLost));
    const isOutputTold = outputTokens !== undefined && (outputTokens > 0 || mayBeZero);
    usage = {
      ...withoutPartsOf(told, usage),
      ...beside,
      ...knownOf({
        inputTokens: inputTokens || (usage.inputTokens ?? inputTokens),
        outputTokens: isOutputTold ? outputTokens : undefined,
      }),
    };
    if (isOutputTold) {
      upToDate = true;
      hasLost = false;
      text.clear();
    }
    if (isOutputTold || told.reasoningTokens !== undefined) reasoning.clear();
  }

  function hasOnlyZeros(): boolean {
    return !hasText && !hasTokens(usage);
  }

  const reader = new EventReader({
    event(data) {
      const event = eventOf(data);
      if (event !== undefined) look(event);
      return event !== undefined;
    },
    lost() {
      hasLost = true;
    },
  });

  return {
    push(chunk) {
      try {
        if (typeof chunk === "string" || isBytes(chunk)) reader.push(chunk);
        // Sound: any object can be read like this. One that is not an event, from JavaScript, says nothing.
        else if (typeof chunk === "object" && chunk !== null)
          look(chunk as Readonly<Record<string, unknown>>);
      } catch {
        // Reading the object threw. The answer is on its way to the client and must not be interrupted by that.
        hasLost = true;
      }
    },
    get complete() {
      reader.flush();
      return ended && !hasLost && (upToDate || (zeros.outputTokens !== undefined && hasOnlyZeros()));
    },
    actual() {
      reader.flush();
      const actual = hasOnlyZeros() ? { ...zeros, ...usage } : { ...usage };
      const reasoned = reasoning.tokens;
      // If something could not be read, or no event is of this dialect, the output is unknown. That is not zero, so it
      // is left out.
      if (hasLost) delete actual.outputTokens;
      else if (known > 0 || (events === 0 && !reader.hasContent)) {
        const told = usage.outputTokens ?? usage.reasoningTokens ?? 0;
        actual.outputTokens = Math.min(TOKENS_MAX, told + text.tokens + reasoned);
      }
      if (reasoned > 0) {
        actual.reasoningTokens = Math.min(TOKENS_MAX, (usage.reasoningTokens ?? 0) + reasoned);
      }
      return actual;
    },
  };
}

const INPUT_PART = /^cache|InputTokens$/;
const OUTPUT_PART = /^reasoning|OutputTokens$/;

/**
 * The counts so far without the parts of an input or output that `told` counts anew: a provider that gives a whole
 * gives all of its parts.
 */
function withoutPartsOf(told: Actual, before: Actual): Actual {
  const isReplaced = (count: string) =>
    (told.inputTokens && INPUT_PART.test(count)) || (told.outputTokens && OUTPUT_PART.test(count));
  return Object.fromEntries(Object.entries(before).filter(([count]) => !isReplaced(count)));
}

/** Whether any tokens are counted. */
function hasTokens(usage: Actual): boolean {
  return Object.entries(usage).some(([count, value]) => count.endsWith("Tokens") && Number(value) > 0);
}

/** Sound for an ArrayBuffer too, since it is decoded like a view of one. */
function isBytes(chunk: object): chunk is Uint8Array {
  return ArrayBuffer.isView(chunk) || chunk instanceof ArrayBuffer;
}

/** The last event of OpenAI's chat completions. */
const DONE = "[DONE]";

function eventOf(data: string): Readonly<Record<string, unknown>> | typeof DONE | undefined {
  if (data === DONE) return DONE;
  // A text that begins an object and parses as JSON is a whole event. A piece of one would not parse.
  if (!data.trimStart().startsWith("{")) return undefined;
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}
