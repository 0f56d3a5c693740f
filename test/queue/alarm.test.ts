import fc from "fast-check";
import { expect, it, vi } from "vitest";
import { Alarm, NOW } from "../../src/queue/alarm.js";
import { systemTimers, type Timers } from "../../src/queue/timers.js";
import { onVirtualTime, pass } from "./virtual-time.js";

onVirtualTime();

/** The system's timers, and how many of those that were asked for here are still to come. */
function countedTimers() {
  const toCome = new Set<object>();
  const timers: Timers = {
    now: systemTimers.now,
    after(ms, ring) {
      const one = {};
      toCome.add(one);
      const stop = systemTimers.after(ms, () => {
        toCome.delete(one);
        ring();
      });
      return () => {
        toCome.delete(one);
        stop();
      };
    },
  };
  return { timers, toCome };
}

it("rings once for all that it is asked for in one turn, and not within the call", async () => {
  const ring = vi.fn();
  const alarm = new Alarm(systemTimers, ring);
  for (const at of [systemTimers.now() + 5, systemTimers.now(), NOW, NOW]) alarm.by(at);
  expect(ring).not.toHaveBeenCalled();
  await pass(10);
  expect(ring).toHaveBeenCalledOnce();
});

it("rings no more once it is stopped, also where it was about to", async () => {
  const ring = vi.fn();
  const { timers, toCome } = countedTimers();
  const alarm = new Alarm(timers, ring);
  for (const ms of [0, 5]) {
    alarm.by(systemTimers.now() + 50);
    alarm.by(systemTimers.now() + ms);
    alarm.stop();
  }
  expect(toCome.size).toBe(0);
  await pass(100);
  expect(ring).not.toHaveBeenCalled();
});

it("no moment that it is asked for passes without a ring at it or before, since it was asked", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ inMs: fc.integer({ min: -5, max: 50 }), afterMs: fc.nat(20) }), { maxLength: 20 }),
      async (asked) => {
        let waiting: number[] = [];
        const { timers, toCome } = countedTimers();
        const alarm = new Alarm(timers, () => {
          waiting = [];
        });
        for (const { inMs, afterMs } of asked) {
          const at = systemTimers.now() + inMs;
          alarm.by(at);
          waiting.push(at);
          await pass(afterMs);
          expect(waiting.filter((moment) => moment <= systemTimers.now())).toEqual([]);
        }
        await pass(100);
        expect(waiting).toEqual([]);
        expect(toCome.size).toBe(0);
      },
    ),
  ));

it("the system's timers end in time and never sooner, however long, and their clock cannot be set back", async () => {
  const [soon, late] = [vi.fn(), vi.fn()];
  systemTimers.after(10.5, soon);
  const stop = systemTimers.after(2 ** 31, late);
  await pass(10);
  expect(soon).not.toHaveBeenCalled();
  await pass(1);
  expect(soon).toHaveBeenCalled();
  const now = systemTimers.now();
  vi.setSystemTime(Date.now() - 3_600_000);
  expect(systemTimers.now()).toBe(now);
  await pass(1_000);
  expect(late).not.toHaveBeenCalled();
  stop();
});
