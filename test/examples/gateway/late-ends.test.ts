import { CountersUnavailableError, createGate } from "tollgate";
import { A_KEY, aKeyChain, directoryOf } from "tollgate/testing";
import { expect, it, onTestFinished, vi } from "vitest";
import { LateEnds } from "../../../examples/gateway/late-ends.js";

it("asks counters that are away once a second, however many calls have ended meanwhile, and ends each of them once", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const admission = await createGate({ directory: directoryOf(aKeyChain({})) }).admit(
    { keyId: A_KEY },
    { model: "m" },
  );
  if (!admission.admitted) throw new Error(admission.reason);
  let down = true;
  let tries = 0;
  const ended: number[] = [];
  const ends = new LateEnds();
  for (let call = 0; call < 50; call++) {
    await ends.end(admission.reservation, async () => {
      tries++;
      if (down) throw new CountersUnavailableError("away");
      ended.push(call);
    });
  }
  await vi.advanceTimersByTimeAsync(10_000);
  expect(tries).toBe(50 + 10);
  down = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(ended).toEqual(Array.from({ length: 50 }, (_, call) => call));
});
