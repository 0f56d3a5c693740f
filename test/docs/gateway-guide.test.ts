import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import type { RequestListener, Server, ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import type { Gate, GateEvents } from "tollgate";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { load, programOf } from "./programs.js";

const guide = readFileSync(new URL("../../docs/guides/gateway.md", import.meta.url), "utf8");
const generated = fileURLToPath(new URL("./.generated-gateway/", import.meta.url));

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** What the guide has made when its gateway listens. */
interface Guide {
  readonly gate: Gate;
  readonly key: { readonly orgId: string; readonly id: string };
  readonly token: string;
  readonly provider: Server;
  readonly gateway: Server;
  urlOf(server: Server): string;
  webChat(request: Request): Promise<Response>;
}

let made: Guide;

/** What the guide lets its provider answer. */
let ownAnswer: RequestListener;

beforeAll(async () => {
  const [upToGateway = ""] = guide.split("## The first call");
  const web = guide.slice(
    guide.indexOf("## Another framework"),
    guide.indexOf("What to do when something goes wrong"),
  );
  const program = `${programOf(upToGateway + web)}\nexport { gate, gateway, key, provider, token, urlOf, webChat };\n`;
  made = (await load(generated, "gateway", program)) as unknown as Guide; // sound: it exports these
  ownAnswer = made.provider.listeners("request")[0] as RequestListener; // sound: only those listen to requests
  // The guide's own limits would refuse the third case.
  const { orgId, id: keyId } = made.key;
  const limits = { rpm: 1_000, tpm: 1_000_000_000, inFlight: 5, budget: { usd: 9, reset: "never" } } as const;
  await made.gate.as({ userId: "ada" }).keys.update({ orgId, keyId, limits });
});

afterAll(async () => {
  made.gateway.close();
  made.provider.close();
  await made.gate.close();
  log.mockRestore();
  rmSync(generated, { recursive: true, force: true });
});

const ASK = { model: "gpt-4o", max_tokens: 50, messages: [{ role: "user", content: "What is 6 × 7?" }] };

async function used() {
  const { orgId, id: keyId } = made.key;
  const readings = await made.gate.usage({ orgId, keyId });
  const of = (meter: string) => readings.find((one) => one.scope === "key" && one.meter === meter)?.used;
  return { requests: of("requests"), tokens: of("tokens"), slots: of("inFlight"), nanoUsd: of("cost") };
}

let before: Awaited<ReturnType<typeof used>>;

/** What the guide writes to the log of the gateway. */
const log = vi.spyOn(console, "error").mockImplementation(() => {});

beforeEach(async () => {
  log.mockClear();
  made.provider.removeAllListeners("request");
  made.provider.on("request", ownAnswer);
  before = await used();
});

/** What a call has told its client, and what it has changed. */
async function call(body: string | object = ASK, type = "application/json") {
  const answer = await fetch(`${made.urlOf(made.gateway)}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${made.token}`, "content-type": type },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await answer.text();
  const after = await used();
  expect(after.slots).toBe(0);
  return {
    status: answer.status,
    code: Object(JSON.parse(text).error).code,
    retry: answer.headers.get("x-should-retry"),
    requests: Number(after.requests) - Number(before.requests),
    tokens: Number(after.tokens) - Number(before.tokens),
    text,
  };
}

/** Has the provider answer like this, in place of what the guide lets it answer. */
function provide(answer: (response: ServerResponse) => void): void {
  made.provider.removeAllListeners("request");
  made.provider.on("request", (_request, response) => answer(response));
}

/** A chunk of a chat completion with three words. */
const WORDS = 'data: {"choices":[{"delta":{"content":"Air scatters blue"}}]}\n\n';

describe("the gateway of the guide over the web's Request", () => {
  const settled: GateEvents["settlement"][] = [];

  beforeEach(() => {
    settled.length = 0;
    return made.gate.on("settlement", (event) => settled.push(event));
  });

  /** The answer to a call that asks for a stream. */
  function stream(client = new AbortController()): Promise<Response> {
    return made.webChat(
      new Request("http://gateway/v1/chat/completions", {
        method: "POST",
        headers: { authorization: `Bearer ${made.token}`, "content-type": "application/json" },
        body: JSON.stringify({ ...ASK, stream: true }),
        signal: client.signal,
      }),
    );
  }

  /** How the call was settled: once, whatever was tried. */
  async function ending() {
    const ends = settled.filter(({ settlement }) => settlement.settled);
    expect(ends).toHaveLength(1);
    const after = await used();
    expect(after.slots).toBe(0);
    const { outputTokens, disconnected } = { ...ends[0]?.actual };
    return {
      outputTokens,
      disconnected: disconnected === true,
      requests: Number(after.requests) - Number(before.requests),
    };
  }

  it("streams, and charges what the provider tells at the end because it is asked to", async () => {
    let asked = "";
    made.provider.removeAllListeners("request");
    made.provider.on("request", async (request, response) => {
      for await (const bytes of request) asked += bytes;
      response.end(
        `${WORDS}data: {"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":7}}\n\ndata: [DONE]\n\n`,
      );
    });
    const answer = await stream();
    const { status, headers } = answer;
    expect([status, headers.get("content-type"), headers.get("x-ratelimit-limit-requests")]).toEqual([
      200,
      "text/event-stream",
      "1000",
    ]);
    expect(await answer.text()).toContain("Air scatters blue");
    expect(JSON.parse(asked).stream_options).toEqual({ include_usage: true });
    expect(await ending()).toEqual({ outputTokens: 7, disconnected: false, requests: 1 });
  });

  it.each<[first: string, leave: (client: AbortController, body: Reader) => Promise<unknown>]>([
    [
      "aborts the signal first",
      async (client, body) => {
        client.abort();
        await expect(body.read()).rejects.toThrow("aborted");
        await body.cancel().catch(() => {});
      },
    ],
    [
      "cancels the stream first",
      async (client, body) => {
        await body.cancel();
        client.abort();
      },
    ],
  ])(
    "settles once with what was seen for a client that hangs up, where the host %s",
    async (_first, leave) => {
      provide((response) => response.write(WORDS));
      const client = new AbortController();
      const body = (await stream(client)).body?.getReader();
      if (body === undefined) throw new Error("the answer has a body");
      await body.read();
      await leave(client, body);
      expect(await ending()).toEqual({ outputTokens: 5, disconnected: true, requests: 1 });
    },
  );

  it("settles with the estimate for a client that hangs up before the answer begins, which is no error", async () => {
    const client = new AbortController();
    provide(() => client.abort());
    expect((await stream(client)).status).toBe(502);
    expect(await ending()).toEqual({ outputTokens: undefined, disconnected: true, requests: 1 });
    expect(log).not.toHaveBeenCalled();
  });

  it("breaks off where the provider does, which is not the client's doing", async () => {
    provide((response) => response.write(WORDS, () => response.destroy()));
    await expect((await stream()).text()).rejects.toThrow();
    expect(await ending()).toMatchObject({ disconnected: false, requests: 1 });
  });

  it("charges nothing where nobody is there, as Bun tells it", async () => {
    const refused = Object.assign(new TypeError("Unable to connect."), { code: "ECONNREFUSED" });
    vi.spyOn(globalThis, "fetch").mockRejectedValueOnce(refused);
    expect((await stream()).status).toBe(502);
    vi.mocked(fetch).mockRestore();
    expect(await ending()).toMatchObject({ requests: 0 });
  });

  it("charges no tokens for the provider's error, of which it tells nothing", async () => {
    provide((response) => response.writeHead(429).end("of the account org-ours"));
    const answer = await stream();
    expect([answer.status, await answer.text()]).toEqual([502, expect.not.stringContaining("org-ours")]);
    expect(await ending()).toEqual({ outputTokens: 0, disconnected: false, requests: 1 });
  });
});

describe("the gateway of the guide", () => {
  it("logs its own mistakes, of which it tells its client nothing", async () => {
    vi.spyOn(made.gate, "admit").mockRejectedValueOnce(new Error("the storage is down"));
    expect(await call()).toMatchObject({ status: 500, code: "internal_error", requests: 0 });
    expect(log.mock.calls).toEqual([[expect.objectContaining({ message: "the storage is down" })]]);
  });

  it("charges what the provider tells", async () => {
    expect(await call()).toMatchObject({ status: 200, requests: 1, tokens: 23 });
  });

  it.each<[what: string, body: string | object, status: number]>([
    ["no JSON", "{", 400],
    ["no model", {}, 400],
    ["17 MB", { ...ASK, user: "u".repeat(17 * 2 ** 20) }, 413],
    ["a stream", { ...ASK, stream: true }, 400],
    ["tokens in words", { ...ASK, max_tokens: "many" }, 400],
  ])("refuses a body of %s before it counts or sends anything", async (_what, body, status) => {
    provide(() => expect.unreachable());
    expect(await call(body)).toMatchObject({ status, retry: "false", requests: 0, tokens: 0 });
  });

  it("refuses a body that is not said to be JSON", async () => {
    expect(await call(JSON.stringify(ASK), "text/plain")).toMatchObject({ status: 400, requests: 0 });
  });

  it.each([
    [400, 400, "false"],
    [401, 502, null],
    [402, 502, null],
    [429, 502, null],
    [500, 502, null],
  ])(
    "charges no tokens for the provider's error %i, and tells %i without its text",
    async (said, status, retry) => {
      provide((response) => response.writeHead(said).end("<html>of the account org-ours"));
      const told = await call();
      expect(told).toMatchObject({ status, retry, requests: 1, tokens: 0 });
      expect(told.text).not.toContain("org-ours");
      const causes = status < 500 ? [] : [`the provider answered ${said}`];
      expect(log.mock.calls.map(([error]) => error.cause.message)).toEqual(causes);
    },
  );

  it.each<[what: string, answer: (response: ServerResponse) => void]>([
    ["is no JSON", (response) => response.end("<html>")],
    ["breaks off", (response) => response.write("{", () => response.destroy())],
  ])("charges the estimate for an answer that %s", async (_what, answer) => {
    provide(answer);
    const told = await call();
    expect(told).toMatchObject({ status: 502, code: "upstream_failed", requests: 1 });
    expect(told.tokens).toBeGreaterThan(50);
  });

  it("charges the estimate for an answer whose usage cannot be read, and the client gets it", async () => {
    const answer = '{"choices":[],"usage":{"prompt_tokens":-1}}';
    provide((response) => response.end(answer));
    const told = await call();
    expect(told).toMatchObject({ status: 200, text: answer, requests: 1 });
    expect(told.tokens).toBeGreaterThan(50);
  });

  it("charges nothing where nobody is there", async () => {
    made.provider.closeAllConnections();
    made.provider.close();
    await once(made.provider, "close");
    expect(await call()).toMatchObject({ status: 502, code: "upstream_failed", requests: 0, tokens: 0 });
  });
});
