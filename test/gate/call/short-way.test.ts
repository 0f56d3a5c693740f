import fc from "fast-check";
import { expect, test } from "vitest";
import type { Reservation } from "../../../src/gate/call/reservation.js";
import { GATE_EVENTS, type GateEvents } from "../../../src/gate/events/events.js";
import { createLedger } from "../../../src/ledger/ledger.js";
import { memoryLedgerSink } from "../../../src/ledger/memory-sink.js";
import type { Actual, Usage } from "../../../src/model/usage.js";
import { clockStep } from "../../counters/limits.js";
import { passed } from "../../scenarios/answers.js";
import { aChain, elsewhere, type World, world } from "../world.js";

const CHAIN = aChain({
  org: {
    limits: { rpm: 30, tpm: 9_000, budget: { usd: 0.05, reset: "daily", alertAt: [0.1, 0.5, 1] } },
    virtualModels: { fast: ["gpt-4o-mini", "gpt-4o"] },
  },
  project: {
    limits: { inFlight: 6, budget: { usd: 0.2, reset: "monthly", countByok: true, alertAt: [0.2] } },
  },
  holder: { limits: { budget: { usd: 0.01, reset: "weekly" }, mode: "shadow" } },
  key: { limits: { tpd: 40_000, perModel: { "gpt-4o-mini": { rpm: 12, outputTpm: 2_000 } } } },
});

const tokens = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 400 }) },
  fc.constantFrom(0, 3_000),
);

const usage: fc.Arbitrary<Usage> = fc
  .record({
    model: fc.constantFrom("gpt-4o", "gpt-4o-mini", "free", "fast"),
    inputTokens: tokens,
    maxOutputTokens: tokens,
    byok: fc.boolean(),
  })
  .chain((plain) =>
    fc.oneof(
      { weight: 5, arbitrary: fc.constant(plain) },
      fc.nat(3).map((number) => ({ ...plain, requestId: `r${number}` })),
    ),
  );

const actual: fc.Arbitrary<Actual> = fc.record(
  {
    model: fc.constantFrom("gpt-4o", "gpt-4o-mini", "gpt-4o-2024-08-06"),
    inputTokens: tokens,
    outputTokens: tokens,
    disconnected: fc.boolean(),
  },
  { requiredKeys: [] },
);

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant("admit" as const), usage }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("check" as const), usage }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant("settle" as const), pick: fc.nat(8), actual }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("release" as const), pick: fc.nat(8) }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("extend" as const), pick: fc.nat(8), maxOutputTokens: tokens }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("wait" as const), ms: clockStep }) },
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** One gate and the reservations that it has made. Two of them are asked the same. */
class Side {
  readonly #world: World;
  readonly #made: Reservation[] = [];
  /** What the gate has told its listeners. */
  readonly events: [event: string, payload: unknown][] = [];

  constructor(made: World) {
    this.#world = made;
    for (const name of Object.keys(GATE_EVENTS) as (keyof GateEvents)[]) {
      made.gate.on(name, (event) => this.events.push([name, plain(event)]));
    }
  }

  /** The answer, or what was thrown. */
  answer(asked: Step): Promise<unknown> {
    return this.#ask(asked).then(plain, String);
  }

  async #ask(asked: Step): Promise<unknown> {
    const { gate, clock } = this.#world;
    const key = { keyId: "k1" };
    switch (asked.op) {
      case "admit": {
        const admission = await gate.admit(key, asked.usage);
        if (admission.admitted) this.#made.push(admission.reservation);
        return admission;
      }
      case "check":
        return gate.check(key, asked.usage);
      case "wait":
        clock.at += asked.ms;
        return gate.usage({ orgId: "o1", keyId: "k1" });
      case "settle":
        return gate.settle(this.#picked(asked), asked.actual);
      case "release":
        return gate.release(this.#picked(asked));
      case "extend":
        return gate.extend(this.#picked(asked), { maxOutputTokens: asked.maxOutputTokens });
    }
  }

  #picked({ pick }: { readonly pick: number }): Reservation {
    const reservation = this.#made[this.#made.length - 1 - (pick % this.#made.length)];
    if (reservation === undefined) throw new Error("nothing was reserved yet");
    return reservation;
  }
}

/** What JSON says of an answer, but for the ids of reservations, which are drawn, and how long it took. */
function plain(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer), (name, value) =>
    name === "id" || name === "tookMs" ? undefined : value,
  );
}

test("law: a gate answers and tells the same, whether its counters have a short way or not", async () => {
  let admitted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), async (steps) => {
      const sides = [new Side(world(CHAIN)), new Side(world(CHAIN, { counters: elsewhere() }))] as const;
      for (const asked of steps) {
        const [short, long] = await Promise.all(sides.map((side) => side.answer(asked)));
        expect(short).toEqual(long);
        if (asked.op === "admit" && Object(short).admitted) admitted++;
      }
      expect(sides[0].events).toEqual(sides[1].events);
      for (const [, payload] of sides[0].events) {
        const { context } = Object(payload);
        if (context) expect(Object.keys(context)).toEqual(["orgId", "projectId", "userId", "keyId"]);
      }
    }),
    { numRuns: 60 },
  );
  expect(admitted).toBeGreaterThan(100);
});

test("a limit that a call charges nothing, and that has nothing in it, is told to be empty now on either", async () => {
  for (const options of [{}, { counters: elsewhere() }]) {
    const { gate, clock } = world(aChain({ key: { limits: { rpm: 9, outputTpm: 9 } } }), options);
    const key = { keyId: "k1" };
    const first = passed(await gate.admit(key, { model: "gpt-4o", inputTokens: 1, maxOutputTokens: 5 }));
    await gate.release(first.reservation);
    const { limits } = passed(await gate.admit(key, { model: "gpt-4o", inputTokens: 1, maxOutputTokens: 0 }));
    const [requests, outputTokens] = limits;
    expect(requests).toMatchObject({ used: 1, resetsAt: clock.at + 61_000 });
    expect(outputTokens).toMatchObject({ used: 0, resetsAt: clock.at });
  }
});

test("a call that begins on it is told to the ledger, as one on the ordinary way is", async () => {
  const sink = memoryLedgerSink();
  const ledger = createLedger({ sink });
  const { gate } = world(CHAIN, { ledger });
  // The counts of the first call are not there yet, so it goes the ordinary way.
  for (let calls = 0; calls < 3; calls++) {
    await gate.admit({ keyId: "k1" }, { model: "gpt-4o-mini", inputTokens: 1, maxOutputTokens: 1 });
  }
  await ledger.flush();
  expect(sink.events().map(({ outcome }) => outcome)).toEqual(["open", "open", "open"]);
});
