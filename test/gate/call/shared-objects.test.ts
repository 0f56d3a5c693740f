import type { Actual, Gate, Reservation } from "tollgate";
import { describe, expect, it } from "vitest";
import { passed, refusedBy, settled } from "../../scenarios/answers.js";
import { elsewhere, limited, world } from "../world.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 1, maxOutputTokens: 1 };

/** Changes whatever can be changed in something and in all that it holds. */
function vandalize(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  Object.values(value).forEach(vandalize);
  for (const field of Object.keys(value)) Reflect.set(value, field, undefined);
  if (Array.isArray(value)) Reflect.set(value, "length", 0);
}

describe.each([
  ["the short way of counters in memory", () => ({})],
  ["the ordinary way of counters", () => ({ counters: elsewhere() })],
])("an admission in the hands of its caller, on %s", (_, options) => {
  it("gives nobody more room, whatever is done to it", async () => {
    const chain = limited({
      org: { budget: { usd: 9, reset: "monthly" } },
      key: { rpm: 5, perModel: { "gpt-4o": { rpm: 3 } } },
    });
    const { gate } = world(chain, options());
    for (let calls = 0; calls < 3; calls++) vandalize(passed(await gate.admit(KEY, CALL)));
    const refused = refusedBy(await gate.admit(KEY, CALL));
    expect(refused).toMatchObject({ reason: "rate_limited", limit: { used: 3, max: 3 } });
    expect((await gate.usage({ orgId: "o1" })).map(({ usd }) => usd?.max)).toEqual([9]);
  });

  it("is settled by its JSON from before, whatever is done to it meanwhile", async () => {
    const { gate } = world(limited({ key: { tpm: 100, budget: { usd: 9, reset: "monthly" } } }), options());
    for (let calls = 0; calls < 3; calls++) {
      const admission = passed(await gate.admit(KEY, { ...CALL, costUsd: 1, maxOutputTokens: 9 }));
      const json = JSON.stringify(admission.reservation);
      vandalize(admission);
      settled(await gate.settle(json, { inputTokens: 1, outputTokens: 1, costUsd: 0.5 }));
    }
    const readings = await gate.usage({ orgId: "o1", projectId: "p1", keyId: "k1" });
    expect(readings.map(({ used }) => used)).toEqual([6, 1.5e9]);
  });

  it("is not settled without its models or charges, and then by its JSON from before", async () => {
    const { gate } = world(limited({ key: { tpm: 100 } }), options());
    for (const field of ["models", "charges", "limits", "amounts", "periods"]) {
      const { reservation } = passed(await gate.admit(KEY, CALL));
      const json = JSON.stringify(reservation);
      Reflect.deleteProperty(field in reservation ? reservation : reservation.charges, field);
      const settling = gate.settle(reservation, { inputTokens: 1, outputTokens: 9 });
      await expect(settling).rejects.toMatchObject({
        code: "validation",
        problems: [{ field: expect.stringMatching(/^reservation\.(models|charges)/) }],
      });
      settled(await gate.settle(json, { inputTokens: 1, outputTokens: 9 }));
    }
    const [reading] = await gate.usage({ orgId: "o1", projectId: "p1", keyId: "k1" });
    expect(reading).toMatchObject({ used: 50 });
  });
});

describe.each([
  ["the short way of counters in memory", () => ({})],
  ["the ordinary way of counters", () => ({ counters: elsewhere() })],
])("a reservation that its caller changes as soon as it is handed in, on %s", (_, options) => {
  const chain = limited({
    key: { tpm: 100, budget: { usd: 9, reset: "monthly" }, perModel: { "gpt-4o-mini": { rpm: 3 } } },
  });
  const ACTUAL = { inputTokens: 90, outputTokens: 90 };

  /** All that becomes of one call, whose reservation is spoilt while it is ended or extended, or is not. */
  async function whatBecomesOf(
    end: (gate: Gate, reservation: Reservation, actual: Actual) => Promise<unknown>,
    isSpoilt: boolean,
    listens: boolean,
  ) {
    const { gate } = world(chain, options());
    const told: unknown[] = [];
    gate.on("overdraft", ({ limits, context }) => told.push(limits, context));
    if (listens) {
      gate.on("settlement", ({ settlement, reservation, actual }) =>
        told.push(settlement, { ...reservation, id: "" }, actual),
      );
    }
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, tags: { team: "a" } }));
    const actual = { ...ACTUAL };
    const ending = end(gate, reservation, actual);
    if (isSpoilt) {
      vandalize(reservation);
      vandalize(actual);
      for (const field of Object.keys(reservation)) Reflect.deleteProperty(reservation, field);
    }
    const answer = JSON.stringify(await ending, (field, value) => (field === "id" ? "" : value));
    // Plain copies: what is told is compared as it is now.
    return structuredClone([answer, told, await gate.usage({ orgId: "o1", projectId: "p1", keyId: "k1" })]);
  }

  it.each<[string, Parameters<typeof whatBecomesOf>[0]]>([
    ["settled", (gate, reservation, actual) => gate.settle(reservation, actual)],
    [
      "settled for another model",
      (gate, reservation, actual) =>
        gate.settle(reservation, Object.assign(actual, { model: "gpt-4o-mini" })),
    ],
    ["released", (gate, reservation) => gate.release(reservation)],
    ["extended", (gate, reservation) => gate.extend(reservation, { maxOutputTokens: 50 })],
  ])("is %s as it was handed in", async (_what, end) => {
    for (const listens of [false, true]) {
      const spoilt = await whatBecomesOf(end, true, listens);
      expect(spoilt).toEqual(await whatBecomesOf(end, false, listens));
    }
  });
});
