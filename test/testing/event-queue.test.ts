import fc from "fast-check";
import { expect, it } from "vitest";
import { EventQueue } from "../../src/testing/event-queue.js";

it("an event queue gives what is due earliest first, and of the same moment in the order it was added", () => {
  const steps = fc.array(
    fc.oneof(fc.record({ add: fc.nat(20) }), fc.record({ takeUntil: fc.integer({ min: -1, max: 21 }) })),
  );
  fc.assert(
    fc.property(steps, (steps) => {
      const queue = new EventQueue<number>();
      const expected: { at: number; value: number }[] = [];
      for (const [value, step] of steps.entries()) {
        if ("add" in step) {
          queue.add(step.add, value);
          expected.push({ at: step.add, value });
          expected.sort((a, b) => a.at - b.at); // stable
        } else {
          const due = expected[0] && expected[0].at <= step.takeUntil ? expected.shift() : undefined;
          const taken = queue.take(step.takeUntil);
          expect(taken && { at: taken.at, value: taken.value }).toEqual(due);
        }
        expect(queue.size).toBe(expected.length);
      }
    }),
    { numRuns: 500 },
  );
});
