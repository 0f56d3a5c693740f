import { afterAll, expect, vi } from "vitest";

/** What all files of tests share that run in one process, one after the other. */
const sharedNow = () => ({
  setTimeout,
  clearTimeout,
  setInterval,
  clearInterval,
  setImmediate,
  Date,
  "Date.now": Date.now,
  performance,
  "performance.now": performance.now,
  "Math.random": Math.random,
  fetch,
  "process.emitWarning": process.emitWarning,
  "process.cwd()": process.cwd(),
  "process.env": JSON.stringify(process.env),
  "names of Object.prototype": Object.getOwnPropertyNames(Object.prototype).join(),
});

const before = sharedNow();

// Runs after the hooks of the file itself, which come later.
afterAll(() => {
  vi.restoreAllMocks();
  const after = sharedNow();
  for (const [name, value] of Object.entries(before)) {
    expect(after[name as keyof typeof after] === value, `a file of tests left another ${name} behind`).toBe(
      true,
    );
  }
});
