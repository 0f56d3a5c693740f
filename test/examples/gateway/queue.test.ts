import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { shutDown } from "../../../examples/gateway/shut-down.js";
import { eventually } from "../../eventually.js";
import { type Arena, FRAMEWORKS, startArena } from "./arena.js";
import { ask, CHAT, json, post, providerThat } from "./requests.js";

/** Long enough for any machine; no test waits for it. */
const QUEUE = { maxWaitMs: 120_000 };

/** A gateway whose key has one call at a time, which calls wait for, and a way to end the calls of the provider. */
async function busyArena(start: (typeof FRAMEWORKS)[number][1]): Promise<Arena & { answerAll(): void }> {
  const arena = await startArena(start, { limits: { inFlight: 1 }, queue: QUEUE });
  const held: (() => void)[] = [];
  let isOpen = false;
  await providerThat(arena, (_req, res) => {
    const answer = () => {
      res.setHeader("content-type", "application/json");
      res.end(JSON.stringify({ usage: { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 } }));
    };
    if (isOpen) answer();
    else held.push(answer);
  });
  return {
    ...arena,
    answerAll() {
      isOpen = true;
      for (const answer of held) answer();
    },
  };
}

const waiting = ({ gateway }: Arena) => gateway.queue?.status().waiting;

/** A client that can hang up, which `fetch` does only once it likes to. */
function call({ url, token }: Arena): Socket {
  const body = JSON.stringify(ask());
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("error", () => {});
  socket.write(
    `POST ${CHAT} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${token}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  return socket;
}

describe.each(FRAMEWORKS)("a gateway with a queue on %s", (_framework, start) => {
  it("lets a call wait for room, and answers it", async () => {
    const arena = await busyArena(start);
    const answers = [post(arena, ask()), post(arena, ask())];
    await eventually(() => expect(waiting(arena)).toBe(1));
    arena.answerAll();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
    expect(await arena.used("requests")).toBe(2);
  });

  it("charges nothing for a client that hangs up while it waits, and keeps no place for it", async () => {
    const arena = await busyArena(start);
    const first = post(arena, ask());
    await eventually(async () => expect(await arena.used("inFlight")).toBe(1));
    const gone = call(arena);
    await eventually(() => expect(waiting(arena)).toBe(1));
    gone.destroy();
    await eventually(() => expect(waiting(arena)).toBe(0));
    arena.answerAll();
    expect((await first).status).toBe(200);
    await eventually(async () => expect(await arena.used("inFlight")).toBe(0));
    expect(await arena.used("requests")).toBe(1);
  });

  it("answers 503 to a call that waits for room yet when a shutdown has no time left", async () => {
    const arena = await busyArena(start);
    const running = call(arena);
    await eventually(async () => expect(await arena.used("inFlight")).toBe(1));
    const late = post(arena, ask());
    await eventually(() => expect(waiting(arena)).toBe(1));
    const cut = once(running, "close");
    await shutDown(arena.server, arena.gateway, 0);
    const answer = await late;
    expect([answer.status, (await json(answer)).error.code]).toEqual([503, "closed"]);
    running.destroy();
    await cut;
  });
});
