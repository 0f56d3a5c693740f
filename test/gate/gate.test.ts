import { describe, expect, it } from "vitest";
import { world } from "./world.js";

describe("a gate over a directory alone", () => {
  it("has no control plane, and says which option that takes", () => {
    const { gate } = world();
    expect(() => gate.as({ userId: "u1" })).toThrow(
      expect.objectContaining({
        code: "validation",
        field: "options.storage",
        message: expect.stringMatching(/ledger\.report/),
      }),
    );
  });
});
