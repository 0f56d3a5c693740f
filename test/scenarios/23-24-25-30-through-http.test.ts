import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { characterCounter } from "tollgate";
import { describe, expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { type Arena, FRAMEWORKS, startArena } from "../examples/gateway/arena.js";
import { CHAT, json, post } from "../examples/gateway/requests.js";
import { counterAdapters, isSlow } from "./adapters.js";

const everyCounters = await counterAdapters();

const PROMPT = [{ role: "user" as const, content: "What is the toll?" }];

// A try is enough: that clients try again is proved elsewhere.
const openai = ({ url, token }: Arena) => new OpenAI({ apiKey: token, baseURL: `${url}/v1`, maxRetries: 0 });
const anthropic = ({ url, token }: Arena) => new Anthropic({ apiKey: token, baseURL: url, maxRetries: 0 });

/** One call through each API that the gateway speaks, whole or streamed. */
const CALLS: readonly (readonly [name: string, ask: (arena: Arena, model?: string) => Promise<unknown>])[] = [
  [
    "chat completions",
    (arena, model = "gpt-4o") => openai(arena).chat.completions.create({ model, messages: PROMPT }),
  ],
  [
    "chat completions, streamed",
    async (arena, model = "gpt-4o") => {
      const chunks = await openai(arena).chat.completions.create({ model, messages: PROMPT, stream: true });
      for await (const _ of chunks);
    },
  ],
  ["responses", (arena, model = "gpt-4o") => openai(arena).responses.create({ model, input: PROMPT })],
  [
    "responses, streamed",
    async (arena, model = "gpt-4o") => {
      const events = await openai(arena).responses.create({ model, input: PROMPT, stream: true });
      for await (const _ of events);
    },
  ],
  [
    "messages",
    (arena, model = "gpt-4o") =>
      anthropic(arena).messages.create({ model, max_tokens: 100, messages: PROMPT }),
  ],
  [
    "messages, streamed",
    (arena, model = "gpt-4o") =>
      anthropic(arena).messages.stream({ model, max_tokens: 100, messages: PROMPT }).finalMessage(),
  ],
];

const COMBINED = FRAMEWORKS.flatMap(([framework, start]) =>
  everyCounters
    .filter(([counters]) => !isSlow(counters))
    .map(([counters, make]) => [`${framework}, ${counters}`, start, make] as const),
);

describe.each(COMBINED)("through HTTP, %s", (_name, start, make) => {
  describe.each(CALLS)("%s", (_call, ask) => {
    it("charges a reported usage of zero as zero, not as the estimate (24, litellm#37992)", async () => {
      const arena = await startArena(start, { counters: make() });
      arena.provider.behaviour.usage = { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0 };
      await ask(arena);
      expect([await arena.used("requests"), await arena.used("tokens"), await arena.used("cost")]).toEqual([
        1, 0, 0,
      ]);
    });

    it("counts cached tokens once, though one provider's count holds them and another's does not (25, litellm#14849)", async () => {
      const arena = await startArena(start, { counters: make() });
      arena.provider.behaviour.usage = { inputTokens: 1_000, cachedInputTokens: 600, outputTokens: 10 };
      await ask(arena);
      expect(await arena.used("inputTokens")).toBe(1_000);
      // 400 at 2.5 USD per million, 600 at 1.25, 10 at 10.
      expect(await arena.used("cost")).toBe(1_000_000 + 750_000 + 100_000);
    });

    it("does not let an alias lead around the key's list, nor a fallback (30, litellm PR 40957, PR 39998)", async () => {
      const arena = await startArena(start, { counters: make(), models: ["gpt-4o-mini"] });
      await ask(arena, "smart");
      expect(arena.provider.received.map(({ text }) => JSON.parse(text).model)).toEqual(["gpt-4o-mini"]);
      arena.provider.behaviour.failing.set("gpt-4o-mini", 503);
      const { length } = arena.provider.received;
      const failed = await ask(arena, "smart").catch((error) => error.status);
      expect(failed).toBe(502);
      const tried = arena.provider.received.slice(length).map(({ text }) => JSON.parse(text).model);
      expect(new Set(tried)).toEqual(new Set(["gpt-4o-mini"]));
    });
  });

  const mini = { model: "gpt-4o-mini", max_tokens: 9, messages: PROMPT };
  const MESSAGES = "/v1/messages";
  it.each<[what: string, path: string, body: object]>([
    ["Anthropic's fallbacks", MESSAGES, { ...mini, fallbacks: [{ model: "gpt-4o" }] }],
    ["Anthropic's own choice of fallbacks", MESSAGES, { ...mini, fallbacks: "default" }],
    ["Anthropic's advisor", MESSAGES, { ...mini, tools: [{ type: "advisor_20260301", model: "gpt-4o" }] }],
    ["OpenRouter's models", CHAT, { ...mini, models: ["gpt-4o-mini", "gpt-4o"] }],
    [
      "a tool's model",
      "/v1/responses",
      { ...mini, tools: [{ type: "image_generation", model: "gpt-image-1" }] },
    ],
  ])("does not let the provider lead around the key's list: %s (30)", async (_what, path, body) => {
    const arena = await startArena(start, { counters: make(), models: ["gpt-4o-mini"] });
    const headers = { "anthropic-beta": "server-side-fallback-2026-07-01" };
    const answer = await post(arena, body, path, headers);
    expect([answer.status, answer.headers.get("x-should-retry")]).toEqual([400, "false"]);
    expect((await json(answer)).error).toMatchObject({ type: "invalid_request_error" });
    expect(arena.provider.received).toEqual([]);
    expect(await arena.used("requests")).toBe(0);
  });

  it("sends what it has judged: of a model that is named twice, one (30)", async () => {
    const arena = await startArena(start, { counters: make(), models: ["gpt-4o-mini"] });
    const twice = '{"model":"gpt-4o","messages":[],"model":"gpt-4o-mini","models":["gpt-4o-mini"]}';
    expect((await post(arena, twice)).status).toBe(200);
    const sent = { model: "gpt-4o-mini", messages: [], models: ["gpt-4o-mini"] };
    expect(arena.provider.received.map(({ text }) => text)).toEqual([JSON.stringify(sent)]);
  });

  it("charges a client that hung up for the input and for the words it was sent (23, litellm#14457)", async () => {
    const arena = await startArena(start, { counters: make() });
    arena.provider.behaviour.beforeWord = (word) => (word < 5 ? undefined : new Promise(() => {}));
    const chunks = await openai(arena).chat.completions.create({
      model: "gpt-4o",
      messages: PROMPT,
      stream: true,
    });
    let seen = "";
    for await (const { choices } of chunks) {
      seen += choices[0]?.delta.content ?? "";
      if (seen.split(" ").length === 5) break;
    }
    await eventually(async () => expect(await arena.used("inFlight")).toBe(0));
    const output = characterCounter.count(seen);
    const input = await arena.used("inputTokens");
    expect(seen).toBe("The toll is paid at");
    expect(input).toBeGreaterThan(0);
    expect(await arena.used("outputTokens")).toBe(output);
    expect(await arena.used("cost")).toBe(input * 2_500 + output * 10_000);
  });
});
