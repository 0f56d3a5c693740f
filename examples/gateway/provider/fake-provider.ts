import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { chat } from "./chat.js";
import { messages } from "./messages.js";
import { type Api, type FakeUsage, type Prompt, wordsFor } from "./reply.js";
import { responses } from "./responses.js";

const APIS: readonly Api[] = [chat, responses, messages];

/** How the fake provider answers. May be changed at any time. */
export interface Behaviour {
  /** Models that fail, and the status they fail with. */
  readonly failing: Map<string, number>;
  /** The usage to report instead of a token per word. */
  usage?: FakeUsage;
  /** Awaited before each word of a stream, counted from zero. */
  beforeWord?: (word: number) => Promise<void> | void;
}

export interface FakeProvider {
  /** Its address, such as `http://127.0.0.1:4010`. */
  readonly url: string;
  readonly behaviour: Behaviour;
  /** What arrived, in order. */
  readonly received: {
    readonly path: string;
    readonly headers: IncomingHttpHeaders;
    readonly text: string;
  }[];
  /** Streams that were cut off by the caller. */
  readonly cutOff: () => number;
  close(): Promise<void>;
}

/**
 * A provider that speaks the APIs of OpenAI and Anthropic and answers each call with a part of the same sentence.
 *
 * @param apiKey the key that calls must carry
 */
export async function startFakeProvider(apiKey: string, port = 0): Promise<FakeProvider> {
  const behaviour: Behaviour = { failing: new Map() };
  const received: FakeProvider["received"] = [];
  let cutOff = 0;

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const text = await textOf(req);
    received.push({ path: req.url ?? "", headers: req.headers, text });
    const api = APIS.find(({ path }) => path === req.url);
    const { authorization, "x-api-key": key } = req.headers;
    if (authorization !== `Bearer ${apiKey}` && key !== apiKey) return fail(res, 401);
    if (api === undefined) return fail(res, 404);
    const prompt = promptOf(api, text);
    const status = behaviour.failing.get(prompt.model);
    if (status !== undefined) return fail(res, status);
    const words = wordsFor(prompt);
    const { inputTokens } = prompt;
    const usage = behaviour.usage ?? { inputTokens, cachedInputTokens: 0, outputTokens: words.length };
    if (!prompt.stream) return json(res, 200, api.answer(prompt, words, usage));
    res.once("close", () => {
      if (!res.writableFinished) cutOff++;
    });
    await stream(res, api, prompt, words, usage);
  }

  async function stream(
    res: ServerResponse,
    api: Api,
    prompt: Prompt,
    words: readonly string[],
    usage: FakeUsage,
  ): Promise<void> {
    res.writeHead(200, { "content-type": "text/event-stream", "x-request-id": "req_1" });
    res.write(api.before(prompt, usage));
    for (const [i, word] of words.entries()) {
      await behaviour.beforeWord?.(i);
      res.write(api.word(prompt, word));
    }
    res.end(api.after(prompt, words, usage));
  }

  const server = createServer((req, res) => {
    answer(req, res).catch(() => res.destroy());
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the fake provider listens on a port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    behaviour,
    received,
    cutOff: () => cutOff,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function textOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function promptOf(api: Api, text: string): Prompt {
  const body = JSON.parse(text);
  const said = JSON.stringify(body.messages ?? body.input ?? "");
  return {
    model: body.model,
    stream: body.stream === true,
    inputTokens: said.split(" ").length,
    maxOutputTokens: body[api.maxField] ?? body.max_tokens ?? Number.POSITIVE_INFINITY,
  };
}

function fail(res: ServerResponse, status: number): void {
  json(res, status, {
    error: { message: `the account org-of-the-gateway gets ${status}`, type: "provider" },
  });
}

function json(res: ServerResponse, status: number, body: object): void {
  res
    .writeHead(status, { "content-type": "application/json", "x-request-id": "req_1" })
    .end(JSON.stringify(body));
}
