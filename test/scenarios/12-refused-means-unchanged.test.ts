import { describe, expect, it } from "vitest";
import { limited, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, readingOf, refusedBy } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };

describe.each(everyCounters)("a refused call, %s", (_, make) => {
  it("for parallelism uses up no requests per minute (litellm#39309)", async () => {
    const { gate } = world(limited({ key: { rpm: 4, inFlight: 1 } }), { counters: make() });
    const first = passed(await gate.admit(KEY, { model: "free" }));
    const answers = await Promise.all(Array.from({ length: 50 }, () => gate.admit(KEY, { model: "free" })));
    expect(new Set(answers.map((one) => refusedBy(one).reason))).toEqual(new Set(["in_flight_limited"]));
    expect(await readingOf(gate, "requests")).toMatchObject({ used: 1 });

    await gate.settle(first.reservation, {});
    for (let i = 0; i < 3; i++) {
      const { reservation } = passed(await gate.admit(KEY, { model: "free" }));
      await gate.settle(reservation, {});
    }
    expect(refusedBy(await gate.admit(KEY, { model: "free" })).reason).toBe("rate_limited");
  });

  it("that was heavy does not drain the bucket for light ones (upstash/ratelimit PR 156)", async () => {
    const { gate } = world(limited({ key: { tpm: 100 } }), { counters: make() });
    const call = (tokens: number) =>
      gate.admit(KEY, { model: "free", inputTokens: tokens, maxOutputTokens: 0 });
    passed(await call(60));
    const heavy = await Promise.all(Array.from({ length: 20 }, () => call(50)));
    for (const answer of heavy) expect(refusedBy(answer).reason).toBe("rate_limited");
    expect(await readingOf(gate, "tokens")).toMatchObject({ used: 60 });
    passed(await call(40));
  });

  it("for one limit is charged to none of the others, at any scope", async () => {
    const { gate } = world(
      limited({
        org: { rpm: 10, budget: { usd: 1, reset: "monthly" } },
        project: { tpm: 10_000 },
        member: { rpd: 100 },
        key: { budget: { usd: 0.001, reset: "never" } },
      }),
      { counters: make() },
    );
    const before = await gate.usage({ orgId: "o1", keyId: "k1" });
    const call = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 1_000 };
    expect(refusedBy(await gate.admit(KEY, call)).reason).toBe("too_large");
    expect(await gate.usage({ orgId: "o1", keyId: "k1" })).toEqual(before);
    expect(before.map(({ used }) => used)).toEqual([0, 0, 0, 0, 0]);
  });
});
