import { expect, it } from "vitest";
import type { Call } from "../../src/queue/call.js";
import { hold, letGo } from "../../src/queue/holding.js";

it("a call that was let go and waits behind another one now is not let go by the first once more", () => {
  const call = (order: number): Call => ({
    key: { keyId: `k${order}` },
    usage: { model: "m" },
    inContext: (run) => run(),
    priority: 5,
    order,
    arrivedAt: 0,
    deadlineAt: 1,
    askAt: 0,
    state: "waiting",
    finish() {},
  });
  const [held, first, second] = [call(3), call(1), call(2)];
  hold(held, first);
  expect(letGo(first)).toBe(true);
  expect(held.heldBy).toBeUndefined();
  hold(held, second);
  expect(letGo(first)).toBe(false);
  expect(held.heldBy).toBe(second);
});
