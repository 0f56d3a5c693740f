import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limited, world } from "../gate/world.js";
import { counterAdapters, isSlow } from "./adapters.js";
import { passed, readingOf, refusedBy } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };

describe.each(everyCounters)("a sum of many small costs (litellm#36592), %s", (name, make) => {
  const budgeted = (usd: number | string) =>
    world(limited({ key: { budget: { usd, reset: "never" } } }), { counters: make() }).gate;

  it("of eleven calls at 0.00005 USD reads 0.00055, as the sum of their floats does not", async () => {
    expect(
      Array<number>(11)
        .fill(0.00005)
        .reduce((sum, one) => sum + one),
    ).not.toBe(0.00055);
    const gate = budgeted(1);
    for (let i = 0; i < 11; i++) passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.00005 }));
    expect((await readingOf(gate, "cost")).usd).toEqual({ max: 1, used: 0.00055, remaining: 0.99945 });
  });

  it("fills a budget to the last billionth of a dollar, and not one further", async () => {
    const gate = budgeted("0.3");
    for (let i = 0; i < 3; i++) passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.1 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 300_000_000, remaining: 0 });
    refusedBy(await gate.admit(KEY, { model: "gpt-4o", costUsd: "0.000000001" }));
  });

  it("is exact for any costs in nano-dollars, reserved, corrected and given back in any order", async () => {
    const nano = fc.integer({ min: 0, max: 3_000_000_000 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ reserved: nano, actual: fc.option(nano) }), { maxLength: 30 }),
        async (calls) => {
          const gate = budgeted(9_000_000);
          const usd = (amount: number) =>
            `${Math.floor(amount / 1e9)}.${String(amount % 1e9).padStart(9, "0")}`;
          await Promise.all(
            calls.map(async ({ reserved, actual }) => {
              const { reservation } = passed(
                await gate.admit(KEY, { model: "gpt-4o", costUsd: usd(reserved) }),
              );
              if (actual !== null) await gate.settle(reservation, { costUsd: usd(actual) });
            }),
          );
          const sum = calls.reduce((total, { reserved, actual }) => total + (actual ?? reserved), 0);
          expect(await readingOf(gate, "cost")).toMatchObject({ used: sum });
        },
      ),
      { numRuns: isSlow(name) ? 20 : 100 },
    );
  });

  it("does not lose a nano-dollar beside the largest budget there is", async () => {
    const gate = budgeted(9_000_000);
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: "8999999.999999999" }));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 8_999_999_999_999_999, remaining: 1 });
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: "0.000000001" }));
    refusedBy(await gate.admit(KEY, { model: "gpt-4o", costUsd: "0.000000001" }));
  });
});
