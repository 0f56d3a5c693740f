import fc from "fast-check";
import { createQueue } from "tollgate/queue";
import { expect, it } from "vitest";
import type { LimitReading } from "../../src/admission/limit-reading.js";
import type { Counters } from "../../src/counters/counters.js";
import { memoryCounters } from "../../src/counters/memory.js";
import type { Admitted } from "../../src/gate/call/admission.js";
import { aChain, world } from "../gate/world.js";
import { A_TURN_MS, onVirtualTime, pass } from "./virtual-time.js";

onVirtualTime();

const KEYS = ["a", "b"];

/** One thing that happens. `which` counts through the calls there are. */
const step = fc.record({
  does: fc.constantFrom("comes", "comes", "comes", "comes", "ends", "ends", "ends", "goes"),
  which: fc.nat(2),
  key: fc.constantFrom(...KEYS),
  priority: fc.constantFrom(0, 9),
  inputTokens: fc.constantFrom(1, 10, 40, 90),
  /** The share of its tokens that a call has really used. */
  used: fc.constantFrom(0, 1),
  /** Whether time passes before the next step, enough for everything that follows from this one. */
  isLast: fc.boolean(),
});

const setup = fc.record({
  inFlight: fc.constantFrom(1, 2, undefined),
  keyInFlight: fc.constantFrom(1, undefined, undefined),
  inputTpm: fc.constantFrom(100, 100_000),
  maxInFlight: fc.constantFrom(2, undefined, undefined),
  /** How long the ways to the counters and back take, in turn; none where the counters are in this process. */
  waysMs: fc.constantFrom([], [], [2], [9, 1, 4]),
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Setup = typeof setup extends fc.Arbitrary<infer T> ? T : never;

interface Waiting {
  readonly key: { readonly keyId: string };
  readonly usage: { readonly model: string; readonly inputTokens: number; readonly maxOutputTokens: number };
  readonly priority: number;
  readonly abort: AbortController;
}

function countersAt(waysMs: readonly number[]): Counters {
  const counters = memoryCounters();
  if (waysMs.length === 0) return counters;
  let ways = 0;
  const way = () => new Promise((resolve) => setTimeout(resolve, waysMs[ways++ % waysMs.length]));
  const slowly = async <T>(answer: () => Promise<T>) => {
    await way();
    const given = await answer();
    await way();
    return given;
  };
  return {
    reserve: (request) => slowly(() => counters.reserve(request)),
    settle: (request) => slowly(() => counters.settle(request)),
    read: (query) => slowly(() => counters.read(query)),
    close: () => counters.close(),
  };
}

/** How things stand once nothing is under way. */
interface Look {
  /** Of the calls that are the next of their keys, those that the gate has room for. */
  readonly withRoom: readonly Waiting[];
  /** Whether one of them has none by a limit of the project, which holds up the others. */
  readonly isProjectShort: boolean;
}

async function run(steps: readonly Step[], { inFlight, keyInFlight, inputTpm, maxInFlight, waysMs }: Setup) {
  const chains = KEYS.map((id) =>
    aChain({ project: { limits: { inFlight, inputTpm } }, key: { id, limits: { inFlight: keyInFlight } } }),
  );
  const { gate } = world(chains, { clock: Date, counters: countersAt(waysMs) });
  const queue = createQueue(gate, { maxWaitMs: 3_000_000, pollMs: 3_000_000, maxInFlight });
  const waiting = new Set<Waiting>();
  const open: { readonly reservation: Admitted["reservation"]; readonly used: number }[] = [];

  const come = ({ key, priority, inputTokens, used }: Step) => {
    const call: Waiting = {
      key: { keyId: key },
      usage: { model: "free", inputTokens, maxOutputTokens: 0 },
      priority,
      abort: new AbortController(),
    };
    waiting.add(call);
    queue.admit(call.key, call.usage, { priority, signal: call.abort.signal }).then(
      (admission) => {
        waiting.delete(call);
        if (admission.admitted)
          open.push({ reservation: admission.reservation, used: Math.ceil(used * inputTokens) });
      },
      () => waiting.delete(call),
    );
  };
  const end = (which: number) => {
    const [ended] = open.splice(which % open.length, 1);
    if (ended) gate.settle(ended.reservation, { inputTokens: ended.used, outputTokens: 0 });
  };
  const go = (which: number) => [...waiting][which % waiting.size]?.abort.abort();

  /** What the gate says of the calls that are the first of their keys to be admitted. */
  const look = async (): Promise<Look> => {
    const ordered = [...waiting].sort((a, b) => a.priority - b.priority);
    const firsts = KEYS.flatMap((id) => ordered.find(({ key }) => key.keyId === id) ?? []);
    const answers = await Promise.all(firsts.map(({ key, usage }) => gate.check(key, usage)));
    const isShort = ({ usage }: Waiting, { scope, meter, remaining }: LimitReading) =>
      scope === "project" && remaining < (meter === "inFlight" ? 1 : usage.inputTokens);
    return {
      withRoom: firsts.filter((_, i) => answers[i]?.admitted),
      isProjectShort: firsts.some((call, i) => answers[i]?.limits.some((limit) => isShort(call, limit))),
    };
  };

  const looks: Look[] = [];
  for (const one of steps) {
    if (one.does === "comes") come(one);
    else if (one.does === "ends") end(one.which);
    else go(one.which);
    if (!one.isLast) continue;
    await pass(20 * A_TURN_MS);
    if (open.length >= (maxInFlight ?? Number.POSITIVE_INFINITY)) continue;
    looks.push(await passing(look()));
  }
  await passing(queue.close());
  return looks;
}

/** What a promise comes to, for which time has to pass. */
async function passing<T>(promise: Promise<T>): Promise<T> {
  let isOver = false;
  promise.finally(() => {
    isOver = true;
  });
  while (!isOver) await pass(A_TURN_MS);
  return promise;
}

it("a call waits only while there is no room for it, or for one of another key, for want of a limit of both", async () => {
  let [short, held] = [0, 0];
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 30, maxLength: 40, size: "max" }),
      setup,
      async (steps, given) => {
        for (const { withRoom, isProjectShort } of await run(steps, given)) {
          if (!isProjectShort) expect(withRoom).toEqual([]);
          else if (withRoom.length > 0) held++;
          else short++;
        }
      },
    ),
    { numRuns: 60, endOnFailure: true }, // to make a counterexample smaller would take minutes
  );
  expect(short).toBeGreaterThan(50);
  expect(held).toBeGreaterThan(5);
});
