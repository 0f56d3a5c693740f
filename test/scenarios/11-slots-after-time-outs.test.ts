import { describe, expect, it } from "vitest";
import { limited, NOON, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, readingOf, refusedBy, settled } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };
const CALL = { model: "free", inputTokens: 10, maxOutputTokens: 10 };
const TTL_MS = 120_000;

describe.each(everyCounters)("in-flight slots of calls that timed out (litellm#20256), %s", (_, make) => {
  const two = () =>
    world(limited({ project: { inFlight: 2 }, key: { rpm: 100 } }), {
      counters: make(),
      reservationTtlMs: TTL_MS,
    });

  it("are free again when the gateway settles the time-out", async () => {
    const { gate } = two();
    for (let i = 0; i < 10; i++) {
      const calls = await Promise.all([gate.admit(KEY, CALL), gate.admit(KEY, CALL), gate.admit(KEY, CALL)]);
      expect(calls.map(({ admitted }) => admitted)).toEqual([true, true, false]);
      for (const call of calls) {
        if (call.admitted) settled(await gate.settle(call.reservation, { outputTokens: 0 }));
      }
    }
    expect(await readingOf(gate, "inFlight", "project")).toMatchObject({ used: 0 });
  });

  it("are free by themselves at the reservation's end, although nobody ever settled, and not a millisecond before", async () => {
    const { gate, clock } = two();
    passed(await gate.admit(KEY, CALL));
    passed(await gate.admit(KEY, CALL));
    const refusal = refusedBy(await gate.admit(KEY, CALL));
    expect(refusal).toMatchObject({ reason: "in_flight_limited", scope: "project", retryAfterMs: TTL_MS });

    clock.at = NOON + TTL_MS - 1;
    refusedBy(await gate.admit(KEY, CALL));
    clock.at = NOON + TTL_MS;
    passed(await gate.admit(KEY, CALL));
    passed(await gate.admit(KEY, CALL));
    refusedBy(await gate.admit(KEY, CALL));
  });

  it("are not given back twice: a settle after the end answers expired and frees nobody else's slot", async () => {
    const { gate, clock } = two();
    const { reservation } = passed(await gate.admit(KEY, CALL));
    clock.at += TTL_MS;
    passed(await gate.admit(KEY, CALL));
    passed(await gate.admit(KEY, CALL));
    expect(await gate.settle(reservation, { outputTokens: 0 })).toEqual({
      settled: false,
      reason: "expired",
    });
    expect(await readingOf(gate, "inFlight", "project")).toMatchObject({ used: 2 });
  });
});
