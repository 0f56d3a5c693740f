import fc from "fast-check";
import type { GateOptions } from "../../../src/gate/options.js";
import type { KeyChain } from "../../../src/model/chain.js";
import type { Limits } from "../../../src/model/limits.js";
import type { Usage } from "../../../src/model/usage.js";
import { aChain, type World } from "../world.js";

const KEY = { keyId: "k1" };
const HOUR_MS = 3_600_000;

export const smallBudget = fc.record(
  {
    usd: fc.constantFrom(0.001, 0.002, 0.004, 0),
    reset: fc.constantFrom("daily", "weekly", "monthly", "never"),
    countByok: fc.boolean(),
  },
  { requiredKeys: ["usd", "reset"] },
);

const budgets = fc.uniqueArray(smallBudget, { minLength: 1, maxLength: 2, selector: ({ reset }) => reset });

/** A limit of which a few calls fit, and now and then none. */
const few = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 6 }) }, fc.constant(0));
const tokens = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 150, max: 900 }) }, fc.nat(150));

const oneLimit: fc.Arbitrary<Limits> = fc.oneof(
  few.map((rpm) => ({ rpm })),
  few.map((rpd) => ({ rpd })),
  few.map((inFlight) => ({ inFlight })),
  tokens.map((tpm) => ({ tpm })),
  tokens.map((inputTpm) => ({ inputTpm })),
  tokens.map((outputTpm) => ({ outputTpm })),
  tokens.map((tpd) => ({ tpd })),
  budgets.map((budget) => ({ budget })),
);

const modelLimits = fc
  .tuple(fc.array(oneLimit, { maxLength: 2 }), fc.constantFrom("enforce", "enforce", "shadow", undefined))
  .map(([parts, mode]): Limits => Object.assign({}, ...parts, mode && { mode }));

const limits: fc.Arbitrary<Limits> = fc.oneof(
  { weight: 3, arbitrary: modelLimits },
  {
    weight: 1,
    arbitrary: fc
      .tuple(modelLimits, fc.dictionary(fc.constantFrom("gpt-4o", "free", "smart", "*"), modelLimits))
      .map(([all, perModel]) => ({ ...all, perModel })),
  },
);

export const anyChain: fc.Arbitrary<KeyChain> = fc
  .record({
    org: limits,
    project: limits,
    member: limits,
    key: limits,
    credits: fc.option(fc.nat(20_000_000)),
  })
  .map(({ org, project, member, key, credits }) =>
    aChain({
      org: {
        limits: org,
        virtualModels: { smart: ["gpt-4o", "unheard-of", "gpt-4o-mini"] },
        ...(credits !== null && { creditsNanoUsd: credits }),
      },
      project: { limits: project },
      holder: { limits: member },
      key: { limits: key },
    }),
  );

export const anyUsage: fc.Arbitrary<Usage> = fc
  .record(
    {
      inputTokens: fc.nat(120),
      maxOutputTokens: fc.nat(120),
      costUsd: fc.constantFrom(0, 0.0001, 0.001),
      byok: fc.boolean(),
      named: fc.constantFrom(
        { model: "gpt-4o" },
        { model: "gpt-4o-mini" },
        { model: "free" },
        { model: "smart" },
        { model: "unheard-of" },
        { mcpServer: "github" },
      ),
    },
    { requiredKeys: ["inputTokens", "named"] },
  )
  .map(({ named, ...rest }) => ({ ...rest, ...named }));

/** One step of a history: a call, settled at once, later or never, and time that passes. */
export const history = fc.array(
  fc.record({
    usage: anyUsage,
    settle: fc.option(fc.record({ outputTokens: fc.nat(200) })),
    stepMs: fc.oneof({ weight: 8, arbitrary: fc.nat(2_000) }, fc.nat(90_000), fc.nat(30 * HOUR_MS)),
  }),
  { maxLength: 8 },
);

export const anyUnpriced = fc.constantFrom<GateOptions["unpriced"]>("deny", "free", { usd: "0.0007" });

/** Runs a history through a gate, by itself. */
export async function live(
  { gate, clock }: World,
  steps: typeof history extends fc.Arbitrary<infer T> ? T : never,
) {
  for (const { usage, settle, stepMs } of steps) {
    const admission = await gate.admit(KEY, usage);
    if (admission.admitted && settle !== null) await gate.settle(admission.reservation, settle);
    clock.at += stepMs;
  }
}
