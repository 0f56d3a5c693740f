import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Count, createCount } from "../../src/admission/count.js";
import type { Limit } from "../../src/admission/limit.js";
import { LimitShape } from "../../src/admission/limit-shape.js";
import { Calendar } from "../../src/admission/period.js";
import { Plan } from "../../src/admission/plan.js";
import { ScopeCounts } from "../../src/counters/scope-counts.js";
import { charge, clockStep, limitsAt, START } from "./limits.js";

const HOUR = 3_600_000;
const SCOPES = 4;

/** The limits of one scope. A call names some of them, so that scopes get their counts one after the other, in any order. */
const limitsOf = (scope: number) =>
  limitsAt(
    "key",
    {
      rpm: 50,
      tpd: 50,
      inFlight: 50,
      budget: [
        { usd: 1, reset: "daily" },
        { usd: 1, reset: "never" },
      ],
    },
    `key${scope}`,
  );

function planOf(limits: readonly (readonly Limit[])[], shape?: LimitShape): Plan {
  return new Plan(true, undefined, limits.flat(), shape ?? new LimitShape(limits.flat(), new Calendar()));
}

const step = fc.record({
  skipMs: fc.oneof({ weight: 4, arbitrary: clockStep }, fc.constantFrom(3 * HOUR, 60 * HOUR)),
  scope: fc.nat(SCOPES - 1),
  limit: fc.oneof({ weight: 3, arbitrary: fc.nat(1) }, fc.nat(4)), // the first two often: those of the plans
  amount: fc.nat(9),
  actual: fc.nat(9),
  settles: fc.boolean(),
});

describe("counts of scopes", () => {
  it("law: each is as if it were alone, whatever is made, moved and forgotten beside it", () => {
    let located = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 120 }), (steps) => {
        const counts = new ScopeCounts();
        const alone = new Map<Limit, Count>();
        const limits = Array.from({ length: SCOPES }, (_, scope) => limitsOf(scope));
        // Of two limits of two scopes, so that they are often found, and often forgotten meanwhile.
        const shape = planOf(limits.slice(0, 2).map((ofScope) => ofScope.slice(0, 2))).shape;
        const plans = Array.from({ length: SCOPES - 1 }, (_, scope) =>
          planOf(
            limits.slice(scope, scope + 2).map((ofScope) => ofScope.slice(0, 2)),
            shape,
          ),
        );
        let now = START;
        for (const { skipMs, scope, limit: which, amount, actual, settles } of steps) {
          now += Math.max(0, skipMs); // whoever asks clamps the clock
          const limit = limits[scope]?.[which] as Limit; // sound: each scope has five
          const { period } = charge(limit, amount, now);
          const part = { at: now, expiresAt: now + HOUR };
          const model = alone.get(limit) ?? createCount(limit.window);
          alone.set(limit, model);
          expect(counts.obtain(limit, now).add(amount, part, period)).toBe(model.add(amount, part, period));
          if (settles) {
            const corrected = counts.obtain(limit, now).correct(actual - amount, part, now, period);
            expect(corrected).toBe(model.correct(actual - amount, part, now, period));
          }
          for (const [other, count] of alone) {
            const { period } = charge(other, 0, now);
            // What is forgotten is what says nothing any more.
            expect(counts.find(other)?.used(now, period) ?? 0).toBe(count.used(now, period));
          }
          for (const plan of plans) {
            const found = plan.limits.map((limit) => counts.find(limit));
            expect(counts.locate(plan)).toBe(!found.includes(undefined));
            if (!counts.locate(plan)) continue;
            located++;
            const periods = plan.shape.periodsAt(now);
            const told = plan.places.kinds.map((kind, i) =>
              kind.used(counts.cells, plan.address(plan.places, i), now, periods[i]),
            );
            expect(told).toEqual(found.map((count, i) => count?.used(now, periods[i])));
          }
        }
      }),
    );
    expect(located).toBeGreaterThan(100);
  });

  it("are not taken for those that a plan has found where others are by now", () => {
    const counts = new ScopeCounts();
    const rpmOf = (scope: number) => limitsOf(scope)[0] as Limit; // sound: it has five
    const plan = planOf([[rpmOf(0)]]);
    const add = (scope: number, amount: number, at: number) =>
      counts.obtain(rpmOf(scope), at).add(amount, { at, expiresAt: at + HOUR });
    add(0, 3, START);
    expect(counts.locate(plan)).toBe(true);
    const was = plan.address(plan.places, 0);

    add(1, 5, START + HOUR); // looks at the first, which counts no more, and takes its block
    expect(counts.locate(plan)).toBe(false);
    const other = planOf([[rpmOf(1)]]);
    expect(counts.locate(other)).toBe(true);
    expect(other.address(other.places, 0)).toBe(was);

    add(0, 4, START + HOUR);
    expect(counts.locate(plan)).toBe(true);
    expect(plan.address(plan.places, 0)).not.toBe(was);
    expect(counts.locate(other)).toBe(true);
    expect(other.address(other.places, 0)).toBe(was);
  });

  it("are not taken for those that a plan has found elsewhere", () => {
    const plan = planOf([limitsOf(0).slice(0, 1)]);
    const [rpm] = plan.limits as [Limit];
    const part = { at: START, expiresAt: START + HOUR };
    const [ours, theirs] = [new ScopeCounts(), new ScopeCounts()];
    theirs.obtain(rpm, START).add(3, part);
    expect(theirs.locate(plan)).toBe(true);
    expect(ours.locate(plan)).toBe(false);
  });

  it("tell a plan where its counts are, anew once a block was given back", () => {
    const counts = new ScopeCounts();
    const limits = limitsOf(0).slice(0, 2);
    const shape = new LimitShape(limits, new Calendar());
    const plan = new Plan(true, undefined, limits, shape);
    const part = { at: START, expiresAt: START + HOUR };
    const [rpm, tpd] = limits as [Limit, Limit]; // sound: sliced to two

    counts.obtain(rpm, START).add(3, part);
    expect(counts.locate(plan)).toBe(false); // one of them has counted nothing
    counts.obtain(tpd, START).add(4, part);
    expect(counts.locate(plan)).toBe(true);
    const { epoch } = plan;
    const addresses = () => plan.limits.map((_, i) => plan.address(plan.places, i));
    const before = addresses();
    const used = () =>
      plan.places.kinds.map((kind, i) =>
        kind.used(counts.cells, plan.address(plan.places, i), START, undefined),
      );
    expect(used()).toEqual([3, 4]);

    const [inFlight, daily] = limitsOf(0).slice(2) as [Limit, Limit];
    counts.obtain(inFlight, START); // in its place: nothing lies behind the block
    expect(counts.locate(plan)).toBe(true);
    expect(plan.epoch).toBe(epoch);
    const { period } = charge(daily, 1, START);
    for (const limit of limitsOf(1)) counts.obtain(limit, START).add(1, part, charge(limit, 1, START).period);
    counts.obtain(daily, START).add(1, part, period); // the scope moves to a larger block
    expect(counts.locate(plan)).toBe(true);
    expect(plan.epoch).not.toBe(epoch);
    expect(used()).toEqual([3, 4]);
    expect(addresses()).not.toEqual(before);
  });

  it("of plans of one shape share the list of their kinds", () => {
    const counts = new ScopeCounts();
    const shape = new LimitShape(limitsOf(0), new Calendar());
    const plans = [0, 1].map((scope) => {
      for (const limit of limitsOf(scope)) {
        const { period } = charge(limit, 1, START);
        counts.obtain(limit, START).add(1, { at: START, expiresAt: START + HOUR }, period);
      }
      return new Plan(true, undefined, limitsOf(scope), shape);
    });
    for (const plan of plans) expect(counts.locate(plan)).toBe(true);
    expect(plans[1]?.places.kinds).toHaveLength(5);
    expect(plans[1]?.places).toBe(plans[0]?.places);
  });

  it("of plans of one shape are each in their own scopes, also at the same places there", () => {
    const counts = new ScopeCounts();
    const part = { at: START, expiresAt: START + HOUR };
    const [one, two, three] = [0, 1, 2].map(limitsOf) as [Limit[], Limit[], Limit[]]; // sound: of three
    const [a, b, c] = [0, 1, 2] as const;
    const listed = (...of: [scope: Limit[], field: 0 | 1 | 2][]) => of.map(([scope, i]) => scope[i] as Limit); // sound: each has five
    // In each scope one or two counts, so that the third limits of both plans are the second of a scope.
    const counted = listed([one, a], [two, b], [two, c], [three, b], [three, c]);
    for (const [i, limit] of counted.entries()) counts.obtain(limit, START).add(i + 1, part);
    const shape = planOf([listed([one, a], [two, b], [two, c])]).shape;
    for (const limits of [listed([one, a], [two, b], [two, c]), listed([one, a], [two, b], [three, c])]) {
      const plan = planOf([limits], shape);
      expect(counts.locate(plan)).toBe(true);
      const used = plan.places.kinds.map((kind, i) =>
        kind.used(counts.cells, plan.address(plan.places, i), START, undefined),
      );
      expect(used).toEqual(limits.map((limit) => counts.find(limit)?.used(START)));
    }
  });

  it("of a call are made all at once in each scope, so that none has to move", () => {
    const counts = new ScopeCounts();
    const [one, two] = [limitsOf(0), limitsOf(1)] as [Limit[], Limit[]];
    const charges = [...one, ...two].map((limit) => charge(limit, 1, START));
    counts.obtain(one[0] as Limit, START, charges); // sound: each has five
    expect(one.map((limit) => counts.find(limit) !== undefined)).toEqual(Array(5).fill(true));
    expect(two.map((limit) => counts.find(limit) !== undefined)).toEqual(Array(5).fill(false));
  });

  it("of more scopes than a plan has room for are not told to it", () => {
    const counts = new ScopeCounts();
    const scopes = [0, 1, 2, 3, 4].map((scope) => limitsOf(scope).slice(0, 1));
    const part = { at: START, expiresAt: START + HOUR };
    for (const limit of scopes.flat()) counts.obtain(limit, START).add(1, part);
    expect(counts.locate(planOf(scopes.slice(0, 4)))).toBe(true);
    expect(counts.locate(planOf(scopes))).toBe(false);
  });

  it("give back the lists of what they forget", () => {
    const counts = new ScopeCounts();
    const latest = () => {
      const handle = counts.cells.takeList([]);
      counts.cells.giveBackList(handle);
      return handle;
    };
    const handles = Array.from({ length: 20 }, (_, round) => {
      const now = START + round * 60 * HOUR;
      // Without the last: what never starts again is never forgotten.
      for (const limit of limitsOf(round).slice(0, -1)) {
        for (const at of [now, now + 1_440_000]) {
          const { period } = charge(limit, 1, at);
          counts.obtain(limit, at).add(1, { at, expiresAt: at + HOUR }, period);
        }
      }
      return latest();
    });
    expect(handles.at(-1)).toBeLessThan(20);
  });

  it("law: of scopes that come and go, some of them growing, the room is for those that are there", () => {
    const some = fc.uniqueArray(fc.nat(3), { minLength: 1 }); // without the last of the limits, which never starts again
    fc.assert(
      fc.property(fc.array(fc.tuple(some, some), { minLength: 1, maxLength: 4 }), (kinds) => {
        const counts = new ScopeCounts();
        let made = 0;
        const round = (now: number) => {
          for (const calls of kinds) {
            const limits = limitsOf(++made);
            for (const call of calls) {
              const charges = call.map((i) => charge(limits[i] as Limit, 1, now)); // sound: there are five
              for (const { limit, period } of charges)
                counts.obtain(limit, now, charges).add(1, { at: now, expiresAt: now + HOUR }, period);
            }
          }
        };
        const sizes = Array.from({ length: 60 }, (_, i) => {
          round(START + i * 60 * HOUR);
          return counts.cells.numbers.length;
        });
        expect(sizes.at(-1)).toBe(sizes.at(20));
      }),
    );
  });

  it("count as their own limit says, whatever another scope was told of a field of that name", () => {
    const counts = new ScopeCounts();
    const [rpm, , inFlight] = limitsOf(0) as [Limit, Limit, Limit];
    const part = { at: START, expiresAt: START + HOUR };
    counts.obtain({ ...inFlight, field: rpm.field }, START).add(1, part); // of a reservation that came as JSON
    const [other] = limitsOf(1) as [Limit];
    counts.obtain(other, START).add(1, part);
    expect(counts.find(other)?.emptyAt(START)).toBeLessThan(START + 62_000);
  });
});
