import * as z from "zod";
import { type Actual, TOKENS_MAX } from "../../model/usage.js";
import { having, parse, schemaOf } from "../../model/validation.js";
import { known as knownOf } from "../dialects/counts.js";
import { characterCounter, type TokenCounter } from "../token-counter.js";
import { EventReader } from "./server-sent-events.js";
import { TextCount } from "./text-count.js";

/** Reads what a call uses from the stream of its answer, as it passes on to the client. */
export interface UsageMeter {
  /**
   * Looks at the next piece of the stream, cut at any byte, or at an event as the provider's library has parsed it. It keeps
   * the event under way and nothing else, changes nothing, and never throws. An event of more than 8,388,608 characters is
   * passed over.
   */
  push(chunk: Uint8Array | string | object): void;
  /** Whether the provider has told the final usage. */
  readonly complete: boolean;
  /**
   * What has been used as far as it was seen: the provider's own counts, and for text that came after the last of them
   * what the token counter makes of it. An input that the provider has not told is left out: then a settle charges what was
   * estimated of it, with its parts. An output of zero is the provider's where it comes at the end alone, or there is
   * nothing else. Output of which something was passed over is left out, until the provider tells it again, and so is that of
   * a stream in which there is no event to read: then a settle charges the estimate. To be settled with, also when the client
   * has hung up.
   */
  actual(): Actual;
}

export interface MeterOptions {
  /** Counts the text of a stream that ends before the provider has told its tokens; by characters by default. */
  readonly tokenCounter?: TokenCounter | undefined;
}

const optionsSchema: z.ZodType<MeterOptions> = schemaOf<MeterOptions>()(
  z.strictObject({
    tokenCounter: having<TokenCounter>("count").optional(),
  }),
);

/** What one event of a stream tells. */
export interface Told {
  /** Text of the answer; empty where it has none. */
  readonly text?: string | undefined;
  /** Text of the reasoning before the answer; empty where it has none. */
  readonly reasoning?: string | undefined;
  /** The provider's counts so far. Output tokens among them count the text of this event, too. */
  readonly usage?: Actual | undefined;
  /** Whether the answer ends here. */
  readonly ended?: boolean | undefined;
}

/**
 * A meter over the events of a stream.
 *
 * @param read What an event tells; undefined for one that this dialect does not know. It gets what the JSON of the event
 *   parses to, an object, or the text `[DONE]`, and does not throw.
 * @throws ValidationError naming the option that is wrong
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
  /** Whether something that came after the last counts could not be read. */
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
   * Takes over the provider's counts. Some providers put zeros into every chunk, so a zero is not always believed: an output of zero
   * only where there is neither text nor another count, or where it comes at the end and in no earlier chunk; an input of zero only
   * where no input was told before.
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
    const mayBeZero = !usage.outputTokens && (isLast || !hasText);
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
        // Sound: any object may be read so. What is none of these, from JavaScript, says nothing.
        else if (typeof chunk === "object" && chunk !== null)
          look(chunk as Readonly<Record<string, unknown>>);
      } catch {
        // Reading the object threw. The answer is on its way to the client and must not be stopped by that.
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
      // Where something could not be read, or no event is of this dialect, the output is not known. That is not zero, so it is left out.
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

/** The counts so far, without the parts of an input or output that `told` counts anew: with a whole, a provider tells all of its parts. */
function withoutPartsOf(told: Actual, before: Actual): Actual {
  const isReplaced = (count: string) =>
    (told.inputTokens && INPUT_PART.test(count)) || (told.outputTokens && OUTPUT_PART.test(count));
  return Object.fromEntries(Object.entries(before).filter(([count]) => !isReplaced(count)));
}

/** Whether any tokens are counted. */
function hasTokens(usage: Actual): boolean {
  return Object.entries(usage).some(([count, value]) => count.endsWith("Tokens") && Number(value) > 0);
}

function isBytes(chunk: object): chunk is Uint8Array {
  return ArrayBuffer.isView(chunk) || chunk instanceof ArrayBuffer;
}

/** What OpenAI's chat completions end with. */
const DONE = "[DONE]";

function eventOf(data: string): Readonly<Record<string, unknown>> | typeof DONE | undefined {
  if (data === DONE) return DONE;
  // A text that begins an object and parses as JSON is a whole event: a piece of one would not parse.
  if (!data.trimStart().startsWith("{")) return undefined;
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}
