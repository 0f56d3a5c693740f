import fc from "fast-check";
import type { Counters, Reservation } from "tollgate";
import { ConflictError } from "tollgate";
import { describe, expect, it } from "vitest";
import { limited, world } from "../gate/world.js";
import { counterAdapters, isSlow } from "./adapters.js";
import { readingOf } from "./answers.js";

const everyCounters = await counterAdapters();

const BUDGET_USD = 10;
const BUDGET = BUDGET_USD * 1e9;

const cents = fc.integer({ min: 0, max: 300 });

/** One call from its admission to its end, as one of many tasks that run at the same time. */
const task = fc.record({
  estimate: cents,
  more: fc.option(cents),
  end: fc.constantFrom("settle", "release", "crash"),
  /** Share of the estimate that was really used; above 1 it is an overdraft. */
  share: fc.constantFrom(0, 0.25, 1, 1.5),
  twice: fc.boolean(),
});
type Task = typeof task extends fc.Arbitrary<infer T> ? T : never;

/** Counters whose every step waits its turn on the way there and on the way back; `after` looks at what a step did. */
function delayed(counters: Counters, scheduler: fc.Scheduler, after: () => Promise<void>): Counters {
  const turn = async <T>(name: string, step: () => Promise<T>): Promise<T> => {
    await scheduler.schedule(Promise.resolve(), `${name} sent`);
    const answer = await step();
    await after();
    return scheduler.schedule(Promise.resolve(answer), `${name} answered`);
  };
  return {
    inProcess: true,
    reserve: (request) => turn("reserve", () => counters.reserve(request)),
    settle: (request) => turn("settle", () => counters.settle(request)),
    read: (query) => counters.read(query),
    close: () => counters.close(),
  };
}

describe.each(everyCounters)("parallel calls against a session budget (litellm#34732), %s", (name, make) => {
  it("in any interleaving of admit, extend, settle and release charge at most the budget and what was recorded as overdraft", async () => {
    const shape = { refused: 0, overdrafts: 0, extended: 0 };
    const runs = isSlow(name) ? 20 : 300;
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(task, { minLength: 2, maxLength: 12 }),
        async (scheduler, tasks) => {
          /** What settles were told above what was reserved for their calls. */
          let surcharges = 0;
          const counters = delayed(make(), scheduler, async () => {
            const { used } = await readingOf(gate, "cost", "project");
            expect(used).toBeLessThanOrEqual(BUDGET + surcharges);
          });
          const { gate } = world(limited({ project: { budget: { usd: BUDGET_USD, reset: "never" } } }), {
            counters,
          });
          const key = { keyId: "k1" };
          /** What each call has been charged, by the answers of the gate. */
          const charged: number[] = tasks.map(() => 0);
          let overdraft = 0;

          const run = async ({ estimate, more, end, share, twice }: Task, i: number) => {
            const admission = await gate.admit(key, { model: "gpt-4o", costUsd: estimate / 100 });
            if (!admission.admitted) {
              shape.refused++;
              return;
            }
            let { reservation }: { reservation: Reservation } = admission;
            charged[i] = reservation.costNanoUsd;
            if (more !== null) {
              const extension = await gate.extend(reservation, { costUsd: more / 100 });
              if (extension.admitted) {
                reservation = extension.reservation;
                charged[i] = reservation.costNanoUsd;
                shape.extended++;
              }
            }
            if (end === "crash") return;
            const reserved = reservation.costNanoUsd;
            const actual = { costUsd: (reserved * share) / 1e9 };
            const finish = () =>
              end === "settle" ? gate.settle(reservation, actual) : gate.release(reservation);
            if (end === "settle") surcharges += Math.max(0, reserved * (share - 1));
            const answers = await Promise.all(twice ? [finish(), finish()] : [finish()]);
            expect(answers.filter((answer) => answer.settled)).toHaveLength(1);
            for (const answer of answers) {
              if (!answer.settled) {
                expect(answer.reason).toBe("already_settled");
                continue;
              }
              charged[i] = answer.charged.costNanoUsd;
              if (answer.overdraft.length > 0) {
                overdraft += Math.max(0, answer.charged.costNanoUsd - reserved);
                shape.overdrafts++;
              }
            }
          };
          await scheduler.waitFor(Promise.all(tasks.map(run)));
          const { used } = await readingOf(gate, "cost", "project");
          expect(used).toBe(charged.reduce((sum, one) => sum + one, 0));
          expect(used).toBeLessThanOrEqual(BUDGET + overdraft);
        },
      ),
      { numRuns: runs },
    );
    if (isSlow(name)) return; // too few runs to count on having met everything
    expect(shape.refused).toBeGreaterThan(50);
    expect(shape.overdrafts).toBeGreaterThan(5); // 45 on average, give or take 8
    expect(shape.extended).toBeGreaterThan(200);
  });

  it("cannot be extended by a call that was settled meanwhile", async () => {
    const { gate } = world(limited({ project: { budget: { usd: 1, reset: "never" } } }), {
      counters: make(),
    });
    const admission = await gate.admit({ keyId: "k1" }, { model: "gpt-4o", costUsd: 0.5 });
    if (!admission.admitted) throw new Error(admission.message);
    await gate.settle(admission.reservation, { costUsd: 0.25 });
    await expect(gate.extend(admission.reservation, { costUsd: 0.1 })).rejects.toThrow(ConflictError);
    expect(await readingOf(gate, "cost", "project")).toMatchObject({ used: 0.25e9 });
  });
});
