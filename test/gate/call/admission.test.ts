import { expect, it } from "vitest";
import { passed, settled } from "../../scenarios/answers.js";
import { limited, NOON, world } from "../world.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10, costUsd: 0.1 };
const BUDGET = limited({ key: { budget: { usd: 1, reset: "daily" } } });
const MIDNIGHT = NOON + 12 * 3_600_000;

it("an overdraft in a period that is over has been reset, and tells of no moment in the past", async () => {
  const { gate, clock } = world(BUDGET);
  clock.at = MIDNIGHT - 1_000;
  const { reservation } = passed(await gate.admit(KEY, CALL));
  clock.at = MIDNIGHT + 60_000;
  const { overdraft } = settled(await gate.settle(reservation, { costUsd: 2 }));
  expect(overdraft).toMatchObject([{ resetsAt: clock.at }]);
});

it("an admission at counters whose clock is ahead tells when their window is empty, not the caller's", async () => {
  const { gate, clock } = world(limited({ key: { rpm: 5 } }));
  clock.at += 90_000;
  passed(await gate.admit(KEY, CALL));
  clock.at -= 90_000;
  const { limits } = passed(await gate.admit(KEY, CALL));
  expect(limits).toMatchObject([{ resetsAt: NOON + 90_000 + 61_000 }]);
});
