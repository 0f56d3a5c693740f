import { describe, expect, it } from "vitest";
import { limited, NOON, world } from "../gate/world.js";
import { counterAdapters, isSlow } from "./adapters.js";
import { passed, refusedBy } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };
const CALL = { model: "free" };
const HOUR_MS = 3_600_000;

describe.each(everyCounters)("a steady stream of requests (better-auth#6035), %s", (name, make) => {
  it("below the limit is never refused, as no request restarts the window", async () => {
    const { gate, clock } = world(limited({ key: { rpm: 3 } }), { counters: make() });
    for (; clock.at < NOON + HOUR_MS; clock.at += 21_000) passed(await gate.admit(KEY, CALL));
  });

  it("that is refused does not push back the moment at which it passes", async () => {
    const { gate, clock } = world(limited({ key: { rpm: 3 } }), { counters: make() });
    for (let i = 0; i < 3; i++) passed(await gate.admit(KEY, CALL));
    const passesAt = clock.at + (refusedBy(await gate.admit(KEY, CALL)).retryAfterMs ?? Number.NaN);
    for (clock.at += 1_000; clock.at < passesAt; clock.at += 1_000) {
      const refusal = refusedBy(await gate.admit(KEY, CALL));
      expect(clock.at + (refusal.retryAfterMs ?? Number.NaN)).toBe(passesAt);
    }
    clock.at = passesAt;
    passed(await gate.admit(KEY, CALL));
  });

  it.skipIf(isSlow(name))(
    "above the limit goes on at the rate of the limit, and is not shut out for good",
    async () => {
      const { gate, clock } = world(limited({ key: { rpm: 3 } }), { counters: make() });
      let admitted = 0;
      for (; clock.at < NOON + HOUR_MS; clock.at += 1_000) {
        if ((await gate.admit(KEY, CALL)).admitted) admitted++;
      }
      expect(admitted).toBeLessThanOrEqual(3 * 60);
      // The window reaches back one sixtieth further than a minute, so a full bucket comes every 61 seconds.
      expect(admitted).toBeGreaterThanOrEqual(3 * Math.floor(3_600 / 61));
    },
  );

  it("does not move the end of a budget's month", async () => {
    const { gate, clock } = world(limited({ key: { budget: { usd: 1_000, reset: "monthly" } } }), {
      counters: make(),
    });
    for (let day = 0; day < 16; day++, clock.at += 86_400_000) {
      const { limits } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
      expect(limits.map(({ resetsAt }) => resetsAt)).toEqual([Date.UTC(2026, 5, 1)]);
    }
  });
});
