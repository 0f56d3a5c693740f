import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { shutDown } from "../../../examples/gateway/shut-down.js";
import { eventually } from "../../eventually.js";
import { type Arena, FRAMEWORKS, startArena } from "./arena.js";
import { ask, CHAT, post, providerThat, STREAM } from "./requests.js";

describe.each(FRAMEWORKS)("a shutdown of the gateway on %s", (_framework, start) => {
  it.each([
    ["is answered by nobody", 0],
    ["is still before the gate when its connection is cut", 1_500],
  ])("settles a call that was uploaded meanwhile and %s, before the gate closes", async (_what, admitMs) => {
    const arena = await startArena(start);
    await providerThat(arena, () => {});
    const { gate } = arena.gateway;
    const admit = gate.admit.bind(gate);
    vi.spyOn(gate, "admit").mockImplementation(async (...call) => {
      const admission = await admit(...call);
      await new Promise((resolve) => setTimeout(resolve, admitMs));
      return admission;
    });
    const ends = [vi.spyOn(gate, "settle"), vi.spyOn(gate, "release")];

    const body = JSON.stringify(ask());
    const socket = connect(Number(new URL(arena.url).port), "127.0.0.1");
    socket.on("error", () => {});
    socket.write(
      `POST ${CHAT} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${arena.token}\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 9)}`,
    );
    await eventually(() => expect(arena.requests).toHaveLength(1));
    const down = shutDown(arena.server, arena.gateway, 20_000);
    socket.write(body.slice(9));
    await eventually(() => expect(gate.admit).toHaveBeenCalled());
    await down;
    // One that comes after the gate is closed rejects.
    const results = ends.flatMap(({ mock }) => mock.settledResults.map(({ value }) => value.settled));
    expect(results).toEqual([true]);
  });

  it("lets a call end that was being admitted when it began, and its connection with it", async () => {
    const arena = await startArena(start);
    const { gate } = arena.gateway;
    const admit = gate.admit.bind(gate);
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    vi.spyOn(gate, "admit").mockImplementation(async (...call) => {
      const admission = await admit(...call);
      await held;
      return admission;
    });
    const answer = post(arena, ask());
    await eventually(() => expect(gate.admit).toHaveBeenCalled());
    const down = shutDown(arena.server, arena.gateway, 20_000);
    letGo();
    const { status, headers } = await answer;
    expect([status, headers.get("connection")]).toEqual([200, "close"]);
    await down;
  });

  it("serves who calls on a connection that was kept, and tells them to take another one next time", async () => {
    const arena = await startArena(start);
    const holds: (() => void)[] = [];
    arena.provider.behaviour.beforeWord = (word) =>
      word < 1 ? undefined : new Promise((resolve) => holds.push(resolve));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const kept = stream(arena, agent);
    await eventually(() => expect(holds).toHaveLength(1));
    const other = stream(arena, new Agent());
    await eventually(() => expect(holds).toHaveLength(2));
    const down = shutDown(arena.server, arena.gateway, 20_000);
    arena.provider.behaviour.beforeWord = () => {};
    holds[0]?.();
    expect((await kept).connection).toBe("keep-alive");
    expect(await stream(arena, agent)).toMatchObject({ status: 200, connection: "close" });
    holds[1]?.();
    expect((await other).status).toBe(200);
    await down;
  });
});

/** A stream over a connection of an agent, read to its end. */
async function stream({ url, token }: Arena, agent: Agent) {
  const sent = request(url + CHAT, {
    method: "POST",
    agent,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
  });
  sent.end(JSON.stringify(ask(STREAM)));
  const [answer]: IncomingMessage[] = await once(sent, "response");
  if (answer === undefined) throw new Error("an answer");
  for await (const _ of answer);
  return { status: answer.statusCode, connection: answer.headers.connection };
}
