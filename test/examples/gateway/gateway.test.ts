import { EventEmitter, once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import {
  CountersUnavailableError,
  createGate,
  createToken,
  estimateInputTokens,
  memoryCounters,
  memoryStorage,
} from "tollgate";
import { createQueue } from "tollgate/queue";
import { aKeyChain, directoryOf } from "tollgate/testing";
import { afterAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { chatCompletions } from "../../../examples/gateway/endpoint.js";
import { keyInfo } from "../../../examples/gateway/key-info.js";
import { OpenCalls } from "../../../examples/gateway/open-call.js";
import { startFakeProvider } from "../../../examples/gateway/provider/fake-provider.js";
import { shutDown } from "../../../examples/gateway/shut-down.js";
import { neverReached } from "../../../examples/gateway/upstream.js";
import { DEEP, WRITES_ANY_DEPTH } from "../../deep-json.js";
import { eventually } from "../../eventually.js";
import { type Arena, FRAMEWORKS, PROVIDER_KEY, startArena } from "./arena.js";
import { ask, CHAT, json, post, providerThat, STREAM } from "./requests.js";

/** Holds every stream of the provider after three words, until it is let go. */
function heldAfterThreeWords(arena: Arena): () => void {
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  arena.provider.behaviour.beforeWord = (word) => (word < 3 ? undefined : held);
  return letGo;
}

/** Requests that cannot be written for the provider. */
const TOO_DEEP: [what: string, body: string, status: number][] = WRITES_ANY_DEPTH
  ? []
  : [
      ["lists that nest 100,000 deep", `{"model":"gpt-4o","x":${DEEP}}`, 400],
      ["tools that nest 100,000 deep", `{"model":"gpt-4o","tools":${DEEP}}`, 400],
    ];

const spent = async (arena: Arena) => ({
  requests: await arena.used("requests"),
  inputTokens: await arena.used("inputTokens"),
  outputTokens: await arena.used("outputTokens"),
  inFlight: await arena.used("inFlight"),
});

/** What the gateways log of their own failures and the provider's. */
const log = vi.spyOn(console, "error").mockImplementation(() => {});
beforeEach(() => void log.mockClear());
afterAll(() => log.mockRestore());

describe.each(FRAMEWORKS)("the gateway on %s", (framework, start) => {
  it.each([
    ["whole", {}],
    ["in a stream", STREAM],
  ])(
    "passes an answer on byte by byte, %s, and the request as JSON of what was judged",
    async (_how, more) => {
      const arena = await startArena(start);
      const body = ` ${JSON.stringify(ask(more))}\n`;
      const direct = await fetch(arena.provider.url + CHAT, {
        method: "POST",
        headers: { authorization: `Bearer ${PROVIDER_KEY}` },
        body,
      });
      const passed = await post(arena, body);
      expect(passed.status).toBe(200);
      expect(passed.headers.get("content-type")).toBe(direct.headers.get("content-type"));
      expect(Buffer.from(await passed.arrayBuffer())).toEqual(Buffer.from(await direct.arrayBuffer()));
      expect(arena.provider.received.map(({ text }) => text)).toEqual([body, body.trim()]);
    },
  );

  it("sends nothing of ours upstream: no token, no cookie, no address", async () => {
    const arena = await startArena(start);
    await post(arena, ask(), CHAT, {
      "x-api-key": arena.token,
      "api-key": arena.token,
      "x-goog-api-key": arena.token,
      cookie: `session=${arena.token}`,
      "x-forwarded-for": "10.1.2.3",
      "openai-organization": "org-theirs",
    });
    const [received] = arena.provider.received;
    expect(received?.headers.authorization).toBe(`Bearer ${PROVIDER_KEY}`);
    expect(JSON.stringify(received)).not.toMatch(new RegExp(`${arena.token}|10\\.1\\.2\\.3|org-theirs`));
  });

  it("falls back over the permitted models, and pays for the one that answered", async () => {
    const arena = await startArena(start);
    arena.provider.behaviour.failing.set("gpt-4o", 503);
    arena.provider.behaviour.usage = { inputTokens: 1_000, cachedInputTokens: 0, outputTokens: 100 };
    const answer = await post(arena, ask({ model: "smart" }));
    expect((await json(answer)).model).toBe("gpt-4o-mini");
    expect(arena.provider.received.map(({ text }) => JSON.parse(text).model)).toEqual([
      "gpt-4o",
      "gpt-4o-mini",
    ]);
    expect(await arena.used("cost")).toBe(1_000 * 150 + 100 * 600);
    expect(await arena.used("requests")).toBe(1);
    await (await post(arena, ask({ model: "smart", ...STREAM }))).text();
    expect(await arena.used("cost")).toBe(2 * (1_000 * 150 + 100 * 600));
  });

  it("charges the estimate of a call that was lost on its way, also where the model after it fails", async () => {
    const arena = await startArena(start);
    await providerThat(arena, (_req, res, body) => {
      if (JSON.parse(body).model === "gpt-4o") res.destroy();
      else res.writeHead(500).end();
    });
    expect((await post(arena, ask({ model: "smart" }))).status).toBe(502);
    const inputTokens = estimateInputTokens(ask());
    expect(await spent(arena)).toEqual({ requests: 1, inputTokens, outputTokens: 4, inFlight: 0 });
    expect(await arena.used("cost")).toBe(inputTokens * 2_500 + 4 * 10_000);
  });

  it("charges the estimate of a call that was lost on its way at the prices of the model that it was for", async () => {
    const arena = await startArena(start);
    await providerThat(arena, (_req, res, body) => {
      if (JSON.parse(body).model === "gpt-4o-mini") res.destroy();
      else res.writeHead(500).end();
    });
    expect((await post(arena, ask({ model: "smart" }))).status).toBe(502);
    expect(await arena.used("cost")).toBe(estimateInputTokens(ask()) * 150 + 4 * 600);
  });

  it("charges the estimate of a call that was lost on its way, also where the model after it is out of reach", async () => {
    const arena = await startArena(start);
    const { url } = arena.provider;
    await arena.provider.close();
    await providerThat(arena, (_req, res) => {
      for (const one of Object.values(arena.gateway.upstream)) Object.assign(one, { url });
      res.destroy();
    });
    expect((await post(arena, ask({ model: "smart" }))).status).toBe(502);
    expect(await arena.used("cost")).toBe(estimateInputTokens(ask()) * 2_500 + 4 * 10_000);
  });

  it("tells an error of the provider's without its text, and charges no tokens for it", async () => {
    const arena = await startArena(start);
    for (const [status, told, code] of [
      [500, 502, "upstream_failed"],
      [401, 502, "upstream_failed"],
      [402, 502, "upstream_failed"],
      [403, 502, "upstream_failed"],
      [429, 503, "upstream_busy"],
    ] as const) {
      arena.provider.behaviour.failing.set("gpt-4o", status);
      const answer = await post(arena, ask());
      const text = await answer.text();
      expect([answer.status, JSON.parse(text).error.code]).toEqual([told, code]);
      expect(text).not.toContain("org-of-the-gateway");
      const cause = expect.objectContaining({ message: `the provider answered ${status}` });
      expect(log.mock.lastCall).toEqual([expect.objectContaining({ code, cause })]);
    }
    expect(await spent(arena)).toEqual({ requests: 5, inputTokens: 0, outputTokens: 0, inFlight: 0 });
  });

  it("charges no price of a call for one that the provider answers with an error", async () => {
    const arena = await startArena(start);
    arena.provider.behaviour.failing.set("sonar", 500);
    expect((await post(arena, ask({ model: "sonar" }))).status).toBe(502);
    expect(await arena.used("cost")).toBe(0);
  });

  it("passes on what the provider finds wrong with a request", async () => {
    const arena = await startArena(start);
    arena.provider.behaviour.failing.set("gpt-4o", 400);
    const answer = await post(arena, ask());
    expect([answer.status, (await json(answer)).error.type]).toEqual([400, "provider"]);
    expect(await arena.used("tokens")).toBe(0);
  });

  it("charges nothing for an error that the provider tells as a stream", async () => {
    const arena = await startArena(start);
    await providerThat(arena, (_req, res) => {
      res.writeHead(400, { "content-type": "text/event-stream" }).end('data: {"error":{}}\n\n');
    });
    expect((await post(arena, ask(STREAM))).status).toBe(400);
    expect(await arena.used("tokens")).toBe(0);
    expect(await arena.used("cost")).toBe(0);
  });

  it("says to the provider that it sends JSON, whatever the client called it", async () => {
    const arena = await startArena(start);
    for (const type of ["application/x-www-form-urlencoded", "application/json; charset=utf-16"]) {
      expect((await post(arena, ask(), CHAT, { "content-type": type })).status).toBe(200);
    }
    for (const { headers } of arena.provider.received)
      expect(headers["content-type"]).toBe("application/json");
  });

  it("passes on which version of the API the client speaks", async () => {
    const arena = await startArena(start);
    await post(arena, ask(), "/v1/messages", { "anthropic-version": "2023-06-01" });
    expect(arena.provider.received[0]?.headers).toMatchObject({ "anthropic-version": "2023-06-01" });
  });

  it("passes on the number of a request, and nothing of the gateway's account or session", async () => {
    const arena = await startArena(start);
    let apiKey: unknown;
    await providerThat(arena, (req, res) => {
      apiKey = req.headers["x-api-key"];
      res.setHeaders(
        new Headers({ "request-id": "r-1", "set-cookie": "a=b", "openai-organization": "ours" }),
      );
      res.setHeader("content-type", "application/json").end("{}");
    });
    const { headers } = await post(arena, ask(), "/v1/messages");
    expect(apiKey).toBe(PROVIDER_KEY);
    const names = ["request-id", "set-cookie", "openai-organization"];
    expect(names.map((name) => headers.get(name))).toEqual(["r-1", null, null]);
  });

  it("follows no redirect, which would take the gateway's key to another host", async () => {
    const arena = await startArena(start);
    const other = await startFakeProvider(PROVIDER_KEY);
    onTestFinished(() => other.close());
    await providerThat(arena, (_req, res) => {
      res.writeHead(307, { location: other.url + CHAT }).end();
    });
    expect((await post(arena, ask(), "/v1/messages")).status).toBe(502);
    expect((await post(arena, ask())).status).toBe(502);
    expect(other.received).toEqual([]);
  });

  it("tells nothing of a redirect, and charges nothing for it: the provider bills none", async () => {
    const arena = await startArena(start);
    for (const status of [300, 302, 304, 307]) {
      await providerThat(arena, (_req, res) => {
        res.writeHead(status, { location: "http://org-of-the-gateway.test" }).end();
      });
      const answer = await post(arena, ask());
      expect([status, answer.status, (await json(answer)).error.code]).toEqual([
        status,
        502,
        "upstream_failed",
      ]);
    }
    expect(await spent(arena)).toEqual({ requests: 4, inputTokens: 0, outputTokens: 0, inFlight: 0 });
    expect(await arena.used("cost")).toBe(0);
  });

  it("answers 502 where an answer is longer than the gateway keeps, ends it and charges the estimate", async () => {
    const arena = await startArena(start);
    const piece = Buffer.alloc(2 ** 20, "x");
    const pieces = 200;
    let sent = 0;
    let ended: Promise<unknown> = Promise.resolve();
    await providerThat(arena, async (_req, res) => {
      ended = once(res, "close");
      res.writeHead(200, { "content-type": "application/json" });
      for (; sent < pieces && !res.destroyed; sent++) {
        if (!res.write(piece)) await Promise.race([once(res, "drain"), ended]);
      }
      res.end();
    });
    const answer = await post(arena, ask());
    expect([answer.status, (await json(answer)).error.code]).toEqual([502, "upstream_failed"]);
    await ended;
    expect(sent).toBeLessThan(pieces);
    const inputTokens = estimateInputTokens(ask());
    expect(await spent(arena)).toEqual({ requests: 1, inputTokens, outputTokens: 4, inFlight: 0 });
  });

  it("waits five minutes at most for a request to arrive, however slowly it is sent", async () => {
    const { server } = await startArena(start);
    expect(server.requestTimeout).toBe(300_000);
  });

  it("reads no body that is compressed, and sends none on", async () => {
    const arena = await startArena(start);
    const answer = await fetch(arena.url + CHAT, {
      method: "POST",
      headers: { authorization: `Bearer ${arena.token}`, "content-encoding": "gzip" },
      body: gzipSync(JSON.stringify(ask())),
    });
    expect([answer.status, (await json(answer)).error.type]).toEqual([
      framework === "Express" ? 415 : 400,
      "invalid_request_error",
    ]);
    expect(arena.provider.received).toEqual([]);
    expect(await arena.used("requests")).toBe(0);
  });

  it("answers a client without a token before it has sent its body", async () => {
    const arena = await startArena(start);
    const socket = connect(Number(new URL(arena.url).port), "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.write(`POST ${CHAT} HTTP/1.1\r\nhost: gateway\r\ncontent-length: 9000000\r\n\r\n{`);
    const [head] = await once(socket, "data");
    expect(String(head)).toMatch(/^HTTP\/1\.1 401 /);
  });

  it("ends sixteen calls behind each other on a connection that goes away, and warns of no leak", async () => {
    const arena = await startArena(start);
    const warnings: string[] = [];
    const onWarning = ({ name }: Error) => void warnings.push(name);
    process.on("warning", onWarning);
    onTestFinished(() => void process.off("warning", onWarning));
    const letGo = heldAfterThreeWords(arena);
    onTestFinished(letGo);
    const socket = connect(Number(new URL(arena.url).port), "127.0.0.1").resume();
    onTestFinished(() => void socket.destroy());
    const body = JSON.stringify(ask(STREAM));
    const head = `POST ${CHAT} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${arena.token}`;
    socket.write(`${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`.repeat(16));
    await eventually(async () => expect(await arena.used("inFlight")).toBe(16));
    socket.destroy();
    await eventually(async () => expect(await arena.used("inFlight")).toBe(0));
    expect(warnings).toEqual([]);
  });

  it("settles what ended in a moment without counters once they are back, and frees its slot", async () => {
    const counters = memoryCounters();
    const settle = counters.settle.bind(counters);
    let isDown = false;
    vi.spyOn(counters, "settle").mockImplementation(async (request) => {
      if (isDown) throw new Error("ECONNREFUSED");
      return settle(request);
    });
    const arena = await startArena(start, { counters });
    const letGo = heldAfterThreeWords(arena);
    const answer = await post(arena, ask(STREAM));
    isDown = true;
    letGo();
    await answer.text();
    await eventually(() => expect(counters.settle).toHaveBeenCalled());
    expect(await arena.used("inFlight")).toBe(1);
    isDown = false;
    await eventually(async () => expect(await arena.used("inFlight")).toBe(0));
    expect(await arena.used("outputTokens")).toBe(4);
  });

  it("serves a key that was used a moment ago while the records do not answer", async () => {
    const storage = memoryStorage();
    const arena = await startArena(start, { storage });
    expect((await post(arena, ask())).status).toBe(200);
    for (const method of ["get", "find"] as const) {
      vi.spyOn(storage, method).mockRejectedValue(new Error("ECONNREFUSED"));
    }
    expect((await post(arena, ask())).status).toBe(200);
    expect((await post({ ...arena, token: createToken("sk-tg-") }, ask())).status).toBe(500);
    expect(log.mock.calls).toEqual([[expect.objectContaining({ message: "ECONNREFUSED" })]]);
    expect((await post({ ...arena, token: "sk-tg-nonsense" }, ask())).status).toBe(401);
  });

  it("releases a call that cannot have reached the provider", async () => {
    const arena = await startArena(start);
    await arena.provider.close();
    const answer = await post(arena, ask());
    expect([answer.status, (await json(answer)).error.code]).toEqual([502, "upstream_unreachable"]);
    const refused = expect.objectContaining({ cause: expect.objectContaining({ code: "ECONNREFUSED" }) });
    expect(log.mock.calls).toEqual([[expect.objectContaining({ cause: refused })]]);
    expect(await spent(arena)).toEqual({ requests: 0, inputTokens: 0, outputTokens: 0, inFlight: 0 });
    arena.provider.close = async () => {};
  });

  it("says with every answer how much is left", async () => {
    const arena = await startArena(start, { limits: { rpm: 7, tpm: 10_000 } });
    const chat = await post(arena, ask());
    expect(chat.headers.get("x-ratelimit-limit-requests")).toBe("7");
    expect(chat.headers.get("x-ratelimit-remaining-requests")).toBe("6");
    const reserved = estimateInputTokens(ask()) + 4;
    expect(chat.headers.get("x-ratelimit-remaining-tokens")).toBe(String(10_000 - reserved));
    const message = await post(arena, ask(), "/v1/messages");
    expect(message.headers.get("anthropic-ratelimit-requests-remaining")).toBe("5");
  });

  it("lists the models that the key may call", async () => {
    const arena = await startArena(start, { models: ["gpt-4o-mini", "unpriced"] });
    const headers = { "x-api-key": arena.token };
    const list = await json(await fetch(`${arena.url}/v1/models`, { headers }));
    expect(list.object).toBe("list");
    expect(list.data.map(({ id }: { id: string }) => id)).toEqual(["smart", "gpt-4o-mini"]);
    expect((await fetch(`${arena.url}/v1/models`)).status).toBe(401);
  });

  it("tells a key its own limits, and nothing of the project's or the org's", async () => {
    const arena = await startArena(start, { limits: { rpm: 7 } });
    await post(arena, ask());
    const headers = { authorization: `Bearer ${arena.token}` };
    const info = await json(await fetch(`${arena.url}/v1/key`, { headers }));
    expect(info.limits).toContainEqual(
      expect.objectContaining({ scope: "key", meter: "requests", max: 7, used: 1, remaining: 6 }),
    );
    expect(new Set(info.limits.map(({ scope }: { scope: string }) => scope))).toEqual(new Set(["key"]));
    expect((await fetch(`${arena.url}/v1/key`)).status).toBe(401);
  });

  it.each<[what: string, body: string, status: number]>([
    ["no JSON", "{", 400],
    ["JSON that is no object", "7", 400],
    ["null", "null", 400],
    ["no model", JSON.stringify({ messages: [] }), 400],
    ["fewer than no tokens", JSON.stringify(ask({ max_tokens: -1 })), 400],
    ["tokens in words", JSON.stringify(ask({ max_tokens: "many" })), 400],
    ["an endless model", JSON.stringify(ask({ model: "m".repeat(301) })), 400],
    ["a call in the background", JSON.stringify(ask({ background: true })), 400],
    ...TOO_DEEP,
    ["17 MB", JSON.stringify(ask({ user: "u".repeat(17 * 2 ** 20) })), 413],
  ])("answers a body of %s with an error in the API's own form", async (_what, body, status) => {
    const arena = await startArena(start);
    const chat = await post(arena, body);
    expect([chat.status, chat.headers.get("x-should-retry")]).toEqual([status, "false"]);
    expect((await json(chat)).error).toMatchObject({ type: "invalid_request_error" });
    const message = await post(arena, body, "/v1/messages");
    expect([message.status, (await json(message)).type]).toEqual([status, "error"]);
    expect(arena.provider.received).toEqual([]);
    await eventually(async () => expect(await arena.used("requests")).toBe(0));
  });

  it("takes a body of 15 MB, as images have it", async () => {
    const arena = await startArena(start);
    expect((await post(arena, ask({ user: "u".repeat(15 * 2 ** 20) }))).status).toBe(200);
  });

  it("answers an address that cannot be read in the form of its errors", async () => {
    const arena = await startArena(start);
    const answer = await fetch(`${arena.url}/v1/%ZZ${arena.token}`);
    expect(answer.headers.get("x-should-retry")).toBe("false");
    const body = await json(answer);
    expect(body.error).toMatchObject({ type: "invalid_request_error", param: null });
    expect(JSON.stringify(body)).not.toContain(arena.token);
  });

  it("answers 502 where the provider breaks off in the middle, and charges the estimate", async () => {
    const arena = await startArena(start);
    await providerThat(arena, (_req, res) => {
      res.writeHead(200, { "content-type": "application/json", "content-length": 5_000 });
      res.write('{"id":', () => res.destroy());
    });
    const answer = await post(arena, ask());
    expect([answer.status, (await json(answer)).error.code]).toEqual([502, "upstream_failed"]);
    expect(log.mock.calls).toEqual([[expect.objectContaining({ cause: expect.any(TypeError) })]]);
    const inputTokens = estimateInputTokens(ask());
    expect(await spent(arena)).toEqual({ requests: 1, inputTokens, outputTokens: 4, inFlight: 0 });
  });

  it("answers 502 where the provider breaks off a stream before its first word, and charges the estimate", async () => {
    const arena = await startArena(start);
    await providerThat(arena, (_req, res) => {
      res.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" }).end("no gzip");
    });
    const answer = await post(arena, ask(STREAM));
    expect([answer.status, (await json(answer)).error.code]).toEqual([502, "upstream_failed"]);
    const inputTokens = estimateInputTokens(ask(STREAM));
    expect(await spent(arena)).toEqual({ requests: 1, inputTokens, outputTokens: 4, inFlight: 0 });
  });

  it("breaks off where the provider breaks off a stream, and charges what was seen to a client that has not gone", async () => {
    const arena = await startArena(start);
    let breakOff = () => {};
    await providerThat(arena, (_req, res) => {
      breakOff = () => res.destroy();
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.write(`data: ${JSON.stringify({ choices: [{ delta: { content: "toll" } }] })}\n\n`);
    });
    const reader = (await post(arena, ask(STREAM))).body?.getReader();
    expect(await reader?.read()).toMatchObject({ done: false });
    breakOff();
    await expect(reader?.read()).rejects.toThrow();
    const inputTokens = estimateInputTokens(ask(STREAM));
    await eventually(async () => {
      expect(await spent(arena)).toEqual({ requests: 1, inputTokens, outputTokens: 1, inFlight: 0 });
    });
    expect(await arena.outcomes()).toEqual(["settled"]);
  });

  it("meters a stream however its type is written", async () => {
    const arena = await startArena(start);
    await providerThat(arena, (_req, res) => {
      const usage = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 };
      res.writeHead(200, { "content-type": "Text/Event-Stream" });
      res.end(`data: ${JSON.stringify({ choices: [], usage })}\n\n`);
    });
    await (await post(arena, ask(STREAM))).text();
    expect(await arena.used("tokens")).toBe(10);
  });

  it("answers a path that is none, and a call without a token", async () => {
    const arena = await startArena(start);
    for (const path of ["/V1/Messages", "/v1/messages/", `${CHAT}/`, `/${CHAT}`, "/v1/embeddings"]) {
      expect([path, (await post(arena, ask(), path)).status]).toEqual([path, 404]);
    }
    expect(arena.provider.received).toEqual([]);
    const answer = await post(arena, ask(), CHAT, { authorization: "" });
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    const message = await post(arena, ask(), "/v1/messages", { authorization: "" });
    expect([message.status, await json(message)]).toMatchObject([401, { type: "error" }]);
  });

  it("tells a client nothing of another org", async () => {
    const arena = await startArena(start, { limits: { rpm: 1 }, models: ["gpt-4o"] });
    const eve = arena.gate.as({ userId: "eve" });
    const { id: orgId } = await eve.orgs.create({
      id: "other-org",
      name: "Other Org",
      limits: { rpm: 987_654 },
    });
    const { id: projectId } = await eve.projects.create({ orgId, id: "other-project", name: "Other" });
    const { token } = await eve.keys.create({ orgId, projectId, id: "other-key" });
    await post({ ...arena, token }, ask());
    const answers = [
      await post(arena, ask()),
      await post(arena, ask()),
      await post(arena, ask({ model: "gpt-4o-mini" })),
      await post(arena, ask(), CHAT, { authorization: `Bearer ${token}x` }),
      await fetch(`${arena.url}/v1/key`, { headers: { authorization: `Bearer ${arena.token}` } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 429, 403, 401, 200]);
    for (const answer of answers) {
      const text = JSON.stringify([...answer.headers]) + (await answer.text());
      expect(text).not.toMatch(/other|987654/i);
    }
  });

  it("holds the provider back while the client does not read, and loses nothing", async () => {
    const arena = await startArena(start);
    const piece = Buffer.from(`data: {"choices":[{"delta":{"content":"${"word ".repeat(13_000)}"}}]}\n\n`);
    const pieces = 1_500; // 97 MB: more than all buffers on the way hold
    let sent = 0;
    await providerThat(arena, async (_req, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" });
      for (; sent < pieces; sent++) if (!res.write(piece)) await once(res, "drain");
      res.end();
    });

    const body = JSON.stringify(ask({ stream: true }));
    const socket = connect(Number(new URL(arena.url).port), "127.0.0.1");
    socket.write(
      `POST ${CHAT} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\nauthorization: Bearer ${arena.token}\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    let before = -1;
    await eventually(
      () => {
        const stands = sent > 0 && sent === before;
        before = sent;
        expect(stands).toBe(true);
      },
      { interval: 500 },
    );
    expect(sent).toBeLessThan(pieces);
    let received = 0;
    socket.on("data", (chunk) => {
      received += chunk.length;
    });
    await once(socket, "close");
    expect(sent).toBe(pieces);
    expect(received).toBeGreaterThan(pieces * piece.length);
  });

  it("ends every call of a client that hangs up, also those whose answers wait for the first on one connection", async () => {
    const arena = await startArena(start);
    heldAfterThreeWords(arena);
    const body = JSON.stringify(ask({ ...STREAM, max_tokens: 10 }));
    const request =
      `POST ${CHAT} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${arena.token}\r\n` +
      `content-length: ${body.length}\r\n\r\n${body}`;
    const socket = connect(Number(new URL(arena.url).port), "127.0.0.1");
    socket.write(request.repeat(3));
    await eventually(() => expect(arena.provider.received).toHaveLength(3));
    socket.destroy();
    await eventually(async () => expect(await arena.used("inFlight")).toBe(0));
    await eventually(() => expect(arena.provider.cutOff()).toBe(3));
  });

  it("settles what is in flight when it shuts down, with what was seen", async () => {
    const arena = await startArena(start);
    heldAfterThreeWords(arena);
    const answer = await post(arena, ask({ ...STREAM, max_tokens: 10 }));
    const reading = answer.text().catch((error: Error) => error.name);
    await eventually(async () => expect(await arena.used("inFlight")).toBe(1));
    await eventually(() => expect(arena.provider.received).toHaveLength(1));
    await arena.gateway.calls.finish(100);
    const inputTokens = estimateInputTokens(ask());
    expect(await spent(arena)).toEqual({ requests: 1, inputTokens, outputTokens: 3, inFlight: 0 });
    expect(await reading).toBe("TypeError");
  });

  it("lets calls end before it shuts down, and takes no more", async () => {
    const arena = await startArena(start);
    const letGo = heldAfterThreeWords(arena);
    const settled = vi.spyOn(arena.gate, "settle");
    const answer = await post(arena, ask({ ...STREAM, max_tokens: 10 }));
    const reading = answer.text();
    const down = shutDown(arena.server, arena.gateway, 20_000);
    await expect(fetch(`${arena.url}/v1/models`)).rejects.toThrow();
    await setTimeout(1_200); // longer than clients may take for their last bytes
    letGo();
    expect(await reading).toContain("[DONE]");
    await down;
    expect(settled).toHaveBeenCalledExactlyOnceWith(
      expect.anything(),
      expect.objectContaining({ outputTokens: 10 }),
    );
    await expect(arena.gate.authenticate("x")).rejects.toThrow("closed");
  });
});

it("a call has never reached the provider where there was no connection to it, and may have after that", () => {
  const failed = (cause: object) => new TypeError("fetch failed", { cause });
  const connect = { syscall: "connect" };
  for (const cause of [
    { code: "ECONNREFUSED", ...connect },
    { code: "EHOSTUNREACH", ...connect },
    { code: "ENETUNREACH", ...connect },
    { code: "ENOTFOUND", syscall: "getaddrinfo" },
    { code: "EAI_AGAIN", syscall: "getaddrinfo" },
    { code: "UND_ERR_CONNECT_TIMEOUT" },
    Object.assign(new AggregateError([connect, connect]), { code: "ETIMEDOUT" }),
  ]) {
    expect([cause, neverReached(failed(cause))]).toEqual([cause, true]);
  }
  for (const cause of [
    { code: "ECONNRESET", syscall: "read" },
    { code: "ETIMEDOUT", syscall: "read" },
    { code: "EPIPE", syscall: "write" },
    { code: "UND_ERR_SOCKET" },
    { code: "UND_ERR_HEADERS_TIMEOUT" },
  ]) {
    expect([cause, neverReached(failed(cause))]).toEqual([cause, false]);
  }
  for (const error of [new Error("x"), undefined]) expect(neverReached(error)).toBe(false);
});

it("a key is told until when it is valid, and of its holder's limits in the project as of its own", async () => {
  const limits = { rpm: 9 };
  const expiresAt = Date.now() + 3_600_000;
  const key = { limits, expiresAt };
  const directory = directoryOf(aKeyChain({ org: { limits }, project: { limits }, holder: { limits }, key }));
  const { body } = await keyInfo(createGate({ directory }), directory.tokenOf("key"));
  expect(body).toMatchObject({ keyId: "key", expiresAt, limits: [{ scope: "member" }, { scope: "key" }] });
});

describe("an open call", () => {
  /** One on a connection, with what it was settled with. Its answer has all been sent, unless `parts` say otherwise. */
  async function openOn(parts: { readonly destroyed?: boolean; readonly writableFinished?: boolean }) {
    const gate = createGate({ directory: directoryOf(aKeyChain({ key: { limits: { rpm: 5 } } })) });
    const admission = await gate.admit({ keyId: "key" }, { model: "gpt-4o", inputTokens: 1 });
    if (!admission.admitted) throw new Error(admission.message);
    const request = { endpoint: chatCompletions, body: {}, usage: { model: "gpt-4o" } };
    const calls = new OpenCalls(gate);
    const call = calls.open(admission, request);
    call.seen = () => ({ outputTokens: 3 });
    const settled = vi.spyOn(gate, "settle");
    const { destroyed = false, writableFinished = true } = parts;
    const socket = Object.assign(new EventEmitter(), { destroyed });
    const res = Object.assign(new EventEmitter(), { req: { socket }, writableFinished });
    call.closeWith(res as unknown as ServerResponse); // sound: it looks at no more of it
    return {
      calls,
      call,
      res,
      socket,
      settled,
      actuals: () => settled.mock.calls.map(([, actual]) => actual),
    };
  }

  it("is closed when its answer ends, and knows whether the client has taken all of it", async () => {
    for (const writableFinished of [true, false]) {
      const { call, res, actuals } = await openOn({ writableFinished });
      res.emit("close");
      await call.ended;
      expect(actuals()).toEqual([{ outputTokens: 3, disconnected: !writableFinished }]);
    }
  });

  it("is closed at once if the connection of its answer is gone already", async () => {
    const { call, actuals } = await openOn({ destroyed: true, writableFinished: false });
    await call.ended;
    expect(actuals()).toEqual([{ outputTokens: 3, disconnected: true }]);
  });

  it("that has ended is listened for no more, however long its connection lives on", async () => {
    const { call, res, socket } = await openOn({});
    await call.close();
    const close = vi.spyOn(call, "close");
    res.emit("close");
    socket.emit("close");
    expect(close).not.toHaveBeenCalled();
  });

  it("that the counters did not take is settled at the latest when the gateway shuts down", async () => {
    const { calls, call, settled, actuals } = await openOn({});
    settled.mockRejectedValueOnce(new CountersUnavailableError("away"));
    await call.close();
    await calls.finish(0);
    expect(actuals()).toEqual([{ outputTokens: 3 }, { outputTokens: 3 }]);
  });

  it("that the counters did not take has the grace of a shutdown for them to come back", async () => {
    const { calls, call, settled, actuals } = await openOn({});
    settled.mockRejectedValueOnce(new CountersUnavailableError("away"));
    settled.mockRejectedValueOnce(new CountersUnavailableError("away"));
    await call.close();
    await calls.finish(60_000);
    expect(actuals()).toEqual([{ outputTokens: 3 }, { outputTokens: 3 }, { outputTokens: 3 }]);
  });

  it("has nothing left of its wait in a queue that listens on its connection", async () => {
    const directory = directoryOf(aKeyChain({}));
    const gate = createGate({ directory });
    const request = { endpoint: chatCompletions, body: {}, usage: { model: "gpt-4o" } };
    const socket = Object.assign(new EventEmitter(), { destroyed: false });
    const res = Object.assign(new EventEmitter(), { req: { socket } });
    const calls = new OpenCalls(gate, createQueue(gate));
    await calls.admit(directory.tokenOf("key"), request, res as unknown as ServerResponse); // sound: as above
    expect(res.listenerCount("close")).toBe(0);
  });

  it("is released where nothing was sent, and closed once", async () => {
    const gate = createGate();
    const ada = gate.as({ userId: "ada" });
    const { id: orgId } = await ada.orgs.create({ name: "Acme" });
    const { id: projectId } = await ada.projects.create({ orgId, name: "Search" });
    const { token, key } = await ada.keys.create({ orgId, projectId, limits: { rpm: 5 } });
    const admission = await gate.admit(token, { model: "gpt-4o" });
    if (!admission.admitted) throw new Error(admission.message);
    const calls = new OpenCalls(gate);
    const request = {
      endpoint: chatCompletions,
      body: {},
      usage: { model: "gpt-4o" },
    };
    const call = calls.open(admission, request);
    const release = vi.spyOn(gate, "release");
    await Promise.all([call.close(), call.close()]);
    await calls.finish(0);
    expect(release).toHaveBeenCalledTimes(1);
    expect(call.signal.aborted).toBe(true);
    const [reading] = await gate.usage({ orgId, keyId: key.id });
    expect(reading?.used).toBe(0);
  });
});
