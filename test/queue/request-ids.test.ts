import fc from "fast-check";
import { createQueue } from "tollgate/queue";
import { describe, expect, it } from "vitest";
import type { Counters } from "../../src/counters/counters.js";
import { memoryCounters } from "../../src/counters/memory.js";
import { limited, world } from "../gate/world.js";
import { passed, readingOf } from "../scenarios/answers.js";
import { onVirtualTime, pass } from "./virtual-time.js";

onVirtualTime();

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", costUsd: 1, requestId: "r1" };
const LATENCY_MS = 20;

/** Counters behind a network: a while until they decide, and a while until their answer is there. */
function slowCounters(): Counters {
  const counters = memoryCounters();
  const slowly = async <T>(answer: () => Promise<T>) => {
    await later(LATENCY_MS);
    const given = await answer();
    await later(LATENCY_MS);
    return given;
  };
  return {
    reserve: (request) => slowly(() => counters.reserve(request)),
    settle: (request) => slowly(() => counters.settle(request)),
    read: (query) => counters.read(query),
    close: () => counters.close(),
  };
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Gateways with a queue each, over the same counters. */
function gateways(count: number) {
  const counters = slowCounters();
  const chain = limited({ key: { budget: { usd: 1_000, reset: "never" }, inFlight: 3 } });
  return Array.from({ length: count }, () => {
    const { gate } = world(chain, { clock: Date, counters });
    return { gate, queue: createQueue(gate, { pollMs: 50 }) };
  });
}

type Gateway = ReturnType<typeof gateways>[number];

/** A call that hangs up after a while. */
function hangsUp({ queue }: Gateway, afterMs: number) {
  const abort = new AbortController();
  setTimeout(() => abort.abort("hung up"), afterMs);
  return expect(queue.admit(KEY, CALL, { signal: abort.signal })).rejects.toBe("hung up");
}

const usedUsd = async ({ gate }: Gateway) => (await readingOf(gate, "cost")).usd?.used;

describe("an aborted call with a request id", () => {
  it("does not release what its own repetition has been given meanwhile", async () => {
    const [one] = gateways(1);
    if (one === undefined) throw new Error("one was made");
    const first = hangsUp(one, 5);
    await pass(7);
    const again = one.queue.admit(KEY, CALL);
    await pass(200);
    await first;
    const admission = passed(await again);
    expect(admission.replayed).toBe(true);
    expect(await usedUsd(one)).toBe(1);
    const settling = one.gate.settle(admission.reservation, { costUsd: 0.5 });
    await pass(100);
    expect(await settling).toMatchObject({ settled: true });
    expect(await usedUsd(one)).toBe(0.5);
  });

  it("does not release the reservation of the first call at another process", async () => {
    const [one, two] = gateways(2);
    if (one === undefined || two === undefined) throw new Error("two were made");
    const admitting = one.queue.admit(KEY, CALL);
    await pass(100);
    const first = passed(await admitting);
    expect(first.replayed).toBeUndefined();
    const again = hangsUp(two, 5);
    await pass(200);
    await again;
    const settling = one.gate.settle(first.reservation, { costUsd: 1 });
    await pass(100);
    expect(await settling).toMatchObject({ settled: true });
    expect(await usedUsd(two)).toBe(1);
  });

  it("leaves its reservation to the next try, which is charged nothing more", async () => {
    const [one] = gateways(1);
    if (one === undefined) throw new Error("one was made");
    const first = hangsUp(one, 5);
    await pass(1_000);
    await first;
    expect(await usedUsd(one)).toBe(1);
    const again = one.queue.admit(KEY, CALL);
    await pass(100);
    expect(passed(await again).replayed).toBe(true);
    expect(await usedUsd(one)).toBe(1);
  });
});

const step = fc.record({
  afterMs: fc.integer({ min: 0, max: 60 }),
  gateway: fc.nat(1),
  requestId: fc.constantFrom("a", "b", undefined),
  patienceMs: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
  tookMs: fc.integer({ min: 0, max: 100 }),
});

describe("whatever is repeated, aborted and settled, over slow counters", () => {
  it("a reservation that a caller was given can be settled, and what was settled is counted", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 20 }), async (steps) => {
        const both = gateways(2);
        const settled = new Map<string, boolean>();
        for (const { afterMs, gateway, requestId, patienceMs, tookMs } of steps) {
          await pass(afterMs);
          const { gate, queue } = both[gateway] as Gateway; // sound: 0 or 1
          const abort = new AbortController();
          if (patienceMs !== undefined) setTimeout(() => abort.abort(), patienceMs);
          const usage = { ...CALL, requestId };
          queue.admit(KEY, usage, { signal: abort.signal }).then(
            async (admission) => {
              if (!admission.admitted) return;
              const { reservation } = admission;
              settled.set(reservation.id, settled.get(reservation.id) ?? false);
              await later(tookMs);
              const settlement = await gate.settle(reservation, { costUsd: 1 });
              if (settlement.settled) settled.set(reservation.id, true);
            },
            () => {}, // hung up
          );
        }
        await pass(60_000);
        expect([...settled].filter(([, isSettled]) => !isSettled)).toEqual([]);
        const [one] = both;
        if (one !== undefined) expect(await usedUsd(one)).toBeGreaterThanOrEqual(settled.size);
      }),
      { numRuns: 100 },
    );
  });
});
