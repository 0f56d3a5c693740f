import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";
import type { Arena } from "./arena.js";

export const CHAT = "/v1/chat/completions";

export const STREAM = { stream: true, stream_options: { include_usage: true } };

/** A small request for a model, with what a test adds to it. */
export const ask = (more: object = {}) => ({
  model: "gpt-4o",
  messages: [{ role: "user", content: "What is the toll, in a word or two?" }],
  max_tokens: 4,
  ...more,
});

/** Sends a body to the gateway, with the key of the arena. */
export function post(
  { url, token }: Arena,
  body: unknown,
  path = CHAT,
  headers: Record<string, string> = {},
) {
  return fetch(url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

export const json = async (answer: Response) => JSON.parse(await answer.text());

/** Puts another provider behind the gateway, one that answers like this. */
export async function providerThat(
  { gateway }: Arena,
  answer: (req: IncomingMessage, res: ServerResponse, body: string) => void,
): Promise<void> {
  const provider = createServer(async (req, res) => {
    let body = "";
    for await (const chunk of req) body += chunk;
    answer(req, res, body);
  }).listen(0, "127.0.0.1");
  await once(provider, "listening");
  onTestFinished(() => {
    provider.closeAllConnections();
    provider.close();
  });
  const url = `http://127.0.0.1:${Object(provider.address()).port}`;
  for (const one of Object.values(gateway.upstream)) Object.assign(one, { url });
}
