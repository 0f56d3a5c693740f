import fc from "fast-check";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { characterCounter, estimateInputTokens } from "tollgate";
import { describe, expect, it, onTestFinished, test, vi } from "vitest";
import { anyString } from "../any-string.js";
import { DEEP, WRITES_ANY_DEPTH } from "../deep-json.js";

/** The beginning of the Universal Declaration of Human Rights, and how the count compares with OpenAI's o200k_base. */
const texts: readonly [string, string, number][] = [
  [
    "English",
    "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and should act towards one another in a spirit of brotherhood.",
    1.35,
  ],
  [
    "German",
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    1.2,
  ],
  [
    "Russian",
    "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью и должны поступать в отношении друг друга в духе братства.",
    1.85,
  ],
  ["Chinese", "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。", 1.25],
  [
    "Japanese",
    "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
    1.2,
  ],
];

describe("characterCounter", () => {
  it.each(texts)(
    "of %s is no less than a tokenizer's count, and within the error that the guide tells",
    (_, text, error) => {
      const ratio = characterCounter.count(text) / countTokens(text);
      expect(ratio).toBeGreaterThanOrEqual(1);
      expect(ratio).toBeLessThanOrEqual(error);
    },
  );

  it("counts four ASCII characters, two of other alphabets or one of any other script as a token, rounded up", () => {
    expect(["", "a", "abcd", "abcde", "жж", "é", "漢字", "👋"].map(characterCounter.count)).toEqual([
      0, 1, 1, 2, 1, 1, 2, 2,
    ]);
  });

  test("law: more text never has fewer tokens", () => {
    fc.assert(
      fc.property(anyString(), anyString(), (a, b) => {
        const [whole, part] = [characterCounter.count(a + b), characterCounter.count(a)];
        expect(Number.isSafeInteger(whole) && whole >= part).toBe(true);
      }),
    );
  });
});

describe("estimateInputTokens", () => {
  it("counts of tools that nest too deeply to be written what is not too deep", () => {
    const tools = `[{"name":"abcdefgh"},${DEEP}]`;
    const counted = WRITES_ANY_DEPTH ? Math.ceil(tools.length / 4) : 2;
    expect(estimateInputTokens(JSON.parse(`{"tools":${tools}}`))).toBe(counted);
    const own: Record<string, unknown> = {};
    own.own = own;
    expect(() => estimateInputTokens({ tools: own })).toThrow(TypeError);
  });

  it("counts what came as tokens already, and what tools are called with and answer, of whatever form", () => {
    const tokens = Array.from({ length: 8_000 }, () => 1);
    expect(estimateInputTokens({ prompt: tokens })).toBe(8_000);
    expect(estimateInputTokens({ input: tokens })).toBe(8_004);
    expect(estimateInputTokens({ input: [tokens, tokens] })).toBe(16_008);
    const text = "x".repeat(40_000);
    const said = (part: object) => estimateInputTokens({ messages: [{ role: "user", content: [part] }] });
    const inputs = [
      { detail: text },
      { source: text },
      { type: text },
      { rows: Array(20_000).fill(1) },
      { [text]: 1 },
    ];
    for (const input of inputs) {
      expect(said({ type: "tool_use", id: "t", name: "f", input })).toBeGreaterThan(10_000);
      expect(said({ functionCall: { name: "f", args: input } })).toBeGreaterThan(10_000);
      expect(said({ functionResponse: { name: "f", response: input } })).toBeGreaterThan(10_000);
    }
  });

  it("counts by characters what the counter refuses to count", () => {
    const refuses = {
      count(text: string): number {
        throw new Error(`a special token in ${text}`);
      },
    };
    expect(estimateInputTokens({ prompt: "<|endoftext|>" }, { tokenCounter: refuses })).toBe(4);
  });

  /** One token per character. */
  const tokenCounter = { count: (text: string) => text.replaceAll("\n", "").length };
  const estimate = (body: unknown) => estimateInputTokens(body, { tokenCounter, mediaTokens: 1_000 });

  it("reads what is to be embedded or ranked, in the forms of Cohere, Jina, Voyage and Gemini", () => {
    expect(estimate({ model: "m", query: "abc", documents: ["de", { text: "f" }], top_n: 3 })).toBe(6);
    expect(estimate({ model: "m", texts: ["abc", "de"], input_type: "search_query" })).toBe(5);
    expect(estimate({ content: { parts: [{ text: "abc" }] } })).toBe(3);
    expect(estimate({ requests: [{ content: { parts: [{ text: "abc" }] } }] })).toBe(3);
  });

  it("takes an image or a file for one, however it is sent: by its id or address, as what the model made, or in a list", () => {
    const data = "A".repeat(9_999);
    const content = [
      { type: "input_file", file_url: "https://files.example/1.pdf" },
      { type: "input_file", file_id: "file-1" },
      { type: "input_image", file_id: "file-2", detail: "auto" },
    ];
    expect(estimate({ input: [{ role: "user", content }] })).toBe(4 + 3_000);
    const made = { type: "image_generation_call", id: "ig_1", status: "completed", result: data };
    expect(estimate({ input: [{ ...made, revised_prompt: "abc" }] })).toBe(3 + 4 + 1_000);
    expect(estimate({ model: "embed", images: [`data:image/png;base64,${data}`, data] })).toBe(2_000);
    expect(estimate({ messages: [{ role: "user", content: "abc", images: [data] }] })).toBe(3 + 4 + 1_000);
    const parts = [
      { type: "text", text: "abc" },
      { type: "image_base64", image_base64: data },
    ];
    expect(estimate({ model: "embed", inputs: [{ content: parts }] })).toBe(3 + 1_000);
    expect(estimate({ inputs: "abc" })).toBe(3);
  });

  it("reads the messages of chat completions, and the tools as their JSON", () => {
    const tools = [{ type: "function", function: { name: "f" } }];
    const body = {
      model: "gpt-4o",
      messages: [
        { role: "system", content: "abc" },
        {
          role: "user",
          content: [
            { type: "text", text: "de" },
            { type: "image_url", image_url: { url: `data:image/png;base64,${"A".repeat(9_999)}` } },
          ],
        },
        {
          role: "assistant",
          tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "1", content: "g" },
      ],
      tools,
    };
    const text = "abc".length + "de".length + "f{}".length + "g".length + JSON.stringify(tools).length;
    expect(estimate(body)).toBe(text + 4 * 4 + 1_000);
  });

  it("reads the input and instructions of responses, and an embedding's input", () => {
    const input = [
      {
        role: "user",
        content: [
          { type: "input_text", text: "abc" },
          { type: "input_image", image_url: "x" },
        ],
      },
    ];
    expect(estimate({ model: "m", instructions: "de", input })).toBe(5 + 4 + 1_000);
    expect(estimate({ model: "m", input: "abc" })).toBe(3 + 4);
    expect(estimate({ model: "m", input: ["abc", "d"] })).toBe(4 + 8);
  });

  it("reads the system prompt and messages of Anthropic, documents that are text included", () => {
    const body = {
      system: [{ type: "text", text: "abc", cache_control: { type: "ephemeral", ttl: "1h" } }],
      messages: [
        {
          role: "user",
          content: [
            { type: "image", source: { type: "base64", media_type: "image/png", data: "A".repeat(9_999) } },
            { type: "document", source: { type: "text", media_type: "", data: "defg" } },
          ],
        },
      ],
      max_tokens: 5,
    };
    expect(estimate(body)).toBe(3 + 4 + 4 + 1_000);
    const blocks = [{ type: "text", text: "abc" }];
    const document = { type: "document", source: { type: "content", content: blocks } };
    expect(estimate([{ role: "user", content: [document] }])).toBe(3 + 4);
  });

  it("reads what a tool is called with as it is where that is a text", () => {
    expect(estimate({ input: [{ type: "custom_tool_call", call_id: "c", input: "abc" }] })).toBe(3 + 4);
  });

  it("reads the contents of Gemini", () => {
    const body = {
      systemInstruction: { parts: [{ text: "abc" }] },
      contents: [
        { role: "user", parts: [{ text: "de" }, { inlineData: { mimeType: "image/png", data: "AAAA" } }] },
      ],
    };
    expect(estimate(body)).toBe(5 + 4 + 1_000);
  });

  it("reads the schema that Gemini is to answer in, and what comes after a text that is to be filled in", () => {
    const schema = { type: "object" };
    for (const name of ["responseSchema", "responseJsonSchema"])
      expect(estimate({ contents: "abc", generationConfig: { temperature: 1, [name]: schema } })).toBe(
        3 + 4 + JSON.stringify(schema).length,
      );
    expect(estimate({ contents: "abc", generationConfig: { temperature: 1 } })).toBe(3 + 4);
    expect(estimate({ prompt: "abc", suffix: "de" })).toBe(5);
  });

  it("gives the counter each text in lines of its own, so that no token spans two", () => {
    const texts: string[] = [];
    const count = (text: string) => texts.push(text);
    const body = { system: "abc", messages: [{ role: "user", content: ["de", "f"] }] };
    estimateInputTokens(body, { tokenCounter: { count } });
    expect(texts).toEqual(["abc\nde\nf"]);
  });

  it("takes the messages alone, and nothing for what is no request", () => {
    expect(estimate([{ role: "user", content: "abc" }])).toBe(3 + 4);
    for (const nothing of [undefined, null, 5, {}, [], { model: "m" }, { messages: [] }])
      expect(estimate(nothing)).toBe(0);
  });

  it.skipIf(WRITES_ANY_DEPTH)(
    "walks once to the bottom of what nests too deeply, whatever the fields are called",
    () => {
      const write = vi.spyOn(JSON, "stringify");
      onTestFinished(() => write.mockRestore());
      for (const field of ["input", "args", "response"]) {
        write.mockClear();
        const deep = JSON.parse(`${`{"${field}":`.repeat(100_000)}1${"}".repeat(100_000)}`);
        expect(estimateInputTokens({ messages: [deep, deep] })).toBe(8);
        expect(write).toHaveBeenCalledTimes(1);
      }
    },
  );

  test("law: takes whatever JSON comes, however deep, and gives a whole number of tokens", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (messages) => Number.isSafeInteger(estimateInputTokens({ messages }))),
    );
    const deep = JSON.parse(`${"[".repeat(5_000)}"a"${"]".repeat(5_000)}`);
    expect(estimateInputTokens({ messages: deep })).toBe(4);
  });

  it("refuses options that it does not know", () => {
    expect(() => estimateInputTokens({}, { mediaTokens: -1 })).toThrow("options.mediaTokens");
    expect(() => estimateInputTokens({}, { tokenCounter: {} as never })).toThrow("options.tokenCounter");
  });
});
