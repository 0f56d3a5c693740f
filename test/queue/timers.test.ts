import { describe, expect, it, vi } from "vitest";
import { systemTimers } from "../../src/queue/timers.js";
import { onVirtualTime } from "./virtual-time.js";

onVirtualTime();

describe("the timers of a machine", () => {
  it("call back when their time has come by `now`, where a timer of Node comes up a moment early", async () => {
    const run = vi.fn();
    const now = vi.spyOn(performance, "now").mockReturnValue(1_000.7);
    systemTimers.after(100, run);
    now.mockReturnValue(1_100.3); // Node counts whole milliseconds
    await vi.advanceTimersByTimeAsync(100);
    expect(run).not.toHaveBeenCalled();
    now.mockReturnValue(1_101.3);
    await vi.advanceTimersByTimeAsync(1);
    expect(run).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("can be cancelled, also after one came up early", async () => {
    const run = vi.fn();
    const now = vi.spyOn(performance, "now").mockReturnValue(0);
    const stop = systemTimers.after(100, run);
    now.mockReturnValue(99.5);
    await vi.advanceTimersByTimeAsync(100);
    stop();
    now.mockReturnValue(200);
    await vi.advanceTimersByTimeAsync(100);
    expect(run).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});
