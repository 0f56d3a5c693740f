import fc from "fast-check";
import { type Counters, type Gate, isTollgateError, type Reservation } from "tollgate";
import { describe, expect, test } from "vitest";
import { counterAdapters, isSlow } from "../scenarios/adapters.js";
import { aChain, NOON, world } from "./world.js";

const HOUR_MS = 3_600_000;

/** Budgets of a few nano-dollars, so that they are reached; costs are given, so that the arithmetic is plain. */
const usd = (nano: number) => `0.${String(nano).padStart(9, "0")}`;

const maxima = fc.integer({ min: 10, max: 300 });
const gateOf = fc.constantFrom(0, 1);
/** Which of the calls that nobody has ended yet, counted from the last. */
const nth = fc.nat(4);

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("admit" as const),
      by: gateOf,
      keyId: fc.constantFrom("k1", "k2"),
      cost: fc.nat(40),
      requestId: fc.constantFrom("a", "b", undefined, undefined),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("extend" as const),
      by: gateOf,
      nth,
      cost: fc.integer({ min: 1, max: 20 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("settle" as const), by: gateOf, nth, cost: fc.nat(60) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("release" as const), by: gateOf, nth }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("move" as const),
      of: gateOf,
      ms: fc.constantFrom(-HOUR_MS, -60_000, -1, 1, 60_000, HOUR_MS - 1, HOUR_MS, 24 * HOUR_MS),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("restart" as const), max: maxima }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type StepOf<Kind extends Step["do"]> = Extract<Step, { readonly do: Kind }>;

const adapters = await counterAdapters();

describe.each(adapters)("two gates over counters in %s", (name, make) => {
  test("law: a budget counts what open and expired calls hold and what settled ones came to, whatever the two clocks say and whichever gate ends a call", async () => {
    await fc.assert(
      fc.asyncProperty(maxima, fc.array(step, { minLength: 5, maxLength: 40, size: "max" }), followed),
      { numRuns: isSlow(name) ? 10 : 60 },
    );
  });

  async function followed(max: number, steps: readonly Step[]): Promise<void> {
    const counters = make();
    const clocks = [clockAt(NOON), clockAt(NOON)] as const;
    let gates = started(counters, clocks, max);
    let most = max;
    /** What each call holds that was not settled, whether or not its time is over. */
    const held = new Map<string, number>();
    /** The calls that nobody has ended. */
    const open: Reservation[] = [];
    let spent = 0;
    const counted = () => [...held.values()].reduce((sum, cost) => sum + cost, spent);

    const admit = async ({ by, keyId, cost, requestId }: StepOf<"admit">) => {
      const usage = { model: "gpt-4o", inputTokens: 0, costUsd: usd(cost), requestId };
      const admission = await orConflict(gates[by].admit({ keyId }, usage));
      if (!admission?.admitted) return;
      const { reservation, replayed } = admission;
      expect(held.has(reservation.id)).toBe(replayed === true);
      if (replayed) return;
      held.set(reservation.id, cost);
      open.push(reservation);
      if (cost > 0) expect(counted()).toBeLessThanOrEqual(most);
    };

    const extend = async ({ by, nth, cost }: StepOf<"extend">) => {
      const place = open.length - 1 - nth;
      const reservation = open[place];
      if (reservation === undefined) return;
      const more = await orConflict(gates[by].extend(sent(reservation), { costUsd: usd(cost) }));
      if (!more?.admitted) return;
      open[place] = more.reservation;
      held.set(reservation.id, (held.get(reservation.id) ?? 0) + cost);
      expect(counted()).toBeLessThanOrEqual(most);
    };

    const end = async (one: StepOf<"settle"> | StepOf<"release">) => {
      const [reservation] = open.splice(open.length - 1 - one.nth, 1);
      if (reservation === undefined) return;
      const gate = gates[one.by];
      const cost = one.do === "settle" ? one.cost : 0;
      const ended =
        one.do === "settle"
          ? await gate.settle(sent(reservation), { costUsd: usd(cost) })
          : await gate.release(sent(reservation));
      if (!ended.settled) return expect(ended.reason).toBe("expired");
      held.delete(reservation.id);
      spent += cost;
    };

    for (const one of steps) {
      if (one.do === "admit") await admit(one);
      else if (one.do === "extend") await extend(one);
      else if (one.do === "move") clocks[one.of].at += one.ms;
      else if (one.do === "restart") {
        most = one.max;
        gates = started(counters, clocks, most);
      } else if (one.nth < open.length) await end(one);
      for (const gate of gates) {
        expect(await gate.usage({ orgId: "o1" })).toMatchObject([{ used: counted() }]);
      }
    }
    for (const gate of gates) await gate.close();
  }
});

type Pair<T> = readonly [T, T];

function clockAt(at: number) {
  const clock = { at, now: () => clock.at };
  return clock;
}

/** Two gates of one org that may spend so much ever. They have seen no key yet. */
function started(counters: Counters, clocks: Pair<{ now(): number }>, max: number): Pair<Gate> {
  const limits = { budget: { usd: usd(max), reset: "never" } } as const;
  const chains = ["k1", "k2"].map((id) => aChain({ org: { limits }, key: { id } }));
  const gateBy = (clock: { now(): number }) => world(chains, { clock, counters }).gate;
  return [gateBy(clocks[0]), gateBy(clocks[1])];
}

/** The answer, or nothing for a request id that is another call's and for a call whose time is over. */
async function orConflict<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch((error) => {
    if (isTollgateError(error, "conflict")) return undefined;
    throw error;
  });
}

/** A reservation as another process has it. */
function sent(reservation: Reservation): string {
  return JSON.stringify(reservation);
}
