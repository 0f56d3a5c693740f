import { vi } from "vitest";

/** Waits until a check, made again every so often, no longer throws: for as long as a busy machine may need. */
export function eventually<T>(check: () => T | Promise<T>, { interval = 50 } = {}): Promise<T> {
  return vi.waitFor(check, { timeout: 30_000, interval });
}
