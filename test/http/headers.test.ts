import { tokenFrom, upstreamHeaders } from "tollgate/http";
import { describe, expect, it } from "vitest";

describe("tokenFrom", () => {
  it.each([
    ["authorization", "Bearer sk-tg-1"],
    ["Authorization", " bearer  sk-tg-1 "],
    ["x-api-key", "sk-tg-1"],
    ["X-Api-Key", " sk-tg-1 "],
    ["api-key", "sk-tg-1"],
    ["x-goog-api-key", "sk-tg-1"],
  ])("finds it in %s: %s, in any shape of headers", (name, value) => {
    expect(tokenFrom({ [name]: value })).toBe("sk-tg-1");
    expect(tokenFrom({ host: "gateway", [name]: [value, "another"] })).toBe("sk-tg-1");
    expect(tokenFrom(new Headers({ [name]: value }))).toBe("sk-tg-1");
  });

  it("prefers Authorization, but not where that holds no token", () => {
    expect(tokenFrom({ "x-api-key": "b", authorization: "Bearer a" })).toBe("a");
    expect(tokenFrom({ "x-api-key": "b", authorization: "Basic dXNlcjpwYXNz" })).toBe("b");
    expect(tokenFrom({ "x-api-key": "b", authorization: "Bearer " })).toBe("b");
  });

  it("prefers one with the prefix of the gate wherever it stands, since clients send those of providers as well", () => {
    const login = { authorization: "Bearer sk-ant-oat01-1" };
    expect(tokenFrom({ ...login, "x-api-key": "sk-tg-1" })).toBe("sk-tg-1");
    expect(tokenFrom({ "x-api-key": "sk-ant-1", "x-goog-api-key": "sk-tg-1" })).toBe("sk-tg-1");
    expect(tokenFrom({ authorization: "Bearer sk-tg-1", "x-api-key": "sk-tg-2" })).toBe("sk-tg-1");
    expect(tokenFrom({ ...login, "x-api-key": "acme-1" }, { keyPrefix: "acme-" })).toBe("acme-1");
    expect(tokenFrom({ ...login, "x-api-key": "acme-1" })).toBe("sk-ant-oat01-1");
  });

  it.each([
    {},
    { authorization: "" },
    { authorization: "Bearer two words" },
    { authorization: "Basic bearer sk-tg-1" },
    { authorization: undefined, "x-api-key": undefined },
    { "x-api-key": "  " },
    { "x-api-key": [] },
    { get: "sk-tg-1" },
  ])("is undefined for %j", (headers) => {
    expect(tokenFrom(headers)).toBeUndefined();
  });
});

describe("upstreamHeaders", () => {
  const sent = {
    Authorization: "Bearer sk-tg-1",
    "x-api-key": "sk-tg-1",
    "Api-Key": "sk-tg-1",
    "x-goog-api-key": "sk-tg-1",
    Cookie: "session=sk-tg-1",
    "OpenAI-Organization": "org-theirs",
    "OpenAI-Project": "proj-theirs",
    "X-Forwarded-For": "10.0.0.1",
    "X-Real-IP": "10.0.0.1",
    "True-Client-IP": "10.0.0.1",
    "CF-Connecting-IP": "10.0.0.1",
    "X-Client-IP": "10.0.0.1",
    "X-Goog-User-Project": "theirs",
    "CF-Access-JWT-Assertion": "eyJ",
    "X-Amzn-OIDC-Data": "eyJ",
    "X-Ours": "whatever we add to requests of our own",
    Baggage: "user=1",
    Referer: "https://intern.example",
    Host: "gateway",
    Connection: "keep-alive, X-Stainless-Hop",
    "X-Stainless-Hop": "1",
    "Transfer-Encoding": "chunked",
    "Content-Length": "12",
    "Content-Encoding": "gzip",
    "Idempotency-Key": "theirs, or by chance somebody else's",
    "Accept-Encoding": "gzip",
    "Content-Type": "application/json",
    "anthropic-version": "2023-06-01",
    "X-Stainless-Lang": "js",
    "OpenAI-Beta": "assistants=v2",
    "User-Agent": "OpenAI/JS 5",
    "X-Client-Request-Id": "c-1",
    "X-Goog-Api-Client": "genai-js/1",
  };
  const kept = {
    "content-type": "application/json",
    "anthropic-version": "2023-06-01",
    "x-stainless-lang": "js",
    "openai-beta": "assistants=v2",
    "user-agent": "OpenAI/JS 5",
    "x-client-request-id": "c-1",
    "x-goog-api-client": "genai-js/1",
  };

  it("keeps what is for the provider, and nothing of ours, of the connection or of where the client is", () => {
    expect(upstreamHeaders(sent)).toEqual(kept);
    expect(upstreamHeaders(new Headers(sent))).toEqual(kept);
  });

  it("takes headers of the web's kind that keep the case of a name", () => {
    const headers = {
      get: () => null,
      forEach: (tell: (value: string, name: string) => void) => tell("a", "Accept"),
    };
    expect(upstreamHeaders(headers)).toEqual({ accept: "a" });
  });

  it("joins what was sent several times and leaves out what was not sent", () => {
    expect(upstreamHeaders({ "anthropic-beta": ["a", "b"], accept: undefined })).toEqual({
      "anthropic-beta": "a, b",
    });
  });
});
