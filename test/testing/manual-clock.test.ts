import { expect, it } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import { ManualClock } from "../../src/testing/manual-clock.js";

it("a manual clock stands still until it is moved, forth or back", () => {
  const clock = new ManualClock(1_000);
  expect(clock.now()).toBe(1_000);
  clock.advance(250);
  expect(clock.now()).toBe(1_250);
  clock.set(400);
  clock.advance(-100);
  expect(clock.now()).toBe(300);
});

it("a manual clock is never at a moment that is none", () => {
  expect(() => new ManualClock(Number.NaN)).toThrow(ValidationError);
  const clock = new ManualClock();
  expect(() => clock.set(Number.POSITIVE_INFINITY)).toThrow(ValidationError);
  expect(() => clock.advance(Number.NaN)).toThrow(ValidationError);
  expect(clock.now()).toBe(0);
  clock.set(Number.MAX_VALUE);
  expect(() => clock.advance(Number.MAX_VALUE)).toThrow(ValidationError);
  expect(clock.now()).toBe(Number.MAX_VALUE);
});
