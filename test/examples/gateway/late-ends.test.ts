import { CountersUnavailableError, createGate, type Reservation } from "tollgate";
import { A_KEY, aKeyChain, directoryOf } from "tollgate/testing";
import { expect, it, onTestFinished, vi } from "vitest";
import { LateEnds } from "../../../examples/gateway/late-ends.js";

/** A reservation of a minute, on the time of fake timers. */
async function reserved(): Promise<Reservation> {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const gate = createGate({ directory: directoryOf(aKeyChain({})), reservationTtlMs: 60_000 });
  const admission = await gate.admit({ keyId: A_KEY }, { model: "m" });
  if (!admission.admitted) throw new Error(admission.reason);
  return admission.reservation;
}

const away = () => Promise.reject(new CountersUnavailableError("away"));

it("asks counters that are away once a second, however many calls have ended meanwhile, and ends each of them once", async () => {
  const reservation = await reserved();
  let down = true;
  let tries = 0;
  const ended: number[] = [];
  const ends = new LateEnds();
  for (let call = 0; call < 50; call++) {
    await ends.end(reservation, async () => {
      tries++;
      if (down) return away();
      ended.push(call);
    });
  }
  await vi.advanceTimersByTimeAsync(10_000);
  expect(tries).toBe(50 + 10);
  down = false;
  await Promise.all([ends.retry(), ends.retry()]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(ended).toEqual(Array.from({ length: 50 }, (_, call) => call));
});

it("gives up an end that no further try can change, by a mistake or after the reservation, and says so", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  onTestFinished(() => warn.mockRestore());
  const reservation = await reserved();
  const ends = new LateEnds();
  const mistaken = vi.fn(() => Promise.reject(new TypeError("a mistake")));
  await ends.end(reservation, mistaken);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(mistaken).toHaveBeenCalledOnce();
  const late = vi.fn(away);
  await ends.end(reservation, late);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(late).toHaveBeenCalledTimes(1 + 50);
  expect(warn.mock.calls).toEqual([
    [`call ${reservation.id} was not settled: TypeError`],
    [`call ${reservation.id} was not settled: CountersUnavailableError`],
  ]);
});

it("tries until all is taken or a shutdown has no time left, and says then what was not settled", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  onTestFinished(() => warn.mockRestore());
  const reservation = await reserved();
  const ends = new LateEnds();
  let tries = 0;
  await ends.end(reservation, () => {
    tries++;
    return tries <= 5 ? away() : Promise.resolve();
  });
  const finished = ends.finish(new Promise(() => {}));
  await vi.advanceTimersByTimeAsync(10_000);
  await finished;
  expect(tries).toBe(6);
  expect(warn).not.toHaveBeenCalled();

  await ends.end(reservation, away);
  await ends.finish(Promise.resolve());
  expect(warn.mock.calls).toEqual([[`call ${reservation.id} was not settled: the counters are away`]]);
});
