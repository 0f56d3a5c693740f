import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { createGate } from "../../../src/gate/gate.js";
import { ValidationError } from "../../../src/model/errors.js";
import { aChain, limited, world } from "../world.js";

const KEY = { keyId: "k1" };

describe("at the edges", () => {
  it("a limit in shadow mode refuses nothing, not even a call that does not say its input tokens", async () => {
    const shadow = { tpm: 10, budget: { usd: 1, reset: "daily" as const }, mode: "shadow" as const };
    const { gate } = world(limited({ key: shadow }));
    expect(await gate.admit(KEY, { model: "gpt-4o" })).toMatchObject({
      admitted: true,
      shadow: [{ scope: "key" }],
    });
  });

  it("an org without credit is told so, and not that its call is too large", async () => {
    const { gate } = world(aChain({ org: { creditsNanoUsd: 0 } }));
    const call = { model: "gpt-4o", inputTokens: 10 };
    expect(await gate.admit(KEY, call)).toMatchObject({ admitted: false, reason: "credits_exhausted" });
  });

  it.each([
    ["a promise", Promise.resolve({ inputTokens: 1, outputTokens: 1 })],
    ["a moment", new Date()],
    ["a list", []],
    ["nothing", null],
  ])(
    "a settle with %s, which says nothing of the call, is a mistake and leaves it open",
    async (_, actual) => {
      const { gate } = world(limited({ key: { tpm: 10_000 } }));
      const admission = await gate.admit(KEY, { model: "gpt-4o", inputTokens: 5 });
      if (!admission.admitted) throw new Error("below the max");
      const mistaken = gate.settle(admission.reservation, actual as never); // as a caller without types may
      await expect(mistaken).rejects.toThrow("an object that says what was used");
      expect(await gate.settle(admission.reservation, {})).toMatchObject({ settled: true });
    },
  );

  it("input that is less than its cached part counts as that part", async () => {
    const { gate } = world(limited({ key: { inputTpm: 10_000 } }));
    const admission = await gate.admit(KEY, { model: "gpt-4o", inputTokens: 5 });
    if (!admission.admitted) throw new Error("below the max");
    await gate.settle(admission.reservation, { inputTokens: 5, cachedInputTokens: 5_000, outputTokens: 1 });
    expect(await gate.usage({ orgId: "o1", keyId: "k1" })).toMatchObject([{ used: 5_000 }]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "a clock that says %s is an error, and no key lives on by it",
    async (now) => {
      const { gate } = world(aChain({ key: { expiresAt: 1 } }), { clock: { now: () => now } });
      await expect(gate.admit(KEY, { model: "gpt-4o" })).rejects.toBeInstanceOf(ValidationError);
    },
  );

  it.each([
    ["nanoseconds", 1_768_467_600_000_000_000],
    ["a moment after the year 9999", 253_402_300_800_000],
    ["text", "1768467600000"],
  ])("a clock that says %s is an error that names it", async (_, now) => {
    const budget = { usd: 1, reset: "daily" as const };
    const clock = { now: () => now as number }; // as a caller without types may
    const { gate } = world(limited({ key: { rpm: 1, budget } }), { clock });
    const asked = gate.admit(KEY, { model: "gpt-4o", inputTokens: 1 });
    await expect(asked).rejects.toMatchObject({ code: "validation", field: "options.clock" });
  });

  it("a clock before 1970, at its beginning and at the end of the year 9999", async () => {
    const budget = { usd: 1, reset: "monthly" as const };
    for (const now of [-86_400_001, 0, 253_402_300_799_999]) {
      const { gate } = world(limited({ key: { rpm: 1, budget } }), { clock: { now: () => now } });
      const admission = await gate.admit(KEY, { model: "gpt-4o", inputTokens: 1 });
      expect(admission).toMatchObject({ admitted: true, reservation: { reservedAt: now } });
    }
  });

  it("a clock with fractions of a millisecond counts in whole ones", async () => {
    const { gate } = world(limited({ key: { rpm: 1 } }), { clock: { now: () => 1_000_000.75 } });
    const admission = await gate.admit(KEY, { model: "gpt-4o" });
    expect(admission).toMatchObject({ admitted: true, reservation: { reservedAt: 1_000_000 } });
  });

  it.each([null, undefined, 5, {}])("authorize for %s is a ValidationError", async (who) => {
    const gate = createGate();
    await expect(gate.authorize(who as never, "project.create", { orgId: "o1" })).rejects.toMatchObject({
      problems: [{ field: expect.stringMatching(/^who/) }],
    });
  });

  it.each([
    ["who.projectRoles", {}],
    ["who.projectRoles", { projectRoles: null }],
    ["who.projectRoles", { projectRoles: "admin" }],
    ["who.via", { projectRoles: {}, via: null }],
    ["who.via", { projectRoles: {}, via: "k1" }],
  ])("authorize for a principal whose roles or key are none names %s: %j", async (field, parts) => {
    const gate = createGate();
    const who = { userId: "u1", orgId: "o1", orgRole: "member", ...parts };
    const resource = { orgId: "o1", projectId: "p1" };
    const asked = gate.authorize(who as never, "project.view", resource);
    await expect(asked).rejects.toBeInstanceOf(ValidationError);
    await expect(asked).rejects.toMatchObject({ problems: [{ field }] });
  });

  it("an input with any number of unknown fields makes an error of bounded length", async () => {
    const { gate } = world();
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`field${i}`, i]));
    const error = await gate.admit(KEY, { model: "gpt-4o", ...many }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ValidationError);
    expect(String(error).length).toBeLessThan(2_000);
  });

  it("a refusal and an admission show in a console what they show as JSON", async () => {
    const { gate } = world(limited({ key: { rpm: 1 } }));
    const admission = await gate.admit(KEY, { model: "gpt-4o" });
    expect(inspect(admission, { depth: 5 })).toContain("remaining: 0");
    const refusal = await gate.admit(KEY, { model: "gpt-4o" });
    expect(inspect(refusal)).toContain("requests per minute".replace("requests", "request"));
  });
});
