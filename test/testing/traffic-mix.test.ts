import { describe, expect, it } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import { generateTrace } from "../../src/testing/generate-trace.js";
import { type Client, trafficMix } from "../../src/testing/traffic-mix.js";

const ids = { orgId: "o", projectId: "p" };
const web: Client = { ...ids, name: "web", keyId: "k1", share: 3, model: "m1", maxOutputTokens: 500 };
const batch: Client = { ...ids, name: "batch", keyId: "k2", share: 1, model: { m2: 90, m3: 10 } };
const idle: Client = { ...ids, name: "idle", keyId: "k3", share: 0, model: "m1" };

describe("trafficMix", () => {
  const trace = generateTrace({ durationMs: 10 * 60_000 });

  it("deals calls out by share, and a client's calls to its models by theirs", () => {
    const assign = trafficMix([web, batch, idle]);
    const dealt = trace.map(assign);
    const shareOf = (test: (one: (typeof dealt)[number]) => boolean) =>
      dealt.filter(test).length / dealt.length;
    expect(shareOf(({ caller }) => caller.name === "web")).toBeCloseTo(0.75, 1);
    expect(shareOf(({ caller }) => caller.name === "batch")).toBeCloseTo(0.25, 1);
    expect(shareOf(({ caller }) => caller.name === "idle")).toBe(0);
    expect(shareOf(({ usage }) => usage.model === "m3")).toBeCloseTo(0.025, 2);
  });

  it("says the input of the call, and the output that the client asks for, where it asks for any", () => {
    const assign = trafficMix([web, batch]);
    for (const [i, call] of trace.entries()) {
      const { caller, usage } = assign(call, i);
      const wanted = caller.name === "web" ? { model: "m1", maxOutputTokens: 500 } : { model: usage.model };
      expect(usage).toEqual({ inputTokens: call.inputTokens, ...wanted });
    }
  });

  it("is the same for the same seed and index, whatever was asked before", () => {
    const [assign, again, other] = [
      trafficMix([web, batch], 4),
      trafficMix([web, batch], 4),
      trafficMix([web, batch], 5),
    ];
    const backwards = trace.map((call, i) => [call, i] as const).reverse();
    expect(backwards.map(([call, i]) => again(call, i)).reverse()).toEqual(trace.map(assign));
    expect(trace.map(other)).not.toEqual(trace.map(assign));
    // Nor is it the same a call later.
    expect(trace.map((call, i) => other(call, i))).not.toEqual(trace.map((call, i) => assign(call, i + 1)));
  });

  it("gives each of two clients of one name its own models", () => {
    const assign = trafficMix([web, { ...batch, name: "web" }]);
    for (const { caller, usage } of trace.map(assign))
      expect(usage.model === "m1").toBe(caller.keyId === "k1");
  });

  it.each([1.5, Number.NaN])("refuses the seed %s", (seed) => {
    expect(() => trafficMix([web], seed)).toThrow(/^seed: /);
  });

  it.each([
    [[], "clients"],
    [[{ ...web, share: 0 }], "clients"],
    [[{ ...web, share: -1 }, batch], "clients"],
    [[{ ...web, share: Number.NaN }, batch], "clients"],
    [[{ ...web, model: {} }], "clients.web.model"],
  ])("refuses shares that deal nothing: %j", (clients, field) => {
    expect(() => trafficMix(clients)).toThrow(ValidationError);
    expect(() => trafficMix(clients)).toThrow(`${field}: shares`);
  });
});
