import { afterEach, beforeEach, vi } from "vitest";
import { NOON } from "../gate/world.js";

/** Every clock and timer of a test file stands still until it is moved on: the gate's, the queue's and bottleneck's. */
export function onVirtualTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ now: NOON, toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** Lets virtual time pass. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** Time enough for bottleneck to give a turn, and too little for a limit to move. */
export const A_TURN_MS = 20;
