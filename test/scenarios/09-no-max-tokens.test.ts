import fc from "fast-check";
import { modelMax, priceCatalog } from "tollgate";
import { describe, expect, it } from "vitest";
import { limited, world } from "../gate/world.js";
import { counterAdapters, isSlow } from "./adapters.js";
import { passed, readingOf } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 500 };

describe.each(everyCounters)("a call that names no max_tokens (litellm PR 27509), %s", (name, make) => {
  it("reserves 1024 output tokens, so that six of them run beside each other in 10,000 a minute", async () => {
    const { gate } = world(limited({ key: { tpm: 10_000 } }), { counters: make() });
    const answers = await Promise.all(Array.from({ length: 6 }, () => gate.admit(KEY, CALL)));
    expect(answers.map((answer) => passed(answer).reservation.outputTokens)).toEqual(Array(6).fill(1024));
    expect(await readingOf(gate, "tokens")).toMatchObject({ used: 6 * 1524 });
  });

  it("never reserves all that is left: what it reserves does not depend on what is left", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2_000, max: 1e9 }), fc.nat(1e9), async (tpm, spent) => {
        const { gate } = world(limited({ key: { tpm, budget: { usd: 9, reset: "daily" } } }), {
          counters: make(),
        });
        const before = Math.min(spent, tpm - 1_524);
        passed(await gate.admit(KEY, { model: "free", inputTokens: before, maxOutputTokens: 0 }));
        const { reservation } = passed(await gate.admit(KEY, CALL));
        expect(reservation.outputTokens).toBe(1024);
        expect(await readingOf(gate, "tokens")).toMatchObject({ used: before + 1_524 });
        expect(await readingOf(gate, "cost")).toMatchObject({ used: 500 * 2_500 + 1_024 * 10_000 });
      }),
      { numRuns: isSlow(name) ? 20 : 100 },
    );
  });

  it("reserves what the gate's own estimator says, such as the most the model puts out", async () => {
    const prices = priceCatalog.of({
      "gpt-4o": { inputUsdPerMillion: 2.5, outputUsdPerMillion: 10, maxOutputTokens: 16_384 },
    });
    const { gate } = world(limited({ key: { tpm: 100_000 } }), {
      counters: make(),
      prices,
      estimate: modelMax(prices),
    });
    passed(await gate.admit(KEY, CALL));
    expect(await readingOf(gate, "tokens")).toMatchObject({ used: 500 + 16_384 });
  });
});
