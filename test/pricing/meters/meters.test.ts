import { gzipSync } from "node:zlib";
import fc from "fast-check";
import {
  actualSchema,
  anthropicMeter,
  characterCounter,
  fromAnthropic,
  fromGemini,
  fromOpenAI,
  geminiMeter,
  type MeterOptions,
  openAIMeter,
  priceCatalog,
  type Usage,
  type UsageMeter,
} from "tollgate";
import { describe, expect, it, test } from "vitest";
import { DEEP, WRITES_ANY_DEPTH } from "../../deep-json.js";
import { limited, world } from "../../gate/world.js";
import {
  CHAT_TEXT,
  chat,
  chatActual,
  generate,
  generateActual,
  messages,
  messagesActual,
  responses,
  responsesActual,
} from "./streams.js";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Each with what it tells at its end, and how many characters the model says in it, of output and of reasoning. */
const streams: [string, (options?: MeterOptions) => UsageMeter, string, object, [number, number]][] = [
  ["OpenAI chat completions", openAIMeter, chat, chatActual, [49, 0]],
  ["OpenAI responses", openAIMeter, responses, responsesActual, [52, 19]],
  ["Anthropic messages", anthropicMeter, messages, messagesActual, [54, 14]],
  ["Gemini streamGenerateContent", geminiMeter, generate, generateActual, [40, 10]],
];

function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const ends = [...new Set(at.map((n) => n % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

/** Each byte, with a piece of nothing behind it. */
const cutIntoBytes = (bytes: Uint8Array) =>
  [...bytes].flatMap((byte) => [Uint8Array.of(byte), new Uint8Array()]);

/** The stream as it would be if the provider told no counts. */
function withoutCounts(stream: string): string {
  const isCount = (name: string) => name === "usage" || name === "usageMetadata";
  const without = (json: string) =>
    JSON.stringify(JSON.parse(json, (name, value) => (isCount(name) ? undefined : value)));
  return stream.replace(/(?<=^data: )\{.*\}$/gm, without);
}

describe.each(streams)("a meter of %s", (_, meterOf, stream, actual, said) => {
  const lines = stream.split("\n");

  it("counts everything that the model says where the provider tells no counts", () => {
    const meter = meterOf({ tokenCounter: { count: (text) => text.length } });
    meter.push(withoutCounts(stream));
    const { outputTokens, reasoningTokens = 0 } = meter.actual();
    expect([outputTokens, reasoningTokens]).toEqual(said);
  });

  it("tells what the provider told at the end", () => {
    const meter = meterOf();
    expect(meter.complete).toBe(false);
    meter.push(bytesOf(stream));
    expect(meter.complete).toBe(true);
    expect(meter.actual()).toEqual(actual);
    expect(meter.actual()).toEqual(actual);
  });

  test("law: any cuts of the bytes, and any look in between, give the same answer at every point", () => {
    const bytes = bytesOf(stream);
    const untouched = bytes.slice();
    const at = fc.array(fc.nat(bytes.length), { maxLength: 30 });
    fc.assert(
      fc.property(at, fc.nat(bytes.length), fc.boolean(), (at, end, looks) => {
        const whole = meterOf();
        whole.push(bytes.subarray(0, end));
        const pieces = meterOf();
        for (const piece of cut(bytes.subarray(0, end), at)) {
          pieces.push(piece);
          if (looks) pieces.actual();
        }
        expect(pieces.actual()).toEqual(whole.actual());
        expect(pieces.complete).toBe(whole.complete);
        expect(Buffer.compare(bytes, untouched)).toBe(0);
        expect(actualSchema.safeParse(whole.actual()).success).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("gives the same answer byte by byte, as a buffer, and as text character by character", () => {
    const byByte = meterOf();
    for (const byte of bytesOf(stream)) byByte.push(Uint8Array.of(byte));
    expect(byByte.actual()).toEqual(actual);
    const buffered = meterOf();
    buffered.push(bytesOf(stream).slice().buffer);
    expect(buffered.actual()).toEqual(actual);
    const byCharacter = meterOf();
    for (const character of stream) byCharacter.push(character);
    expect(byCharacter.actual()).toEqual(actual);
  });

  it.each([
    ["\n", "LF"],
    ["\r\n", "CR LF"],
    ["\r", "CR"],
  ])("understands lines that end in %j", (end) => {
    const bytes = bytesOf(stream.replaceAll("\r\n", "\n").replaceAll("\n", end));
    for (const pieces of [[bytes], cutIntoBytes(bytes)]) {
      const meter = meterOf();
      for (const piece of pieces) meter.push(piece);
      expect(meter.actual()).toEqual(actual);
      expect(meter.complete).toBe(true);
    }
  });

  it("understands lines that end in CR LF before blank lines that end in LF", () => {
    const meter = meterOf();
    const mixed = stream.replaceAll("\r\n", "\n").replaceAll("\n\n", "\r\n\n");
    for (const piece of cutIntoBytes(bytesOf(mixed))) meter.push(piece);
    expect(meter.actual()).toEqual(actual);
  });

  it("understands comments, a byte order mark, other fields, and data without a space or over several lines", () => {
    const strange = lines
      .map((line) => line.replace(/\r$/, ""))
      .map((line) => line.replace(/^data: \{/, ": comment\nid: 7\nretry: 5\ndata:{\ndata-id: 7\ndata:"))
      .join("\n");
    const bytes = bytesOf(`\ufeff:\n${strange}`.replaceAll("\n", "\r\n"));
    for (const pieces of [[bytes], cutIntoBytes(bytes)]) {
      const meter = meterOf();
      for (const piece of pieces) meter.push(piece);
      expect(meter.actual()).toEqual(actual);
      expect(meter.complete).toBe(true);
    }
  });

  it("does not need the last blank line, nor the last line's end", () => {
    const meter = meterOf();
    meter.push(bytesOf(stream.replace(/[\r\n]+$/, "")));
    expect(meter.complete).toBe(true);
    expect(meter.actual()).toEqual(actual);
  });

  it("reads the events as the provider's library has parsed them", () => {
    const meter = meterOf();
    for (const line of lines) if (line.startsWith("data: {")) meter.push(JSON.parse(line.slice(6)));
    meter.push("data: [DONE]\n\n");
    expect(meter.actual()).toEqual(actual);
    expect(meter.complete).toBe(true);
  });

  test("law: never throws, whatever comes, and always tells an actual that a settle takes", () => {
    const json = fc.jsonValue({ maxDepth: 4 }).map((value) => `data: ${JSON.stringify(value)}\n\n`);
    const broken = fc
      .tuple(fc.nat(stream.length), fc.nat(stream.length), fc.string())
      .map(([from, to, text]) => stream.slice(0, from) + text + stream.slice(to));
    const swapped = fc
      .tuple(fc.constantFrom(...(stream.match(/"[a-zA-Z_]+":/g) ?? [])), fc.jsonValue())
      .map(([field, value]) => stream.replaceAll(field, `${field}${JSON.stringify(value)},"x":`));
    const bytes = fc.uint8Array({ maxLength: 300 });
    const chunks = fc.array(fc.oneof(json, broken, swapped, bytes, fc.string(), fc.anything()), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(chunks, (chunks) => {
        const meter = meterOf();
        for (const chunk of chunks) meter.push(chunk as string);
        expect(typeof meter.complete).toBe("boolean");
        expect(actualSchema.safeParse(meter.actual()).success).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("does not throw at an object that throws when it is read, and leaves the output untold", () => {
    const fails = () => {
      throw new Error("not to be read");
    };
    const guarded = new Proxy({}, { get: fails, has: fails, getPrototypeOf: fails });
    const names = ["type", "choices", "candidates", "usage"];
    const withGetters = Object.defineProperties(
      {},
      Object.fromEntries(names.map((name) => [name, { get: fails }])),
    );
    for (const chunk of [guarded, withGetters]) {
      const meter = meterOf();
      expect(() => meter.push(chunk)).not.toThrow();
      expect(meter.actual()).toEqual({});
      meter.push(bytesOf(stream));
      expect(meter.actual()).toEqual(actual);
    }
  });

  it("takes nothing from what is no chunk at all", () => {
    const meter = meterOf();
    for (const chunk of [null, undefined, 7]) meter.push(chunk as unknown as string); // what JavaScript may do
    expect(meter.actual()).toEqual({ outputTokens: 0 });
    meter.push(bytesOf(stream));
    expect(meter.actual()).toEqual(actual);
  });

  it("tells no output where the client hung up before the first event, and nothing of the input", () => {
    expect(meterOf().actual()).toEqual({ outputTokens: 0 });
  });

  it("tells no output where nothing came but what keeps the connection open", () => {
    const meter = meterOf();
    for (const piece of ["\ufeff", ":", " keep-alive", "\n\n", "\r\n", " \n", ":\n"])
      meter.push(bytesOf(piece));
    expect(meter.actual()).toEqual({ outputTokens: 0 });
  });

  it.each<[what: string, body: Uint8Array]>([
    ["compressed bytes", gzipSync(stream)],
    ["an answer that is no stream", bytesOf(JSON.stringify({ usage: { output_tokens: 5_000 } }))],
    ["a list in lines", bytesOf(JSON.stringify([{ candidates: [{ content: {} }] }], null, 2))],
    ["a page", bytesOf(": \n\n\n<html>")],
    ["data that is no JSON", bytesOf("data: Hello\n\n")],
    ["half an event", bytesOf(stream.slice(0, stream.indexOf("data: ") + 10))],
  ])("says nothing of the output of %s", (_what, body) => {
    const meter = meterOf();
    meter.push(body);
    expect(meter.actual()).toEqual({});
  });

  it("says nothing of the output where no event is of its dialect", () => {
    const meter = meterOf();
    meter.push('data: {"hello":"world"}\n\n');
    expect(meter.actual()).toEqual({});
  });

  it("keeps no more than a piece of a long text, which counts piece by piece", () => {
    const counted: number[] = [];
    const tokenCounter = {
      count(text: string) {
        counted.push(text.length);
        return 1;
      },
    };
    const meter = meterOf({ tokenCounter });
    const event = lines.find((line) => line.includes("Grüße"))?.replace(/,"usageMetadata".*\}/, "}");
    for (let i = 0; i < 1_000; i++) meter.push(`${event}\n\n`);
    meter.actual();
    expect(counted.length).toBeGreaterThan(1);
    expect(Math.max(...counted)).toBeLessThan(2_048);
  });

  it("counts a text that comes in many events as one text", () => {
    const counted: string[] = [];
    const count = (text: string) => counted.push(text);
    const meter = meterOf({ tokenCounter: { count } });
    const event = lines.find((line) => line.includes("Grüße"))?.replace(/,"usageMetadata".*\}/, "}");
    for (let i = 0; i < 3; i++) meter.push(`${event}\n\n`);
    meter.actual();
    expect(counted).toEqual([expect.stringMatching(/Grüße.*Grüße.*Grüße/s)]);
  });

  it("counts by characters where the token counter fails", () => {
    const event = lines.find((line) => line.includes("Grüße")) ?? "";
    const outputs = [
      characterCounter,
      {
        count() {
          throw new Error("a special token");
        },
      },
      { count: () => Number.NaN },
      { count: () => 1.5 },
      { count: () => Number.POSITIVE_INFINITY },
      { count: () => 2 ** 53 },
      { count: () => -1 },
    ].map((tokenCounter) => {
      const meter = meterOf({ tokenCounter });
      meter.push(`${event}\n\n`);
      return meter.actual().outputTokens;
    });
    expect(new Set(outputs).size).toBe(1);
  });

  it("refuses options that it does not know", () => {
    expect(() => meterOf({ tokenCounter: {} as never })).toThrow(
      "options.tokenCounter: an object with count",
    );
    expect(() => meterOf({ tokens: 5 } as never)).toThrow("options.tokens: no such field");
  });
});

const eventsOf = (...events: object[]) => events.map((one) => `data: ${JSON.stringify(one)}\n\n`).join("");

const actualOf = (meter: UsageMeter, ...events: object[]) => {
  meter.push(eventsOf(...events));
  return meter.actual();
};

/** One token per character, so that sums are seen. */
const perCharacter = { count: (text: string) => text.length };

/** What is told of a stream up to the event that holds `text`, that event included. */
function upTo(meterOf: (options?: MeterOptions) => UsageMeter, stream: string, text: string) {
  const meter = meterOf({ tokenCounter: perCharacter });
  const end = stream.indexOf("\n", stream.indexOf(text)) + 1;
  meter.push(bytesOf(stream.slice(0, end)));
  expect(meter.complete).toBe(false);
  return meter.actual();
}

describe("a stream and a whole answer", () => {
  it("of messages with a compaction are charged the same", () => {
    const compaction = { type: "compaction", input_tokens: 180_000, output_tokens: 3_500 };
    const usage = { input_tokens: 23_000, output_tokens: 1_000, iterations: [compaction] };
    const meter = anthropicMeter();
    meter.push(
      eventsOf(
        { type: "message_start", message: { usage: { input_tokens: 23_000, output_tokens: 1 } } },
        { type: "message_delta", delta: { stop_reason: "end_turn" }, usage },
      ),
    );
    expect(meter.actual()).toEqual({ inputTokens: 203_000, outputTokens: 4_500 });
    expect(fromAnthropic({ usage })).toEqual(meter.actual());
  });

  it("of responses are charged for the same searches, also where a page was opened", () => {
    const item = { type: "web_search_call", status: "completed", action: { type: "search" } };
    const response = {
      output: [item, { ...item, action: { type: "open_page" } }],
      usage: { input_tokens: 5, output_tokens: 6 },
    };
    const meter = openAIMeter();
    const searched = { type: "response.web_search_call.completed" };
    meter.push(eventsOf(searched, searched, { type: "response.completed", response }));
    expect(meter.actual()).toEqual({ inputTokens: 5, outputTokens: 6, searches: 1 });
    expect(fromOpenAI(response)).toEqual(meter.actual());
  });
});

it("a function call of Gemini's that nests too deeply to be written does not throw, and its name is counted", () => {
  const meter = geminiMeter();
  const args = `{"a":${DEEP}}`;
  const part = `{"functionCall":{"name":"find","args":${args}}}`;
  meter.push(`data: {"candidates":[{"content":{"parts":[${part}]}}]}\n\n`);
  const counted = WRITES_ANY_DEPTH ? `find${args}` : "find";
  expect(meter.actual()).toEqual({ outputTokens: Math.ceil(counted.length / 4) });
});

describe("a client that hangs up", () => {
  it("of chat completions has the text and tool calls so far, and nothing of the input", () => {
    const told = upTo(openAIMeter, chat, "Zürich, ");
    expect(told).toMatchObject({ outputTokens: CHAT_TEXT.length });
    expect(told).not.toHaveProperty("inputTokens");
    expect(upTo(openAIMeter, chat, "city")).toMatchObject({
      outputTokens: CHAT_TEXT.length + 'weather{"city":"Zürich"}'.length,
    });
  });

  it("of responses has the reasoning, text and arguments so far, and no service tier as long as that is `auto`", () => {
    expect(upTo(openAIMeter, responses, "city")).toEqual({
      outputTokens: 'Thinking about it. Grüße aus Zürich{"city":"Zürich"}'.length,
      reasoningTokens: "Thinking about it. ".length,
      searches: 1,
    });
  });

  it("of messages has the input that was told, and the thinking, text and tool input so far", () => {
    expect(upTo(anthropicMeter, messages, "city")).toEqual({
      ...messagesActual,
      outputTokens: 'Let me think. Grüße aus Zürichweather{"city":"Zürich"}'.length,
      reasoningTokens: "Let me think. ".length,
      searches: undefined,
    });
  });

  it("of Gemini has the last usage, or what was seen where that told the prompt alone", () => {
    expect(upTo(geminiMeter, generate, "Thinking")).toEqual({
      inputTokens: 40,
      outputTokens: "Thinking. ".length,
      reasoningTokens: "Thinking. ".length,
    });
    expect(upTo(geminiMeter, generate, "Grüße")).toEqual({
      inputTokens: 40,
      outputTokens: 24,
      reasoningTokens: 20,
    });
  });

  it.each<[what: string, meter: UsageMeter, event: object, parts: Partial<Usage>]>([
    ["audio", openAIMeter(), { choices: [{ delta: { content: "Hello" } }] }, { audioInputTokens: 95_000 }],
    ["a cache write", anthropicMeter(), { type: "ping" }, { cacheWrite1hTokens: 100_000 }],
  ])(
    "before the input is told is charged for it as it was reserved: %s",
    async (_what, meter, event, parts) => {
      const prices = priceCatalog.of({
        m: {
          inputUsdPerMillion: 2,
          outputUsdPerMillion: 0,
          audioInputUsdPerMillion: 40,
          cacheWrite1hUsdPerMillion: 4,
        },
      });
      const { gate } = world(limited({ key: { budget: { usd: 100, reset: "monthly" } } }), { prices });
      const admission = await gate.admit(
        { keyId: "k1" },
        {
          model: "m",
          inputTokens: 100_000,
          maxOutputTokens: 9,
          ...parts,
        },
      );
      if (!admission.admitted) throw new Error(admission.message);
      meter.push(event);
      const settlement = await gate.settle(admission.reservation, { ...meter.actual(), disconnected: true });
      const { costNanoUsd } = admission.reservation;
      expect(settlement).toMatchObject({ charged: { inputTokens: 100_000, costNanoUsd } });
    },
  );

  it("is charged for text that came after the provider's last count, on top of that", () => {
    const usage = { prompt_tokens: 9, completion_tokens: 5 };
    const meter = openAIMeter({ tokenCounter: perCharacter });
    meter.push(`data: ${JSON.stringify({ choices: [{ delta: { content: "abc" } }], usage })}\n\n`);
    meter.push(`data: ${JSON.stringify({ choices: [{ delta: { content: "de" } }] })}\n\n`);
    expect(meter.actual()).toEqual({ inputTokens: 9, outputTokens: 7 });
    expect(meter.complete).toBe(false);
  });
});

it("the first event is read behind a byte order mark, also of a stream that comes as text", () => {
  const meter = openAIMeter();
  meter.push(`\ufeffdata: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n`);
  expect(meter.actual()).toMatchObject({ inputTokens: 3, outputTokens: 4 });
});

it("an event is read behind blanks", () => {
  const meter = openAIMeter();
  meter.push(`data:  \t{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n`);
  expect(meter.actual()).toMatchObject({ inputTokens: 3, outputTokens: 4 });
});

it("what is counted on top of the provider's count is no more than a settle takes", () => {
  const meter = openAIMeter();
  const completion_tokens_details = { reasoning_tokens: 1_000_000_000_000 };
  const usage = { prompt_tokens: 1, completion_tokens: 1_000_000_000_000, completion_tokens_details };
  meter.push({ choices: [], usage });
  meter.push({ choices: [{ delta: { content: "and so on and on", reasoning_content: "hm" } }] });
  expect(actualSchema.safeParse(meter.actual()).success).toBe(true);
});

it.each<[whose: string, last: object]>([
  [
    "Kimi's",
    { choices: [{ finish_reason: "stop", usage: { prompt_tokens: 800, completion_tokens: 5_000 } }] },
  ],
  [
    "Groq's",
    {
      choices: [{ finish_reason: "stop" }],
      usage: null,
      x_groq: { id: "req_1", usage: { prompt_tokens: 800, completion_tokens: 5_000 } },
    },
  ],
])("a meter of OpenAI's finds %s usage where it stands", (_whose, last) => {
  const meter = openAIMeter();
  meter.push({ choices: [{ delta: { content: "Hello" } }] });
  meter.push(last);
  expect(meter.actual()).toEqual({ inputTokens: 800, outputTokens: 5_000 });
  expect(meter.complete).toBe(true);
});

it("messages whose client hangs up are charged for the searches that were answered", () => {
  const meter = anthropicMeter({ tokenCounter: perCharacter });
  const start = (content_block: object) => meter.push({ type: "content_block_start", content_block });
  const result = { type: "web_search_tool_result", content: [{ type: "web_search_result", title: "A" }] };
  start({ type: "server_tool_use", name: "web_search" });
  start(result);
  start({ ...result, content: { type: "web_search_tool_result_error", error_code: "unavailable" } });
  start(result);
  expect(meter.actual()).toEqual({ outputTokens: "web_search".length, searches: 2 });
  meter.push({
    type: "message_delta",
    delta: { stop_reason: "end_turn" },
    usage: { input_tokens: 9_000, output_tokens: 40, server_tool_use: { web_search_requests: 3 } },
  });
  expect(meter.actual()).toEqual({ inputTokens: 9_000, outputTokens: 40, searches: 3 });
});

describe("law: a last usage that tells input and output is charged like a whole answer, whatever came before it", () => {
  const few = fc.integer({ min: 0, max: 50 });
  const some = fc.integer({ min: 1, max: 50 });
  const parts = (names: readonly string[]) =>
    fc.record(Object.fromEntries(names.map((name) => [name, few])), { requiredKeys: [] });

  test("of chat completions", () => {
    const usages = (requiredKeys: ["prompt_tokens", "completion_tokens"] | []) =>
      fc.record(
        {
          prompt_tokens: some,
          completion_tokens: some,
          total_tokens: fc.integer({ min: 0, max: 150 }),
          prompt_tokens_details: parts([
            ...["cached_tokens", "cache_write_tokens"],
            ...["audio_tokens", "image_tokens"],
          ]),
          completion_tokens_details: parts(["reasoning_tokens", "audio_tokens"]),
        },
        { requiredKeys },
      );
    const whole = usages(["prompt_tokens", "completion_tokens"]);
    fc.assert(
      fc.property(fc.array(usages([]), { maxLength: 2 }), whole, (before, usage) => {
        const meter = openAIMeter();
        for (const early of before) meter.push({ choices: [{ delta: { content: "x" } }], usage: early });
        meter.push({ choices: [{ finish_reason: "stop" }], usage });
        expect(meter.actual()).toEqual(fromOpenAI(usage));
      }),
    );
  });

  test("of Gemini", () => {
    const modality = fc.constantFrom("TEXT", "AUDIO", "IMAGE");
    const details = fc.array(fc.record({ modality, tokenCount: few }), { maxLength: 2 });
    const usages = (requiredKeys: ["promptTokenCount", "candidatesTokenCount"] | []) =>
      fc.record(
        {
          promptTokenCount: some,
          candidatesTokenCount: some,
          totalTokenCount: fc.integer({ min: 0, max: 150 }),
          thoughtsTokenCount: few,
          toolUsePromptTokenCount: few,
          cachedContentTokenCount: few,
          promptTokensDetails: details,
          cacheTokensDetails: details,
          candidatesTokensDetails: details,
        },
        { requiredKeys },
      );
    const whole = usages(["promptTokenCount", "candidatesTokenCount"]);
    fc.assert(
      fc.property(fc.array(usages([]), { maxLength: 2 }), whole, (before, usageMetadata) => {
        const meter = geminiMeter();
        const said = [{ content: { parts: [{ text: "x" }] } }];
        for (const early of before) meter.push({ candidates: said, usageMetadata: early });
        meter.push({ candidates: [{ finishReason: "STOP" }], usageMetadata });
        expect(meter.actual()).toEqual(fromGemini(usageMetadata));
      }),
    );
  });
});

it("a usage that tells the whole anew takes the place of its parts as they were told before", () => {
  const generate = geminiMeter();
  const audio = [{ modality: "AUDIO", tokenCount: 80 }];
  const first = { promptTokenCount: 100, totalTokenCount: 100, promptTokensDetails: audio };
  generate.push({ candidates: [{ content: { parts: [{ text: "Hm" }] } }], usageMetadata: first });
  const cached = { cachedContentTokenCount: 100, cacheTokensDetails: audio };
  generate.push({ usageMetadata: { ...first, ...cached, candidatesTokenCount: 5, totalTokenCount: 105 } });
  expect(generate.actual()).toEqual({ inputTokens: 100, cachedInputTokens: 100, outputTokens: 5 });

  const chat = openAIMeter();
  const details = {
    completion_tokens_details: { reasoning_tokens: 40 },
    prompt_tokens_details: { cached_tokens: 9 },
  };
  chat.push({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 50, ...details } });
  chat.push({ choices: [], usage: { completion_tokens: 30 } });
  expect(chat.actual()).toEqual({ inputTokens: 9, cachedInputTokens: 9, outputTokens: 30 });
});

it("a usage that tells the input alone leaves the parts of the output as they were told before", () => {
  const meter = openAIMeter();
  const completion_tokens_details = { reasoning_tokens: 40 };
  meter.push({ choices: [], usage: { completion_tokens: 50, completion_tokens_details } });
  meter.push({ choices: [], usage: { prompt_tokens: 9 } });
  expect(meter.actual()).toEqual({ inputTokens: 9, outputTokens: 50, reasoningTokens: 40 });
});

it("of what was said, text and reasoning are counted, under either name that this has, and no sound", () => {
  const chat = openAIMeter();
  for (const name of ["reasoning", "reasoning_content"])
    chat.push({ choices: [{ delta: { [name]: "abcd" } }] });
  expect(chat.actual()).toEqual({ outputTokens: 2, reasoningTokens: 2 });
  const response = openAIMeter();
  for (const type of ["response.output_audio.delta", "response.audio.delta"])
    response.push({ type, delta: "UklGRg==" });
  expect(response.actual()).toEqual({ outputTokens: 0 });
});

it("thoughts that Gemini has told are counted once, and an end without an answer has an output of zero", () => {
  const thought = { content: { parts: [{ thought: true, text: "abcd" }] } };
  const thinking = geminiMeter();
  thinking.push({ candidates: [thought], usageMetadata: { promptTokenCount: 5, thoughtsTokenCount: 7 } });
  expect(thinking.actual()).toEqual({ inputTokens: 5, outputTokens: 7, reasoningTokens: 7 });
  const usageMetadata = { promptTokenCount: 5, totalTokenCount: 5 };
  for (const end of [
    { candidates: [{ finishReason: "SAFETY" }] },
    { candidates: [{ finishReason: "SAFETY" }, {}] },
    { promptFeedback: { blockReason: "SAFETY" } },
  ]) {
    const blocked = geminiMeter();
    blocked.push({ ...end, usageMetadata });
    expect([blocked.actual(), blocked.complete]).toEqual([{ inputTokens: 5, outputTokens: 0 }, true]);
  }
});

it("code that Gemini runs counts as text", () => {
  const meter = geminiMeter({ tokenCounter: perCharacter });
  meter.push({ candidates: [{ content: { parts: [{ executableCode: { code: "print(1)" } }] } }] });
  expect(meter.actual()).toEqual({ outputTokens: "print(1)".length });
});

it("messages without a reason to stop end with message_stop", () => {
  const meter = anthropicMeter();
  meter.push({ type: "message_delta", delta: {}, usage: { input_tokens: 5, output_tokens: 6 } });
  expect(meter.complete).toBe(false);
  meter.push({ type: "message_stop" });
  expect(meter.complete).toBe(true);
});

it("messages whose prompt was all in the cache, and whose text is in the first event of its block, are told so", () => {
  const meter = anthropicMeter({ tokenCounter: perCharacter });
  const usage = { input_tokens: 0, cache_read_input_tokens: 1_000, output_tokens: 1 };
  meter.push({ type: "message_start", message: { usage } });
  meter.push({ type: "content_block_start", content_block: { type: "text", text: "Hello" } });
  expect(meter.actual()).toEqual({ inputTokens: 1_000, cachedInputTokens: 1_000, outputTokens: 5 });
});

it("messages that write to a cache for an hour, and write more after their beginning, are told so", () => {
  const usage = {
    input_tokens: 5,
    cache_creation_input_tokens: 100,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 100 },
    output_tokens: 1,
  };
  const later = { input_tokens: 8, cache_creation_input_tokens: 300, output_tokens: 9 };
  const told = actualOf(
    anthropicMeter(),
    { type: "message_start", message: { usage } },
    { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: later },
  );
  expect(told).toEqual({ inputTokens: 308, cacheWrite1hTokens: 300, outputTokens: 9 });
});

it("messages whose client hangs up after a compaction are charged for its summary", () => {
  const told = actualOf(
    anthropicMeter({ tokenCounter: perCharacter }),
    { type: "message_start", message: { usage: { input_tokens: 5, output_tokens: 1 } } },
    { type: "content_block_start", index: 0, content_block: { type: "compaction", content: null } },
    { type: "content_block_delta", index: 0, delta: { type: "compaction_delta", content: "So far" } },
  );
  expect(told).toEqual({ inputTokens: 5, outputTokens: "So far".length });
});

it("messages with more searches than a settle takes are told without them", () => {
  const usage = { input_tokens: 5, output_tokens: 9, server_tool_use: { web_search_requests: 5_000_000 } };
  const told = actualOf(anthropicMeter(), {
    type: "message_delta",
    delta: { stop_reason: "end_turn" },
    usage,
  });
  expect(told).toEqual({ inputTokens: 5, outputTokens: 9 });
  expect(actualSchema.safeParse(told).success).toBe(true);
});

it("messages in fast mode are told as such, also where the client hangs up", () => {
  const meter = anthropicMeter();
  const usage = { input_tokens: 9, output_tokens: 1, service_tier: "standard", speed: "fast" };
  meter.push({ type: "message_start", message: { usage } });
  expect(meter.actual().serviceTier).toBe("fast");
  meter.push({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 5 } });
  expect(meter.actual()).toEqual({ inputTokens: 9, outputTokens: 5, serviceTier: "fast" });
});

describe("a stream of OpenAI's of something else than text", () => {
  const usage = { input_tokens: 50, output_tokens: 400, total_tokens: 450 };
  const told = { inputTokens: 50, outputTokens: 400 };

  it.each<[what: string, events: readonly [object, object], actual: object]>([
    [
      "an image",
      [
        { type: "image_generation.partial_image", b64_json: "iVBO" },
        { type: "image_generation.completed", b64_json: "iVBORw0KGgo=", usage },
      ],
      { ...told, imageOutputTokens: 400 },
    ],
    [
      "an edited image",
      [
        { type: "image_edit.partial_image", b64_json: "iVBO" },
        { type: "image_edit.completed", b64_json: "iVBORw0KGgo=", usage },
      ],
      { ...told, imageOutputTokens: 400 },
    ],
    [
      "speech",
      [
        { type: "speech.audio.delta", audio: "UklGRg==" },
        { type: "speech.audio.done", usage },
      ],
      { ...told, audioOutputTokens: 400 },
    ],
  ])(
    "%s has the usage of its last event, and before that no output that could be counted",
    (_what, events, actual) => {
      const meter = openAIMeter({ tokenCounter: perCharacter });
      meter.push(events[0]);
      expect(meter.actual()).toEqual({});
      meter.push(events[1]);
      expect(meter.actual()).toEqual(actual);
      expect(meter.complete).toBe(true);
    },
  );

  it.each(["image_generation.completed", "image_edit.completed", "speech.audio.done"])(
    "is not free where its last event, %s, has no usage",
    (type) => {
      const meter = openAIMeter();
      meter.push({ type });
      expect([meter.actual(), meter.complete]).toEqual([{}, false]);
    },
  );

  it("a transcription has the usage of its last event, and before that its text", () => {
    const meter = openAIMeter({ tokenCounter: perCharacter });
    meter.push({ type: "transcript.text.delta", delta: "Hello" });
    expect(meter.actual()).toEqual({ outputTokens: 5 });
    const details = { input_token_details: { audio_tokens: 45, text_tokens: 5 } };
    meter.push({ type: "transcript.text.done", text: "Hello", usage: { ...usage, ...details } });
    expect(meter.actual()).toEqual({ ...told, audioInputTokens: 45 });
    expect(meter.complete).toBe(true);
  });
});

it("a chunk of a chat that has its usage and nothing else is read", () => {
  const meter = openAIMeter();
  meter.push({ usage: { prompt_tokens: 5, completion_tokens: 6 } });
  expect(meter.actual()).toEqual({ inputTokens: 5, outputTokens: 6 });
});

it("a chunk of a chat with several choices has the usage of all of them, and each choice its own", () => {
  const meter = openAIMeter();
  const choices = [7, 8].map((tokens) => ({ finish_reason: "stop", usage: { completion_tokens: tokens } }));
  meter.push({ choices, usage: { completion_tokens: 15 } });
  expect(meter.actual()).toEqual({ outputTokens: 15 });
});

it("a chunk of a chat is one whatever type it says it has", () => {
  const meter = openAIMeter({ tokenCounter: perCharacter });
  meter.push({ type: "message", choices: [{ delta: { content: "Hello" } }] });
  expect(meter.actual()).toEqual({ outputTokens: 5 });
});

describe("a chat without usage", () => {
  it.each<[what: string, choice: object]>([
    ["the text of a completion", { text: "12345" }],
    ["a refusal", { delta: { content: null, refusal: "12345" } }],
    ["what a voice says", { delta: { audio: { id: "a1", transcript: "12345", data: "UklGRg==" } } }],
    ["the name of a function", { delta: { function_call: { name: "12345" } } }],
    ["the arguments of a function", { delta: { function_call: { arguments: "12345" } } }],
    ["the name of a custom tool", { delta: { tool_calls: [{ custom: { name: "12345" } }] } }],
    ["the input of a custom tool", { delta: { tool_calls: [{ custom: { input: "12345" } }] } }],
  ])("is charged for %s", (_what, choice) => {
    const meter = openAIMeter({ tokenCounter: perCharacter });
    meter.push({ choices: [choice] });
    expect(meter.actual()).toEqual({ outputTokens: 5 });
  });
});

it.each<[what: string, end: object | string]>([
  ["[DONE]", "data: [DONE]\n\n"],
  ["one of several choices", { choices: [{ finish_reason: "stop" }, { delta: {}, finish_reason: null }] }],
])("a chat ends with %s", (_what, end) => {
  const meter = openAIMeter();
  meter.push({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 6 } });
  expect(meter.complete).toBe(false);
  meter.push(end);
  expect(meter.complete).toBe(true);
});

it("a count of the whole output takes the place of a long text, and is not the last one before more text", () => {
  const meter = openAIMeter({ tokenCounter: perCharacter });
  meter.push({ choices: [{ delta: { content: "x".repeat(5_000) } }] });
  const usage = { prompt_tokens: 5, completion_tokens: 1_250 };
  meter.push({ choices: [{ delta: {}, finish_reason: "stop" }], usage });
  expect(meter.actual()).toEqual({ inputTokens: 5, outputTokens: 1_250 });
  expect(meter.complete).toBe(true);
  meter.push({ choices: [{ delta: { content: "Hello" } }] });
  expect(meter.actual()).toEqual({ inputTokens: 5, outputTokens: 1_255 });
  expect(meter.complete).toBe(false);
});

it("reasoning after a count of it is added to that", () => {
  const meter = openAIMeter({ tokenCounter: perCharacter });
  const completion_tokens_details = { reasoning_tokens: 40 };
  meter.push({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 50, completion_tokens_details } });
  meter.push({ choices: [{ delta: { reasoning: "Hm" } }] });
  expect(meter.actual()).toEqual({ inputTokens: 5, outputTokens: 52, reasoningTokens: 42 });
});

it.each(["completed", "incomplete", "failed"])(
  "a response ends with response.%s, whose usage is final",
  (how) => {
    const meter = openAIMeter({ tokenCounter: perCharacter });
    meter.push({ type: "response.output_text.delta", delta: "Hello" });
    meter.push({ type: `response.${how}`, response: { usage: { input_tokens: 50, output_tokens: 0 } } });
    expect(meter.actual()).toEqual({ inputTokens: 50, outputTokens: 0 });
    expect(meter.complete).toBe(true);
  },
);

it.each<[whose: string, meterOf: () => UsageMeter, error: object]>([
  ["OpenAI's chat completions", openAIMeter, { error: { message: "overloaded" } }],
  ["OpenAI's responses", openAIMeter, { type: "error", message: "overloaded" }],
  ["Anthropic's", anthropicMeter, { type: "error", error: { type: "overloaded_error" } }],
  ["Gemini's", geminiMeter, { error: { code: 503, status: "UNAVAILABLE" } }],
])("a stream of %s that only tells an error has an output of zero", (_whose, meterOf, error) => {
  const meter = meterOf();
  meter.push(error);
  expect(meter.actual()).toEqual({ outputTokens: 0 });
  expect(meter.complete).toBe(false);
});

it("a content of Mistral's in parts counts as text and as reasoning", () => {
  const meter = openAIMeter({ tokenCounter: perCharacter });
  const thinking = [{ type: "text", text: "Hm, " }, { type: "text", text: "so" }, null, "x"];
  const content = [
    { type: "thinking", thinking },
    { type: "text", text: "Hello" },
    { type: "reference", ids: [1] },
  ];
  meter.push({ choices: [{ delta: { content } }] });
  expect(meter.actual()).toEqual({ outputTokens: 11, reasoningTokens: 6 });
});

describe("a usage of zeros", () => {
  const zero = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
  const real = { prompt_tokens: 50, completion_tokens: 30, total_tokens: 80 };
  const said = (content: string, usage: object) => ({ choices: [{ delta: { content } }], usage });
  const last = (usage: object) => ({ choices: [{ finish_reason: "stop" }], usage });
  const meterOf = (...events: object[]) => {
    const meter = openAIMeter({ tokenCounter: perCharacter });
    for (const event of events) meter.push(event);
    return meter;
  };

  it("in every chunk does not make text free, nor the input", () => {
    const meter = meterOf(said("", zero), said("Hel", zero), said("lo", zero));
    expect(meter.actual()).toEqual({ outputTokens: 5 });
    expect(meter.complete).toBe(false);
  });

  it("does not take the place of counts, before it or after it", () => {
    const meter = meterOf(said("Hello", zero), last(real), last(zero));
    expect(meter.actual()).toEqual({ inputTokens: 50, outputTokens: 30 });
    expect(meter.complete).toBe(true);
  });

  it("does not make text free whose input was told before", () => {
    const meter = meterOf(said("Hello", { prompt_tokens: 50 }), last(zero));
    expect(meter.actual()).toEqual({ inputTokens: 50, outputTokens: 5 });
  });

  it("of the output alone does not make text free", () => {
    const early = { ...real, completion_tokens: 0, total_tokens: 50 };
    const meter = meterOf(said("Hel", early), said("lo", early));
    expect(meter.actual()).toEqual({ inputTokens: 50, outputTokens: 5 });
    meter.push(last(real));
    meter.push(last(early));
    expect(meter.actual()).toEqual({ inputTokens: 50, outputTokens: 30 });
    expect(meterOf(last(real), last(early)).actual()).toEqual({ inputTokens: 50, outputTokens: 30 });
  });

  it("of the output alone does not make reasoning free", () => {
    const early = { ...real, completion_tokens: 0, total_tokens: 50 };
    const meter = meterOf({ choices: [{ delta: { reasoning: "Hm" } }], usage: early });
    expect(meter.actual()).toEqual({ inputTokens: 50, outputTokens: 2, reasoningTokens: 2 });
  });

  it("is zero where it comes once, at the end, also after text", () => {
    for (const usage of [zero, { ...zero, prompt_tokens: 50 }]) {
      const text = { choices: [{ delta: { content: "Hello" } }] };
      const meter = meterOf(text, { choices: [{ finish_reason: "stop" }] }, { choices: [], usage });
      expect(meter.actual()).toEqual({ inputTokens: usage.prompt_tokens, outputTokens: 0 });
      expect(meter.complete).toBe(true);
    }
    const meter = meterOf(said("Hello", zero), last(zero));
    expect(meter.actual()).toEqual({ outputTokens: 5 });
    expect(meter.complete).toBe(false);
  });

  it("does not make the input free where only the output is told later", () => {
    const meter = meterOf({ choices: [], usage: zero }, last({ completion_tokens: 30 }));
    expect(meter.actual()).toEqual({ outputTokens: 30 });
  });

  it("is zero where there is nothing else", () => {
    const meter = meterOf({ ...last(zero), service_tier: "flex" });
    expect(meter.actual()).toEqual({ inputTokens: 0, outputTokens: 0, serviceTier: "flex" });
    expect(meter.complete).toBe(true);
    const early = meterOf({ choices: [], usage: { prompt_tokens: 50, completion_tokens: 0 } }, last({}));
    expect(early.actual()).toEqual({ inputTokens: 50, outputTokens: 0 });
    expect(early.complete).toBe(true);
    const zeros = meterOf({ choices: [], usage: zero }, last({}));
    expect(zeros.actual()).toEqual({ inputTokens: 0, outputTokens: 0 });
    expect(zeros.complete).toBe(true);
  });

  it("is zero where there is nothing else but a search", () => {
    const meter = openAIMeter();
    meter.push({ type: "response.web_search_call.completed" });
    meter.push({ type: "response.completed", response: { usage: { input_tokens: 0, output_tokens: 0 } } });
    expect(meter.actual()).toEqual({ inputTokens: 0, outputTokens: 0, searches: 1 });
    expect(meter.complete).toBe(true);
  });

  it("of the input alone does not take back what was told of it", () => {
    const meter = meterOf(
      said("Hello", { ...real, completion_tokens: 2 }),
      last({ ...real, prompt_tokens: 0 }),
    );
    expect(meter.actual()).toEqual({ inputTokens: 50, outputTokens: 30 });
    const untold = { ...real, prompt_tokens: 0, total_tokens: undefined };
    const before = said("Hello", { ...real, completion_tokens: 2 });
    expect(meterOf(before, last(untold)).actual()).toEqual({ inputTokens: 50, outputTokens: 30 });
    expect(meterOf(last(untold)).actual()).toMatchObject({ inputTokens: 0 });
  });

  it("of the input at the end of messages does not take back what their beginning told", () => {
    const told = { input_tokens: 500, cache_read_input_tokens: 1_000, output_tokens: 1 };
    for (const zeros of [{ input_tokens: 0 }, { input_tokens: 0, cache_read_input_tokens: 0 }]) {
      const meter = anthropicMeter();
      meter.push({ type: "message_start", message: { usage: told } });
      const usage = { ...zeros, output_tokens: 30 };
      meter.push({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage });
      expect(meter.actual()).toEqual({ inputTokens: 1_500, cachedInputTokens: 1_000, outputTokens: 30 });
      expect(meter.complete).toBe(true);
    }
  });

  it("of the input at the end of messages is told where it comes with a cache that their beginning did not have", () => {
    const none = { cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
    const meter = anthropicMeter();
    // Kimi and Qwen tell the whole input first, and at the end what of it was in the cache.
    meter.push({ type: "message_start", message: { usage: { input_tokens: 8_834, ...none } } });
    const usage = { input_tokens: 0, cache_read_input_tokens: 8_834, output_tokens: 47 };
    meter.push({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage });
    expect(meter.actual()).toEqual({ inputTokens: 8_834, cachedInputTokens: 8_834, outputTokens: 47 });
  });

  it("of the output at the end of messages is the whole of it, whatever their beginning told", () => {
    const meter = anthropicMeter();
    meter.push({ type: "message_start", message: { usage: { input_tokens: 500, output_tokens: 1 } } });
    meter.push({ type: "message_delta", delta: { stop_reason: "refusal" }, usage: { output_tokens: 0 } });
    expect(meter.actual()).toEqual({ inputTokens: 500, outputTokens: 0 });
  });

  it("does not count in messages and in Gemini's answers either", () => {
    const usage = { input_tokens: 0, output_tokens: 0 };
    const messages = anthropicMeter({ tokenCounter: perCharacter });
    messages.push({ type: "message_start", message: { usage } });
    messages.push({ type: "content_block_delta", delta: { type: "text_delta", text: "Hello" } });
    messages.push({ type: "message_delta", delta: {}, usage });
    expect(messages.actual()).toEqual({ outputTokens: 5 });

    const generate = geminiMeter({ tokenCounter: perCharacter });
    const usageMetadata = { promptTokenCount: 0, candidatesTokenCount: 0, totalTokenCount: 0 };
    generate.push({ candidates: [{ content: { parts: [{ text: "Hello" }] } }], usageMetadata });
    expect(generate.actual()).toEqual({ outputTokens: 5 });
  });
});

it("a count of Gemini's thoughts includes no text: the text beside it is counted", () => {
  const meter = geminiMeter({ tokenCounter: perCharacter });
  const usageMetadata = { promptTokenCount: 10, thoughtsTokenCount: 7, totalTokenCount: 17 };
  meter.push({ candidates: [{ content: { parts: [{ text: "Hello" }] } }], usageMetadata });
  expect(meter.actual()).toEqual({ inputTokens: 10, outputTokens: 12, reasoningTokens: 7 });
});

describe("a stream without usage", () => {
  it("is never complete, and its text is counted", () => {
    const meter = openAIMeter({ tokenCounter: perCharacter });
    const chunk = {
      choices: [{ delta: { content: "Hello", reasoning_content: "Hm" }, finish_reason: "stop" }],
    };
    meter.push(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`);
    expect(meter.actual()).toEqual({ outputTokens: 7, reasoningTokens: 2 });
    expect(meter.complete).toBe(false);
    const silent = openAIMeter();
    silent.push({ choices: [{ delta: {}, finish_reason: "stop" }] });
    expect(silent.complete).toBe(false);
  });

  it("whose usage is wrong is counted like one without", () => {
    const meter = openAIMeter({ tokenCounter: perCharacter });
    const usage = { prompt_tokens: -1, completion_tokens: "many" };
    meter.push(`data: ${JSON.stringify({ choices: [{ delta: { content: "Hello" } }], usage })}\n\n`);
    expect(meter.actual()).toEqual({ outputTokens: 5 });
  });
});

describe("a usage of which a part is wrong", () => {
  it.each<[what: string, wrong: object, told?: object]>([
    [
      "a negative detail",
      { completion_tokens_details: { reasoning_tokens: 4_990, audio_tokens: -1 } },
      { reasoningTokens: 4_990 },
    ],
    ["details in a list", { prompt_tokens_details: [], completion_tokens_details: [] }],
    [
      "details in words",
      { prompt_tokens_details: "none", completion_tokens_details: { reasoning_tokens: "12" } },
    ],
    ["half a token", { prompt_tokens_details: { cached_tokens: 0.5 } }],
  ])("is told without that part by a meter of OpenAI's: %s", (_what, wrong, told) => {
    const usage = { prompt_tokens: 800, completion_tokens: 5_000, total_tokens: 5_800, ...wrong };
    const choices = [{ delta: { content: "42" }, finish_reason: "stop" }];
    const expected = { inputTokens: 800, outputTokens: 5_000, ...told };
    expect(actualOf(openAIMeter(), { choices }, { choices: [], usage })).toEqual(expected);
    expect(() => fromOpenAI(usage)).toThrow();
  });

  it("is told without that part by a meter of Anthropic's", () => {
    const usage = { input_tokens: 9_000, output_tokens: 1, service_tier: "a b", cache_creation: [] };
    const told = actualOf(
      anthropicMeter(),
      { type: "message_start", message: { usage } },
      { type: "content_block_delta", delta: { type: "text_delta", text: "42" } },
      { type: "message_delta", delta: {}, usage: { output_tokens: 5_000, iterations: "none" } },
    );
    expect(told).toEqual({ inputTokens: 9_000, outputTokens: 5_000 });
    expect(() => fromAnthropic(usage)).toThrow();
  });

  it("is told by a meter of Anthropic's as it was before, where a later event has null for it", () => {
    const usage = { input_tokens: 500, cache_read_input_tokens: 1_000, output_tokens: 1 };
    for (const input_tokens of [null, 500]) {
      const later = { input_tokens, cache_read_input_tokens: null, output_tokens: 30 };
      const told = actualOf(
        anthropicMeter(),
        { type: "message_start", message: { usage } },
        { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: later },
      );
      expect(told).toEqual({ inputTokens: 1_500, cachedInputTokens: 1_000, outputTokens: 30 });
    }
  });

  it("does not spoil what later events of a stream of messages tell", () => {
    const told = actualOf(
      anthropicMeter(),
      { type: "message_start", message: { usage: { input_tokens: 1e12, cache_read_input_tokens: 1e12 } } },
      { type: "message_delta", delta: {}, usage: { input_tokens: 9_000, output_tokens: 5_000 } },
    );
    expect(told).toEqual({ inputTokens: 9_000, outputTokens: 5_000 });
  });

  it("is told without that part by a meter of Gemini's", () => {
    const usageMetadata = {
      promptTokenCount: 800,
      candidatesTokenCount: 5_000,
      trafficType: 5,
      promptTokensDetails: [
        null,
        { modality: "AUDIO", tokenCount: -1 },
        { modality: "IMAGE", tokenCount: 7 },
      ],
      candidatesTokensDetails: {},
    };
    const told = actualOf(geminiMeter(), { usageMetadata });
    expect(told).toEqual({ inputTokens: 800, outputTokens: 5_000, imageInputTokens: 7 });
    expect(() => fromGemini(usageMetadata)).toThrow();
  });

  it("is unknown where the whole is wrong, and only there", () => {
    const choices = [{ delta: { content: "42" } }];
    const told = (usage: object) => actualOf(openAIMeter({ tokenCounter: perCharacter }), { choices, usage });
    expect(told({ prompt_tokens: -1, completion_tokens: 50 })).toEqual({
      outputTokens: 50,
    });
    expect(told({ prompt_tokens: 800, completion_tokens: -1 })).toEqual({
      inputTokens: 800,
      outputTokens: 2,
    });
    expect(told({ prompt_tokens: 800, completion_tokens: -1, total_tokens: 900 })).toEqual({
      inputTokens: 800,
      outputTokens: 100,
    });
  });
});

describe("an event that is too long", () => {
  const said = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
  const long = said("x".repeat(8_388_608));
  const lines = `data: {\ndata: "x": "${"x".repeat(4_194_304)}",\ndata: "y": "${"y".repeat(4_194_304)}"}\n\n`;

  it.each([
    ["in one line", long],
    ["over several lines", lines],
  ])("%s leaves the output untold, however it is cut, until the provider tells it", (_how, tooLong) => {
    const bytes = bytesOf(`${said("Good day")}${tooLong}${said("Hello")}`);
    for (const size of [bytes.length, 1_000_003]) {
      const meter = openAIMeter({ tokenCounter: perCharacter });
      for (let i = 0; i < bytes.length; i += size) meter.push(bytes.subarray(i, i + size));
      expect(meter.actual()).toEqual({});

      const usage = { prompt_tokens: 9, completion_tokens: 5_000 };
      meter.push({ choices: [{ finish_reason: "stop" }], usage });
      expect(meter.actual()).toEqual({ inputTokens: 9, outputTokens: 5_000 });
      expect(meter.complete).toBe(true);
      meter.push(said("Hello"));
      expect(meter.actual()).toEqual({ inputTokens: 9, outputTokens: 5_005 });
    }
  });

  it.each<[how: string, event: string, overhead: number]>([
    ["a line", 'data: {"choices":[],"usage":{"completion_tokens":7}}', 0],
    ["the data of several lines", 'data: {"choices":[],\ndata: "usage":{"completion_tokens":7}}', 12],
  ])("has more than 8,388,608 characters in %s, and is skipped whole", (_how, event, overhead) => {
    const outputs = [0, 1].map((more) => {
      const meter = openAIMeter();
      meter.push(`${event.padEnd(8_388_608 + overhead + more)}\n\n`);
      return meter.actual().outputTokens;
    });
    expect(outputs).toEqual([7, undefined]);
  });

  it("is not made free by an output of zero that comes after it, but not at the end", () => {
    const meter = openAIMeter();
    meter.push(long);
    meter.push({ choices: [{ delta: { content: "" } }], usage: { prompt_tokens: 9, completion_tokens: 0 } });
    expect(meter.actual()).toEqual({ inputTokens: 9 });
  });

  it("takes back what the provider had told until then, and the whole is not complete", () => {
    const meter = geminiMeter();
    const text = { candidates: [{ content: { parts: [{ text: "Here it is" }] }, finishReason: "STOP" }] };
    meter.push({ ...text, usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 4 } });
    expect(meter.complete).toBe(true);
    meter.push(long.slice(0, -10));
    expect(meter.actual()).toEqual({ inputTokens: 9 });
    expect(meter.complete).toBe(false);
  });

  it("leaves the lines of data before and after a comment that is too long together", () => {
    const meter = openAIMeter();
    const [first, second] = [
      'data: {"choices":[{"finish_reason":"stop"}],',
      'data: "usage":{"completion_tokens":7}}',
    ];
    meter.push(`${first}\n:${"x".repeat(8_388_608)}\n${second}\n\n`);
    expect(meter.actual()).toEqual({ outputTokens: 7 });
    expect(meter.complete).toBe(true);
  });

  it("of which the end was read already is not lost", () => {
    const meter = openAIMeter({ tokenCounter: perCharacter });
    meter.push(said("Hello").trimEnd());
    expect(meter.actual()).toEqual({ outputTokens: 5 });
    meter.push(" ".repeat(8_388_609));
    expect(meter.actual()).toEqual({ outputTokens: 5 });
  });
});
