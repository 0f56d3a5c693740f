import { describe, expect, it } from "vitest";
import { limited, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, readingOf, refusedBy, settled } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };

describe.each(everyCounters)(
  "five calls at once against 100 tokens a minute (litellm#18730), %s",
  (_, make) => {
    it("are admitted up to 100 tokens and no further", async () => {
      const { gate } = world(limited({ key: { tpm: 100 } }), { counters: make() });
      const call = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 20 };
      const answers = await Promise.all(Array.from({ length: 5 }, () => gate.admit(KEY, call)));
      expect(answers.filter(({ admitted }) => admitted)).toHaveLength(3);
      for (const answer of answers) if (!answer.admitted) expect(answer.reason).toBe("rate_limited");
      expect(await readingOf(gate, "tokens")).toMatchObject({ used: 90, remaining: 10 });
    });

    it("do not pass at all when they need the 663 tokens of the report: each alone is too large", async () => {
      const { gate } = world(limited({ key: { tpm: 100 } }), { counters: make() });
      const needs = [133, 133, 133, 132, 132];
      const answers = await Promise.all(
        needs.map((tokens) =>
          gate.admit(KEY, { model: "gpt-4o", inputTokens: 33, maxOutputTokens: tokens - 33 }),
        ),
      );
      expect(answers.map((answer) => refusedBy(answer).reason)).toEqual(Array(5).fill("too_large"));
      expect(await readingOf(gate, "tokens")).toMatchObject({ used: 0 });
    });

    it("that turn out to have used 663 tokens keep out every later call until the minute has moved on", async () => {
      const { gate, clock } = world(limited({ key: { tpm: 100 } }), { counters: make() });
      const call = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10 };
      const admissions = await Promise.all(Array.from({ length: 5 }, () => gate.admit(KEY, call)));
      const actual = [133, 133, 133, 132, 132];
      const settlements = await Promise.all(
        admissions.map((admission, i) =>
          gate.settle(passed(admission).reservation, {
            inputTokens: 33,
            outputTokens: (actual[i] ?? Number.NaN) - 33,
          }),
        ),
      );
      expect(settlements.map((one) => settled(one).charged.tokens)).toEqual(actual);
      expect(await readingOf(gate, "tokens")).toMatchObject({ used: 663, remaining: 0 });

      const one = { model: "gpt-4o", inputTokens: 1, maxOutputTokens: 0 };
      const { reason, retryAfterMs } = refusedBy(await gate.admit(KEY, one));
      expect(reason).toBe("rate_limited");
      clock.at += (retryAfterMs ?? Number.NaN) - 1;
      refusedBy(await gate.admit(KEY, one));
      clock.at += 1;
      passed(await gate.admit(KEY, one));
    });
  },
);
