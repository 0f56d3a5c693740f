import fc from "fast-check";
import { createQueue } from "tollgate/queue";
import { describe, expect, it } from "vitest";
import type { Admission } from "../../src/gate/call/admission.js";
import { ClosedError } from "../../src/model/errors.js";
import { aChain, world } from "../gate/world.js";
import { onVirtualTime, pass } from "./virtual-time.js";

onVirtualTime();

const KEYS = ["constructor", "__proto__", "k3"];
const CALL = { model: "free", inputTokens: 10, maxOutputTokens: 0 };

/** What a caller does: one call, and what becomes of it. */
const step = fc.record({
  afterMs: fc.integer({ min: 0, max: 3_000 }),
  key: fc.constantFrom(...KEYS),
  priority: fc.constantFrom(0, 5, 9),
  /** How long it waits before it hangs up. */
  patienceMs: fc.option(fc.integer({ min: 0, max: 20_000 }), { nil: undefined, freq: 4 }),
  /** How long the call to the provider takes. */
  tookMs: fc.integer({ min: 0, max: 5_000 }),
  isReleased: fc.boolean(),
});

const setup = fc.record({
  rpm: fc.integer({ min: 1, max: 30 }),
  inFlight: fc.integer({ min: 1, max: 3 }),
  tpm: fc.constantFrom(20, 100, 10_000),
  maxQueued: fc.integer({ min: 1, max: 12 }),
  maxInFlight: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  maxWaitMs: fc.constantFrom(1, 5_000, 200_000),
  closesAfterMs: fc.option(fc.integer({ min: 0, max: 60_000 }), { nil: undefined, freq: 4 }),
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Setup = typeof setup extends fc.Arbitrary<infer T> ? T : never;

interface Seen extends Step {
  readonly number: number;
  answers: number;
  admission?: Admission;
  error?: unknown;
  admittedAs?: number;
  readonly arrivedAt: number;
  answeredAt: number;
}

/** Sends the calls through a queue in virtual time, and settles or releases what is admitted. */
async function run(steps: readonly Step[], { rpm, inFlight, tpm, closesAfterMs, ...options }: Setup) {
  const chains = KEYS.map((id) =>
    aChain({ project: { limits: { rpm, inFlight, tpm } }, key: { id, limits: { rpm: Math.ceil(rpm / 2) } } }),
  );
  const { gate } = world(chains, { clock: Date });
  const queue = createQueue(gate, { ...options, pollMs: 60_000 });
  let admittedByGate = 0;
  let inFlightNow = 0;
  let mostInFlight = 0;
  gate.on("admission", ({ admission }) => {
    if (!admission.admitted) return;
    admittedByGate++;
    mostInFlight = Math.max(mostInFlight, ++inFlightNow);
  });
  gate.on("settlement", () => {
    inFlightNow--;
  });
  let admissions = 0;
  let mostWaiting = 0;
  queue.on("queued", ({ depth }) => {
    mostWaiting = Math.max(mostWaiting, depth);
  });
  const seen: Seen[] = [];
  const answered = (one: Seen) => {
    one.answers++;
    one.answeredAt = Date.now();
  };
  if (closesAfterMs !== undefined) setTimeout(() => queue.close(), closesAfterMs);
  for (const [number, one] of steps.entries()) {
    await pass(one.afterMs);
    const abort = new AbortController();
    const mine: Seen = { ...one, number, answers: 0, arrivedAt: Date.now(), answeredAt: 0 };
    seen.push(mine);
    if (one.patienceMs !== undefined) setTimeout(() => abort.abort("hung up"), one.patienceMs);
    queue.admit({ keyId: one.key }, CALL, { signal: abort.signal, priority: one.priority }).then(
      (admission) => {
        answered(mine);
        mine.admission = admission;
        if (!admission.admitted) return;
        mine.admittedAs = admissions++;
        const { reservation } = admission;
        setTimeout(() => {
          if (one.isReleased) gate.release(reservation);
          else gate.settle(reservation, { inputTokens: 5, outputTokens: 0 });
        }, one.tookMs);
      },
      (error) => {
        answered(mine);
        mine.error = error;
      },
    );
  }
  await pass(300_000);
  return { gate, queue, seen, admittedByGate, admissions, mostWaiting, mostInFlight };
}

const laws = (check: (seen: Awaited<ReturnType<typeof run>>, setup: Setup) => void | Promise<void>) =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), setup, async (steps, given) => {
      await check(await run(steps, given), given);
    }),
    { numRuns: 25 },
  );

describe("whatever comes, in whatever order", () => {
  it("every call has one answer, and the queue is empty in the end", () =>
    laws(({ seen, queue }) => {
      expect(seen.filter(({ answers }) => answers !== 1)).toEqual([]);
      expect(queue.status()).toEqual({ waiting: 0, keys: 0, longestWaitMs: 0 });
    }));

  it("no call is admitted twice, and nothing stays reserved for one that was not admitted", () =>
    laws(async ({ gate, seen, admissions }) => {
      const ids = seen.flatMap(({ admission }) => (admission?.admitted ? [admission.reservation.id] : []));
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).toHaveLength(admissions);
      // Every admitted call was settled or released: a slot that is taken yet belongs to nobody.
      const readings = await gate.usage({ orgId: "o1", projectId: "p1" });
      expect(readings.filter(({ meter, used }) => meter === "inFlight" && used > 0)).toEqual([]);
    }));

  it("calls of one key and priority are admitted in the order in which they came", () =>
    laws(({ seen }) => {
      for (const key of KEYS) {
        for (const priority of [0, 5, 9]) {
          const admitted = seen.filter(
            (one) => one.key === key && one.priority === priority && one.admittedAs !== undefined,
          );
          const order = admitted.map(({ admittedAs }) => admittedAs);
          expect(order).toEqual(order.toSorted((a = 0, b = 0) => a - b));
        }
      }
    }));

  it("never more than maxQueued wait, nor longer than maxWaitMs, and never more than maxInFlight are under way", () =>
    laws(
      (
        { seen, mostWaiting, mostInFlight },
        { maxQueued, maxWaitMs, maxInFlight = Number.POSITIVE_INFINITY },
      ) => {
        expect(mostWaiting).toBeLessThanOrEqual(maxQueued);
        expect(mostInFlight).toBeLessThanOrEqual(maxInFlight);
        const tooLong = seen.filter(({ arrivedAt, answeredAt }) => answeredAt - arrivedAt > maxWaitMs);
        expect(tooLong).toEqual([]);
      },
    ));

  it("only aborted calls are rejected by their reason, at that moment, and only a closed queue rejects with ClosedError", () =>
    laws(({ seen }, { closesAfterMs }) => {
      for (const { error, patienceMs, arrivedAt, answeredAt } of seen) {
        if (error === undefined) continue;
        if (error === "hung up") expect(answeredAt - arrivedAt).toBe(patienceMs);
        else {
          expect(error).toBeInstanceOf(ClosedError);
          expect(closesAfterMs).toBeDefined();
        }
      }
    }));
});

describe("a call that waits behind one of another key", () => {
  it("is not waited for by that one in turn, when its line comes first", async () => {
    const one = { afterMs: 0, priority: 0, patienceMs: undefined, tookMs: 0, isReleased: false } as const;
    const steps = [
      { ...one, key: "constructor", tookMs: 1 },
      { ...one, key: "k3", priority: 9 },
      { ...one, key: "k3" },
      { ...one, key: "constructor", afterMs: 4 },
      { ...one, key: "k3" },
    ] satisfies Step[];
    const { seen } = await run(steps, {
      rpm: 2,
      inFlight: 1,
      tpm: 20,
      maxQueued: 3,
      maxInFlight: undefined,
      maxWaitMs: 200_000,
      closesAfterMs: undefined,
    });
    expect(seen.map(({ answers, error }) => ({ answers, error }))).toEqual(
      steps.map(() => ({ answers: 1, error: undefined })),
    );
    expect(seen.map(({ admission }) => admission?.admitted)).toEqual(steps.map(() => true));
  });
});

describe("between keys", () => {
  it("one with hundreds of waiting calls does not starve another: its call is admitted with the next two", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 5, max: 20 }),
        fc.integer({ min: 0, max: 50_000 }),
        async (rpm, lateMs) => {
          const chains = ["noisy", "quiet"].map((id) =>
            aChain({ project: { limits: { rpm } }, key: { id } }),
          );
          const { gate } = world(chains, { clock: Date });
          const queue = createQueue(gate, { maxWaitMs: 3_600_000 });
          const order: string[] = [];
          const send = (keyId: string) =>
            queue.admit({ keyId }, CALL).then(
              () => order.push(keyId),
              () => {}, // closed at the end
            );
          // Spread over the minute, so that room comes for one call at a time.
          for (let call = 0; call < rpm; call++) {
            send("noisy");
            await pass(60_000 / rpm);
          }
          for (let call = 0; call < 100; call++) send("noisy");
          await pass(lateMs);
          send("quiet");
          const before = order.length;
          await pass(130_000);
          expect(order.indexOf("quiet") - before).toBeLessThan(2);
          expect(order.length).toBeGreaterThan(before + 1);
          await queue.close();
        },
      ),
      { numRuns: 6 },
    );
  });
});
