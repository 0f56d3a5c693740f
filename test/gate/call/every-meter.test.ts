import type { Limits, Meter } from "tollgate";
import { describe, expect, it } from "vitest";
import { passed, readingOf, settled } from "../../scenarios/answers.js";
import { limited, world } from "../world.js";

/** A call that uses something of every meter, and really used something else of each that a settle corrects. */
const CALL = { model: "gpt-4o", inputTokens: 20, maxOutputTokens: 10, costUsd: "0.000000030" };
const ACTUAL = { inputTokens: 5, outputTokens: 2, costUsd: "0.000000007" };

/** A limit on each meter, what the call reserves of it, and what is left of that when it is settled. */
const METERS: Readonly<Record<Meter, readonly [limits: Limits, reserved: number, charged: number]>> = {
  requests: [{ rpm: 9 }, 1, 1],
  tokens: [{ tpm: 99 }, 30, 7],
  inputTokens: [{ inputTpm: 99 }, 20, 5],
  outputTokens: [{ outputTpm: 99 }, 10, 2],
  cost: [{ budget: { usd: 1, reset: "daily" } }, 30, 7],
  inFlight: [{ inFlight: 9 }, 1, 0],
};

const meters = Object.entries(METERS) as [Meter, (typeof METERS)[Meter]][]; // sound: its keys are the meters

describe.each(meters)("the meter %s", (meter, [limits, reserved, charged]) => {
  it("is reserved as the call says, and settled as it was", async () => {
    const { gate } = world(limited({ key: limits }));
    const used = async () => (await readingOf(gate, meter)).used;
    const { reservation } = passed(await gate.admit({ keyId: "k1" }, CALL));
    expect(await used()).toBe(reserved);
    settled(await gate.settle(reservation, ACTUAL));
    expect(await used()).toBe(charged);
  });
});

it("no entry would hide a meter that is never counted", () => {
  for (const [meter, [, reserved, charged]] of meters) {
    expect(reserved, meter).toBeGreaterThan(0);
    if (meter !== "requests") expect(charged, meter).not.toBe(reserved);
  }
});
