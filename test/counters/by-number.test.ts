import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByNumber } from "../../src/counters/by-number.js";

describe("values by number", () => {
  it("law: are found as in a Map, however many there are and whichever of them stay", () => {
    const step = fc.record({
      added: fc.nat({ max: 90 }),
      deleted: fc.array(fc.nat({ max: 400 }), { maxLength: 90 }),
      // As in a process in which nearly every call ends soon: the few that go on are in the way of later ones.
      leftOver: fc.option(fc.array(fc.nat({ max: 90 }), { maxLength: 4 })),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const kept = new ByNumber<{ number: number }>();
        const model = new Map<number, { number: number }>();
        let last = 0;
        for (const { added, deleted, leftOver } of steps) {
          for (let i = 0; i < added; i++) {
            const value = { number: ++last };
            kept.add(value);
            model.set(last, value);
          }
          const ended = leftOver
            ? [...model.keys()].filter((number) => number > last - 400 && !leftOver.includes(number % 91))
            : deleted.map((back) => last - back);
          for (const number of ended) {
            kept.delete(number);
            model.delete(number);
          }
          expect(kept.size).toBe(model.size);
          for (let number = 0; number <= last + 1; number++) expect(kept.get(number)).toBe(model.get(number));
          const [first] = model.keys();
          for (const from of [1, Math.ceil((first ?? last) / 2), first ?? last + 1]) {
            expect(kept.first(from, last)?.number).toBe(first);
          }
        }
      }),
    );
  });

  it("have a first one, also where thousands of numbers before it are gone and others took its place", () => {
    const kept = new ByNumber<{ number: number }>();
    for (let number = 1; number <= 9_000; number++) {
      kept.add({ number });
      if (number !== 4_000 && number !== 4_001 && number !== 8_999) kept.delete(number);
    }
    expect(kept.first(1, 9_000)?.number).toBe(4_000);
    kept.delete(4_000);
    expect(kept.first(1, 9_000)?.number).toBe(4_001);
    kept.delete(4_001);
    expect(kept.first(1, 9_000)?.number).toBe(8_999);
    kept.delete(8_999);
    expect(kept.first(1, 9_000)).toBeUndefined();
  });
});
