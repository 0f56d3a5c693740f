import { expect, it } from "vitest";

/**
 * Comes before all others. Where the rooms do not even load, no test of a file that imports them is ever registered, and
 * the runner takes a mutant that broke them for one that nobody noticed.
 */
it("the rooms load", async () => {
  expect(await import("../../src/index.js")).toHaveProperty("createGate");
});
