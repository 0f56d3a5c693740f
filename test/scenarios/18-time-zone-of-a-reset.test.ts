import { describe, expect, it } from "vitest";
import { aChain, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, readingOf, refusedBy } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", costUsd: 1 };

/** Friday 15 May 2026, 10:00 in UTC, and the moments at which that day ends in each zone. */
const MORNING = Date.UTC(2026, 4, 15, 10);
const ENDS: readonly (readonly [timeZone: string, endsAt: string])[] = [
  ["UTC", "2026-05-16T00:00:00Z"],
  ["Asia/Shanghai", "2026-05-15T16:00:00Z"],
  ["Asia/Tokyo", "2026-05-15T15:00:00Z"],
  ["America/Los_Angeles", "2026-05-15T07:00:00Z"],
  ["Asia/Kathmandu", "2026-05-15T18:15:00Z"],
  ["Pacific/Kiritimati", "2026-05-15T10:00:00Z"],
  ["Pacific/Marquesas", "2026-05-15T09:30:00Z"],
];

const DAY_MS = 86_400_000;

describe.each(everyCounters)(
  "a daily budget in the org's time zone (litellm#34896, #37454), %s",
  (_, make) => {
    it.each(ENDS)(
      "of %s starts again at that zone's midnight, and not hours later",
      async (timeZone, listed) => {
        const { gate, clock } = world(
          aChain({ org: { timeZone }, key: { limits: { budget: { usd: 1, reset: "daily" } } } }),
          { counters: make() },
        );
        clock.at = MORNING;
        const listedAt = Date.parse(listed);
        const endsAt = listedAt > MORNING ? listedAt : listedAt + DAY_MS;

        passed(await gate.admit(KEY, CALL));
        const refusal = refusedBy(await gate.admit(KEY, CALL));
        expect(refusal).toMatchObject({ reason: "budget_exceeded", retryAfterMs: endsAt - MORNING });
        expect(refusal.limit?.resetsAt).toBe(endsAt);
        expect((await readingOf(gate, "cost")).resetsAt).toBe(endsAt);

        clock.at = endsAt - 1;
        expect(refusedBy(await gate.admit(KEY, CALL)).retryAfterMs).toBe(1);
        clock.at = endsAt;
        passed(await gate.admit(KEY, CALL));
        expect((await readingOf(gate, "cost")).resetsAt).toBe(endsAt + DAY_MS);
      },
    );

    it.each([
      ["weekly", "Asia/Tokyo", "2026-05-17T15:00:00Z"],
      ["monthly", "Asia/Tokyo", "2026-05-31T15:00:00Z"],
      ["weekly", "America/Los_Angeles", "2026-05-18T07:00:00Z"],
      ["monthly", "America/Los_Angeles", "2026-06-01T07:00:00Z"],
    ] as const)("that is %s instead, of %s, starts again at %s", async (reset, timeZone, end) => {
      const { gate, clock } = world(
        aChain({ org: { timeZone }, key: { limits: { budget: { usd: 1, reset } } } }),
        { counters: make() },
      );
      clock.at = MORNING;
      passed(await gate.admit(KEY, CALL));
      const endsAt = Date.parse(end);
      expect(refusedBy(await gate.admit(KEY, CALL)).retryAfterMs).toBe(endsAt - MORNING);
      clock.at = endsAt - 1;
      refusedBy(await gate.admit(KEY, CALL));
      clock.at = endsAt;
      passed(await gate.admit(KEY, CALL));
    });

    it("is that zone's at every scope, of the org, the project, the member and the key", async () => {
      const limits = { budget: { usd: 9, reset: "daily" as const } };
      const { gate, clock } = world(
        aChain({
          org: { timeZone: "Asia/Tokyo", limits },
          project: { limits },
          holder: { limits },
          key: { limits },
        }),
        { counters: make() },
      );
      clock.at = MORNING;
      const readings = await gate.usage({ orgId: "o1", keyId: "k1" });
      expect(readings.map(({ resetsAt }) => resetsAt)).toEqual(
        Array(4).fill(Date.parse("2026-05-15T15:00:00Z")),
      );
    });

    it("keeps what was spent today when the org moves to another zone in which it is still the same day", async () => {
      const chain = (timeZone: string) =>
        aChain({ org: { timeZone }, key: { limits: { budget: { usd: 1, reset: "daily" } } } });
      const { gate, clock, put } = world(chain("Asia/Tokyo"), { counters: make() });
      clock.at = MORNING;
      passed(await gate.admit(KEY, CALL));
      put(chain("UTC"));
      clock.at += 60_000;
      const refusal = refusedBy(await gate.admit(KEY, CALL));
      expect(refusal.limit).toMatchObject({
        usd: { used: 1 },
        resetsAt: Date.parse("2026-05-16T00:00:00Z"),
      });
    });

    it("is told with the whole wait after the org has moved west over a date and has spent the next day too", async () => {
      const chain = (timeZone: string) =>
        aChain({ org: { timeZone }, key: { limits: { budget: { usd: 1, reset: "daily" } } } });
      const { gate, clock, put } = world(chain("UTC"), { counters: make() });
      clock.at = MORNING;
      passed(await gate.admit(KEY, CALL));
      clock.at = Date.UTC(2026, 4, 16, 3);
      passed(await gate.admit(KEY, CALL));
      put(chain("America/Los_Angeles")); // where it is the evening of the 15th
      clock.at += 60_000;
      const endsAt = Date.parse("2026-05-17T07:00:00Z");
      const refusal = refusedBy(await gate.admit(KEY, CALL));
      expect(refusal).toMatchObject({ retryAfterMs: endsAt - clock.at, limit: { resetsAt: endsAt } });
      clock.at = endsAt - 1;
      expect(refusedBy(await gate.admit(KEY, CALL)).retryAfterMs).toBe(1);
      clock.at = endsAt;
      passed(await gate.admit(KEY, CALL));
    });
  },
);
