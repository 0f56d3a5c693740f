import { describe, expect, it } from "vitest";
import { limited, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, readingOf, refusedBy } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };

describe.each(everyCounters)(
  "the first call of a key with 1,000 tokens a minute (litellm#28805), %s",
  (_, make) => {
    const small = () => world(limited({ key: { tpm: 1_000, rpm: 10 } }), { counters: make() });

    it("that needs 1,034 is told that it is too large, with both numbers, and not to wait", async () => {
      const { gate, clock } = small();
      for (const laterMs of [0, 61_000, 86_400_000]) {
        clock.at += laterMs;
        const refusal = refusedBy(await gate.admit(KEY, { model: "gpt-4o", inputTokens: 10 }));
        expect(refusal.reason).toBe("too_large");
        expect(refusal.message).toContain("1000 tokens");
        expect(refusal.message).toContain("1034 tokens");
        expect("retryAfterMs" in refusal).toBe(false);
        expect(refusal.limit).toMatchObject({ scope: "key", meter: "tokens", max: 1_000, used: 0 });
      }
      expect(await readingOf(gate, "requests")).toMatchObject({ used: 0 });
    });

    it("that fits passes at once, up to the last token", async () => {
      const { gate } = small();
      passed(await gate.admit(KEY, { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 990 }));
    });
  },
);
