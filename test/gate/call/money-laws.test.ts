import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Admission } from "../../../src/gate/call/admission.js";
import type { Reservation } from "../../../src/gate/call/reservation.js";
import type { Settlement } from "../../../src/gate/call/settlement.js";
import type { Budget, Limits } from "../../../src/model/limits.js";
import { limited, world } from "../world.js";

/** Budgets of a few nano-dollars, so that they are reached; costs are given, so that the arithmetic is plain. */
const usd = (nano: number) => `0.${String(nano).padStart(9, "0")}`;

const budgetSet = fc.record({
  org: fc.integer({ min: 20, max: 90 }),
  project: fc.integer({ min: 10, max: 90 }),
  member: fc.integer({ min: 10, max: 90 }),
  key: fc.integer({ min: 5, max: 90 }),
});

type Op =
  | { op: "admit"; cost: number; requestId: number | null }
  | { op: "settle"; pick: number; cost: number; again: boolean }
  | { op: "release"; pick: number }
  | { op: "extend"; pick: number; cost: number };

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant("admit" as const),
      cost: fc.nat(40),
      requestId: fc.option(fc.nat(3), { freq: 2 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("settle" as const),
      pick: fc.nat(),
      cost: fc.nat(60),
      again: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("release" as const), pick: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("extend" as const), pick: fc.nat(), cost: fc.nat(20) }),
  },
);

const SCOPES = ["org", "project", "member", "key"] as const;

const monthly = (nano: number): Limits => ({ budget: { usd: usd(nano), reset: "monthly" } satisfies Budget });

describe("budgets", () => {
  it("the sum of what is charged never passes a budget except by recorded overdraft, in any interleaving", async () => {
    await fc.assert(
      fc.asyncProperty(
        budgetSet,
        fc.array(fc.array(op, { maxLength: 6 }), { maxLength: 12 }),
        async (max, rounds) => {
          const { gate } = world(
            limited({
              org: monthly(max.org),
              project: monthly(max.project),
              member: monthly(max.member),
              key: monthly(max.key),
            }),
          );
          const key = { keyId: "k1" };
          // What every open reservation holds, and what every closed one came to.
          const open = new Map<string, { held: number; latest: Reservation }>();
          let settledSum = 0;
          // The most that an overdraft has told of each scope.
          const overdrawn: Record<string, number> = {};

          const admitOne = async ({ cost, requestId }: Extract<Op, { op: "admit" }>) => {
            const usage = { model: "gpt-4o", inputTokens: 0, costUsd: usd(cost) };
            let admission: Admission;
            try {
              admission = await gate.admit(
                key,
                requestId === null ? usage : { ...usage, requestId: `q${requestId}` },
              );
            } catch (error) {
              expect(error).toMatchObject({ code: "conflict" });
              return;
            }
            if (!admission.admitted) return;
            const { reservation } = admission;
            const known = open.get(reservation.id);
            if (known) expect(requestId).not.toBeNull();
            else open.set(reservation.id, { held: cost, latest: reservation });
          };

          const closeOne = async (pick: number, close: (r: Reservation) => Promise<Settlement>) => {
            const [id, found] = [...open][pick % Math.max(1, open.size)] ?? [];
            if (id === undefined || found === undefined) return;
            open.delete(id);
            const settlement = await close(found.latest);
            if (!settlement.settled) throw new Error(settlement.reason);
            settledSum += settlement.charged.costNanoUsd;
            for (const { scope, used } of settlement.overdraft)
              overdrawn[scope] = Math.max(used, overdrawn[scope] ?? 0);
          };

          const run = async (one: Op) => {
            if (one.op === "admit") return admitOne(one);
            if (one.op === "extend") {
              const [id, found] = [...open][one.pick % Math.max(1, open.size)] ?? [];
              if (id === undefined || found === undefined || one.cost === 0) return;
              const more = await gate.extend(found.latest, { costUsd: usd(one.cost) });
              if (more.admitted) open.set(id, { held: found.held + one.cost, latest: more.reservation });
              return;
            }
            return closeOne(one.pick, async (reservation) => {
              if (one.op === "release") {
                const released = await gate.release(reservation);
                expect(released).toMatchObject({ settled: true, charged: { costNanoUsd: 0 }, overdraft: [] });
                return released;
              }
              const actual = { costUsd: usd(one.cost) };
              const [first, second] = await Promise.all([
                gate.settle(reservation, actual),
                one.again ? gate.settle(JSON.stringify(reservation), { costUsd: usd(59) }) : undefined,
              ]);
              expect(first).toMatchObject({ settled: true, charged: { costNanoUsd: one.cost } });
              if (second) expect(second).toEqual({ settled: false, reason: "already_settled" });
              return first;
            });
          };

          for (const round of rounds) {
            // Admits of one round run at the same time; the rest picks from what is open, one after the other.
            await Promise.all(round.filter((one) => one.op === "admit").map(run));
            for (const one of round.filter((other) => other.op !== "admit")) await run(one);

            const held = [...open.values()].reduce((sum, one) => sum + one.held, 0);
            const readings = await gate.usage({ orgId: "o1", keyId: "k1" });
            expect(readings.map(({ scope }) => scope)).toEqual(SCOPES);
            for (const { scope, used } of readings) {
              expect(used).toBe(settledSum + held);
              expect(used).toBeLessThanOrEqual(Math.max(max[scope], overdrawn[scope] ?? 0));
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("settle twice is settle once: the second changes nothing, whatever it says", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(50), fc.nat(50), fc.nat(50), async (reserved, first, second) => {
        const { gate } = world(limited({ key: monthly(60) }));
        const usage = { model: "gpt-4o", inputTokens: 0, costUsd: usd(reserved) };
        const admission = await gate.admit({ keyId: "k1" }, usage);
        if (!admission.admitted) throw new Error("below the max");
        await gate.settle(admission.reservation, { costUsd: usd(first) });
        const after = await gate.usage({ orgId: "o1", keyId: "k1" });
        const answer = await gate.settle(admission.reservation, { costUsd: usd(second) });
        expect(answer).toEqual({ settled: false, reason: "already_settled" });
        expect(await gate.release(admission.reservation)).toEqual({
          settled: false,
          reason: "already_settled",
        });
        expect(await gate.usage({ orgId: "o1", keyId: "k1" })).toEqual(after);
        expect(after).toMatchObject([{ used: first }]);
      }),
    );
  });

  it("the same requestId of the same key charges once while it is open, and is judged afresh after", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 12 }),
        async (times, cost) => {
          const { gate } = world(limited({ key: { ...monthly(100), rpm: 50 } }));
          const usage = { model: "gpt-4o", inputTokens: 0, costUsd: usd(cost), requestId: "same" };
          const answers = await Promise.all(
            Array.from({ length: times }, () => gate.admit({ keyId: "k1" }, usage)),
          );
          const ids = new Set(answers.map((one) => one.admitted && one.reservation.id));
          expect(ids.size).toBe(1);
          expect(await gate.usage({ orgId: "o1", keyId: "k1" })).toMatchObject([{ used: 1 }, { used: cost }]);
          const [first] = answers;
          if (!first?.admitted) throw new Error("below the max");
          await gate.settle(first.reservation, {});
          const afresh = await gate.admit({ keyId: "k1" }, usage);
          expect(afresh.admitted && afresh.reservation.id).not.toBe(first.reservation.id);
          expect(await gate.usage({ orgId: "o1", keyId: "k1" })).toMatchObject([
            { used: 2 },
            { used: 2 * cost },
          ]);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("a requestId used again with other usage is a ConflictError and charges nothing", async () => {
    const { gate } = world(limited({ key: monthly(100) }));
    const usage = { model: "gpt-4o", inputTokens: 0, costUsd: usd(10), requestId: "same" };
    await gate.admit({ keyId: "k1" }, usage);
    await expect(gate.admit({ keyId: "k1" }, { ...usage, costUsd: usd(11) })).rejects.toMatchObject({
      code: "conflict",
    });
    expect(await gate.usage({ orgId: "o1", keyId: "k1" })).toMatchObject([{ used: 10 }]);
  });
});
