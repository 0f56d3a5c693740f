import { characterCounter } from "tollgate";
import { describe, expect, it } from "vitest";
import { eventually } from "../../eventually.js";
import { type Arena, type ArenaOptions, FRAMEWORKS, type Start, startArena } from "./arena.js";
import { CLIENTS, type Client } from "./clients.js";

const SENTENCE = "The toll is paid at the gate and not a coin more than the way is long";

/** What the provider reports of each call; 0.00239 USD. */
const USAGE = { inputTokens: 1_000, cachedInputTokens: 200, outputTokens: 14 };
const CALL_USD = (800 * 2.5 + 200 * 1.25 + 14 * 10) / 1e6;

/** What the key's limits have counted. */
async function countsOf(arena: Arena) {
  return {
    requests: await arena.used("requests"),
    tokens: await arena.used("tokens"),
    inputTokens: await arena.used("inputTokens"),
    outputTokens: await arena.used("outputTokens"),
    cost: await arena.used("cost"),
    inFlight: await arena.used("inFlight"),
  };
}

/** That exactly so many calls of {@link USAGE} are counted, on every meter, and none is open. */
async function expectCalls(arena: Arena, calls: number): Promise<void> {
  expect(await countsOf(arena)).toEqual({
    requests: calls,
    tokens: calls * 1_014,
    inputTokens: calls * 1_000,
    outputTokens: calls * 14,
    cost: Math.round(calls * CALL_USD * 1e9),
    inFlight: 0,
  });
  expect(await arena.outcomes()).toEqual(Array(calls).fill("settled"));
}

/** An arena whose provider reports {@link USAGE}. */
async function startCounting(start: Start, options: ArenaOptions = {}): Promise<Arena> {
  const arena = await startArena(start, options);
  arena.provider.behaviour.usage = USAGE;
  return arena;
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => {
      throw new Error("it succeeded");
    },
    (error: unknown) => error,
  );

const isAnthropic = ({ name }: Client) => name.startsWith("@anthropic");

describe.each(FRAMEWORKS)("on %s", (_framework, start) => {
  describe.each(CLIENTS)("the client $name", (client) => {
    const arenaWith = (options?: ArenaOptions) => startCounting(start, options);

    it("makes a call, and what the provider reports is what is counted", async () => {
      const arena = await arenaWith();
      expect(await client.call(arena)).toBe(SENTENCE);
      await expectCalls(arena, 1);
    });

    it("streams an answer, word by word, with the same counts", async () => {
      const arena = await arenaWith();
      const pieces: string[] = [];
      expect(await client.stream(arena, { onText: (text) => pieces.push(text) })).toBe(SENTENCE);
      expect(pieces).toHaveLength(SENTENCE.split(" ").length);
      await expectCalls(arena, 1);
    });

    it("is refused a model that the key may not call, once", async () => {
      const arena = await arenaWith({ models: ["gpt-4o-mini"] });
      for (const ask of [client.call, client.stream]) {
        expect(client.seen(await failure(ask(arena, { model: "gpt-4o" })))).toMatchObject({
          status: 403,
          code: isAnthropic(client) ? "model_not_allowed" : "model_not_found",
          name: expect.stringMatching(/PermissionDeniedError|APICallError/),
        });
      }
      expect(arena.requests).toHaveLength(2);
      expect(arena.provider.received).toEqual([]);
      await expectCalls(arena, 0);
    });

    it("does not retry on a spent budget", async () => {
      const arena = await arenaWith({ limits: { budget: { usd: 0.01, reset: "daily" } } });
      const spent = await arena.gate.admit(arena.token, { model: "gpt-4o", costUsd: 0.01, inputTokens: 0 });
      if (!spent.admitted) throw new Error(spent.message);
      await arena.gate.settle(spent.reservation, { costUsd: 0.01, inputTokens: 0, outputTokens: 0 });
      expect(client.seen(await failure(client.call(arena)))).toMatchObject({
        status: 402,
        code: isAnthropic(client) ? "budget_exceeded" : "insufficient_quota",
      });
      expect(arena.requests).toHaveLength(1);
      expect(arena.provider.received).toEqual([]);
      expect(await countsOf(arena)).toMatchObject({ requests: 1, tokens: 0, cost: 1e7, inFlight: 0 });
      expect(await arena.outcomes()).toEqual(["settled"]);
    });

    it("waits out a rate limit for as long as it is told, and then succeeds at its first try", async () => {
      const arena = await arenaWith({ limits: { rpm: 1 } });
      // The call that fills the minute was some 59 seconds ago, so the wait is one of one to two seconds. It begins with a second
      // of its clock: what its settle charges on top lies in the same sixtieth of the minute, and leaves the count with it.
      arena.clock.shiftMs = -59_000 - (Date.now() % 1_000);
      await client.call(arena);
      arena.clock.shiftMs = 0;
      expect(await client.call(arena)).toBe(SENTENCE);
      const [, refused, passed, ...more] = arena.requests;
      expect([refused?.status, passed?.status, more]).toEqual([429, 200, []]);
      const toldMs = refused?.retryAfterMs ?? 0;
      expect(toldMs).toBeGreaterThan(0);
      // One millisecond earlier it would have been refused again, and there would be another request.
      expect((passed?.at ?? 0) - (refused?.at ?? 0)).toBeGreaterThanOrEqual(toldMs - 2);
      // The minute of the first call is over.
      const cost = 2 * CALL_USD * 1e9;
      expect(await countsOf(arena)).toMatchObject({ requests: 1, tokens: 1_014, cost, inFlight: 0 });
      expect(await arena.outcomes()).toEqual(["settled", "settled"]);
    });

    it("is told that a revoked key is not valid, once, and no more about it", async () => {
      const arena = await arenaWith();
      await client.call(arena);
      await arena.revoke();
      const error = await failure(client.call(arena));
      expect(client.seen(error)).toMatchObject({
        status: 401,
        code: isAnthropic(client) ? "invalid_key" : "invalid_api_key",
        name: expect.stringMatching(/AuthenticationError|APICallError/),
      });
      expect(String(error)).not.toContain("revoked");
      expect(arena.requests).toHaveLength(2);
      await expectCalls(arena, 1);
    });

    it("aborts a stream, which ends the call upstream and settles with the words that were seen", async () => {
      const arena = await arenaWith();
      delete arena.provider.behaviour.usage;
      arena.provider.behaviour.beforeWord = (word) => (word < 3 ? undefined : new Promise(() => {}));
      const controller = new AbortController();
      let seen = "";
      const onText = (text: string) => {
        seen += text;
        if (seen === "The toll is") controller.abort();
      };
      await client.stream(arena, { onText, signal: controller.signal }).catch(() => {});
      expect(seen).toBe("The toll is");
      await eventually(() => expect(arena.provider.cutOff()).toBe(1));
      await eventually(async () => expect(await arena.used("inFlight")).toBe(0));
      expect(await arena.outcomes()).toEqual(["disconnected"]);
      expect(await arena.used("requests")).toBe(1);
      expect(await arena.used("outputTokens")).toBe(characterCounter.count(seen));
      // Anthropic tells the input at the start; of OpenAI's only the estimate is known.
      const text = arena.provider.received[0]?.text ?? "";
      const inputTokens = await arena.used("inputTokens");
      if (isAnthropic(client))
        expect(inputTokens).toBe(JSON.stringify(JSON.parse(text).messages).split(" ").length);
      else expect(inputTokens).toBeGreaterThan(0);
      expect(await arena.used("cost")).toBe(inputTokens * 2_500 + characterCounter.count(seen) * 10_000);
    });
  });

  it("has 200 streams of all these clients at once, and every one is counted once", async () => {
    const arena = await startCounting(start);
    const streams = Array.from({ length: 200 / CLIENTS.length }, () =>
      CLIENTS.map((client) => client.stream(arena)),
    );
    const answers = await Promise.all(streams.flat());
    expect(answers).toEqual(Array(200).fill(SENTENCE));
    expect(arena.requests).toHaveLength(200);
    await expectCalls(arena, 200);
  });
});
