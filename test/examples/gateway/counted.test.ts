import { setTimeout } from "node:timers/promises";
import { characterCounter, estimateInputTokens } from "tollgate";
import { describe, expect, it, vi } from "vitest";
import { chatCompletions, messages, responses } from "../../../examples/gateway/endpoint.js";
import { readRequest } from "../../../examples/gateway/model-request.js";
import { type Arena, FRAMEWORKS, startArena } from "./arena.js";
import { ask, CHAT, json, post, providerThat } from "./requests.js";

const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;

/** Answers with the same use, whole or in a stream as it was asked for. */
function providerOf(arena: Arena, answer: object, events: (body: Record<string, unknown>) => object[]) {
  return providerThat(arena, (_req, res, text) => {
    const body = JSON.parse(text);
    res.setHeader("content-type", body.stream ? "text/event-stream" : "application/json");
    res.end(body.stream ? events(body).map(event).join("") : JSON.stringify(answer));
  });
}

const chat = (arena: Arena) => {
  const usage = { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 };
  const service_tier = "priority";
  return providerOf(arena, { choices: [], usage, service_tier }, ({ stream_options }) => [
    { choices: [{ delta: { content: "hi" } }], service_tier },
    ...(Object(stream_options).include_usage === true ? [{ choices: [], usage, service_tier }] : []),
  ]);
};

const search = { type: "web_search_call", status: "completed", action: { type: "search" } };
const response = {
  status: "completed",
  service_tier: "priority",
  output: [search, { ...search, action: { type: "open_page" } }, search, { type: "message" }],
  usage: { input_tokens: 1_000, output_tokens: 100, total_tokens: 1_100 },
};
const searched = (arena: Arena) =>
  providerOf(arena, response, () => [
    ...[1, 2, 3].map(() => ({ type: "response.web_search_call.completed" })),
    { type: "response.completed", response },
  ]);

/** 1,000 tokens in and 100 out, in nano-USD. */
const PRIORITY = 1_000 * 5_000 + 100 * 20_000;

describe.each(FRAMEWORKS)("the gateway on %s", (_framework, start) => {
  it.each([
    ["whole", {}],
    ["in a stream", { stream: true }],
    ["in a stream that is asked for no usage", { stream: true, stream_options: { include_usage: false } }],
    ["in a stream with empty options", { stream: true, stream_options: {} }],
    ["in a stream with an option more", { stream: true, stream_options: { include_obfuscation: false } }],
  ])("charges the tokens and the tier that the provider tells, %s", async (_how, more) => {
    const arena = await startArena(start);
    await chat(arena);
    await (await post(arena, ask(more))).text();
    expect(await arena.used("tokens")).toBe(1_100);
    expect(await arena.used("cost")).toBe(PRIORITY);
  });

  it.each([
    ["whole", {}],
    ["in a stream", { stream: true }],
  ])(
    "ends an answer once its call is counted, so that the client's next call meets it, %s",
    async (_how, more) => {
      const arena = await startArena(start);
      await chat(arena);
      const { settle } = arena.gate;
      let isCounted = false;
      vi.spyOn(arena.gate, "settle").mockImplementation(async (...call) => {
        await setTimeout(100); // as counters elsewhere may take
        const settlement = await settle(...call);
        isCounted = true;
        return settlement;
      });
      await (await post(arena, ask(more))).text();
      expect(isCounted).toBe(true);
    },
  );

  it.each([
    ["whole", {}],
    ["in a stream", { stream: true }],
  ])("charges the searches of a response, and no page that was opened, %s", async (_how, more) => {
    const arena = await startArena(start);
    await searched(arena);
    await (await post(arena, { model: "gpt-4o", input: "x", ...more }, "/v1/responses")).text();
    expect(await arena.used("cost")).toBe(PRIORITY + 2 * 10_000_000);
  });

  it("reserves at the price of the tier that is asked for, and refuses one that is no name", async () => {
    const arena = await startArena(start);
    const settled = vi.spyOn(arena.gate, "settle");
    await (await post(arena, ask())).text();
    await (await post(arena, ask({ service_tier: "priority" }))).text();
    await (await post(arena, ask({ speed: "fast" }))).text();
    const [standard = 0, priority = 0, fast = 0] = settled.mock.calls.map(([reservation]) =>
      Number(Object(reservation).costNanoUsd),
    );
    expect(standard).toBeGreaterThan(0);
    expect(priority).toBe(2 * standard);
    expect(fast).toBe(priority); // What `fast` costs where it has no price of its own.
    expect((await post(arena, ask({ service_tier: 7 }), CHAT)).status).toBe(400);
  });

  it("charges the words of all answers and the prompt once where a stream of several breaks off", async () => {
    const arena = await startArena(start);
    const body = ask({ stream: true, n: 3, max_tokens: 50 });
    const say = (index: number, content: string) => event({ choices: [{ index, delta: { content } }] });
    let reserved = 0;
    await providerThat(arena, async (_req, res) => {
      reserved = await arena.used("outputTokens");
      res.setHeader("content-type", "text/event-stream");
      for (const index of [0, 1, 2]) res.write(say(index, "The toll is paid at the gate"));
      res.end();
    });
    await (await post(arena, body)).text();
    expect(reserved).toBe(3 * 50);
    expect(await arena.used("inputTokens")).toBe(estimateInputTokens(body));
    expect(await arena.used("outputTokens")).toBe(
      characterCounter.count("The toll is paid at the gate".repeat(3)),
    );
  });

  it("reserves and charges the prompt once and the output of all answers where nothing comes back", async () => {
    const arena = await startArena(start);
    const body = ask({ stream: true, n: 3, max_tokens: 50 });
    await providerThat(arena, (_req, res) => void res.destroy());
    expect((await post(arena, body)).status).toBe(502);
    expect(await arena.used("inputTokens")).toBe(estimateInputTokens(body));
    expect(await arena.used("outputTokens")).toBe(3 * 50);
  });

  it("refuses a number of answers that is none, which a provider may read as one", async () => {
    const arena = await startArena(start);
    const sent: unknown[] = [];
    await providerThat(arena, (_req, res, text) => {
      sent.push(JSON.parse(text).n);
      res.setHeader("content-type", "application/json");
      res.end("{}");
    });
    for (const n of ["8", [8], true, {}, 0, -1, 1.5]) {
      const answer = await post(arena, ask({ n }));
      expect([n, answer.status]).toEqual([n, 400]);
      expect(Object(await json(answer)).error.message).toContain("n is the number of answers");
    }
    for (const n of [undefined, null, 1, 8]) expect((await post(arena, ask({ n }))).status).toBe(200);
    expect(sent).toEqual([undefined, null, 1, 8]);
  });
});

describe("a request", () => {
  const read = (body: object, endpoint = responses) =>
    readRequest(endpoint, new TextEncoder().encode(JSON.stringify({ model: "gpt-4o", input: "x", ...body })));

  it.each<[object, number | undefined]>([
    [{}, undefined],
    [{ n: 1 }, undefined],
    [{ n: 3 }, 3 * 1_024],
    [{ n: null, max_tokens: 5 }, 5],
    [{ n: 3, max_tokens: 5 }, 15],
    [{ n: 3, max_tokens: 5, max_completion_tokens: 7 }, 21],
    [{ n: 2, max_tokens: 1.5 }, 1.5], // which admit refuses
  ])("is for as much output as all its answers may have: %o", (body, tokens) => {
    expect(read(body, chatCompletions).usage.maxOutputTokens).toBe(tokens);
  });

  it("is for as much output as the field of its API says", () => {
    expect(read({ max_output_tokens: 9, max_tokens: 7 }, responses).usage.maxOutputTokens).toBe(9);
    expect(read({ max_output_tokens: 9, max_tokens: 7 }, messages).usage.maxOutputTokens).toBe(7);
  });

  it("for a stream keeps its options, and asks for the usage besides", () => {
    const options = { include_obfuscation: false, include_usage: false };
    const { body } = read({ stream: true, stream_options: options }, chatCompletions);
    expect(body.stream_options).toEqual({ include_obfuscation: false, include_usage: true });
  });

  it("whose options for a stream are no object is refused, however long they are", () => {
    for (const options of ["x".repeat(1_000_000), [1, 2], 7, true]) {
      const body = { stream: true, stream_options: options };
      expect(() => read(body, chatCompletions)).toThrow("stream_options is an object");
      expect(read({ ...body, stream: false }, chatCompletions).body.stream_options).toEqual(options);
    }
    expect(read({ stream: true, stream_options: null }, chatCompletions).body.stream_options).toEqual({
      include_usage: true,
    });
  });

  it("may say null of what it leaves out", () => {
    const { usage } = read({ max_output_tokens: null, service_tier: null });
    expect([usage.maxOutputTokens, usage.serviceTier]).toEqual([undefined, undefined]);
  });

  it("in the background is refused: what it uses would not be seen", () => {
    expect(() => read({ background: true })).toThrow("background");
    expect(read({ background: false }).usage.model).toBe("gpt-4o");
  });

  it("may say its own model again", () => {
    const body = { fallbacks: null, models: ["gpt-4o"], tools: [{ name: "a" }, { model: "gpt-4o" }, null] };
    expect(read(body).body).toMatchObject(body);
    expect(read({ fallbacks: [{ model: "gpt-4o" }] }).usage.model).toBe("gpt-4o");
    expect(read({ tools: "none" }).endpoint).not.toBe(messages);
  });
});
