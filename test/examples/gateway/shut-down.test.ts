import { connect } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { shutDown } from "../../../examples/gateway/shut-down.js";
import { eventually } from "../../eventually.js";
import { FRAMEWORKS, startArena } from "./arena.js";
import { ask, CHAT, providerThat } from "./requests.js";

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
});
