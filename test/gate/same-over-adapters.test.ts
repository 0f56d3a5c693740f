import fc from "fast-check";
import {
  type Admission,
  createLedger,
  type KeyChain,
  type Limits,
  memoryCounters,
  memoryLedgerSink,
  type Reservation,
} from "tollgate";
import { describe, expect, test } from "vitest";
import { counterAdapters, isSlow, type MakeCounters } from "../scenarios/adapters.js";
import { aChain, world } from "./world.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const zones = fc.constantFrom("UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Europe/Berlin");
const keys = fc.constantFrom("k1", "k1", "k2");
const tokens = fc.constantFrom(0, 1, 100, 400, 1_000);

const budgets = fc.uniqueArray(
  fc.record({
    usd: fc.constantFrom("0.011", "0.02", "0.03"),
    reset: fc.constantFrom("daily", "weekly", "monthly", "never"),
    countByok: fc.boolean(),
  }),
  { selector: ({ reset }) => reset, minLength: 1, maxLength: 3 },
);

/** At most three of these: with more, hardly any call would be admitted. */
const limits: fc.Arbitrary<Limits> = fc
  .record({
    rpm: fc.integer({ min: 1, max: 6 }),
    rpd: fc.integer({ min: 2, max: 15 }),
    tpm: fc.integer({ min: 2_000, max: 6_000 }),
    tpd: fc.integer({ min: 2_000, max: 20_000 }),
    inputTpm: fc.integer({ min: 1_000, max: 4_000 }),
    outputTpm: fc.integer({ min: 1_000, max: 4_000 }),
    inFlight: fc.integer({ min: 1, max: 4 }),
    budget: budgets,
    mode: fc.constantFrom("enforce", "enforce", "shadow"),
    perModel: fc.constantFrom({ "gpt-4o": { rpm: 2 } }, { free: { tpm: 3_000 } }),
  })
  .chain((all) => fc.subarray(Object.entries(all), { maxLength: 3 }))
  .map((some) => Object.fromEntries(some));

const scopes = fc.record({ org: limits, project: limits, member: limits, key: limits }, { requiredKeys: [] });

const usage = fc.record({
  model: fc.constantFrom("gpt-4o", "gpt-4o-mini", "free"),
  inputTokens: tokens,
  maxOutputTokens: tokens,
  requestId: fc.constantFrom("a", "b", "c", undefined, undefined, undefined),
  byok: fc.constantFrom(false, false, true),
});

const actual = fc.record(
  { inputTokens: tokens, outputTokens: tokens, disconnected: fc.boolean() },
  { requiredKeys: [] },
);

/** Which of the calls admitted so far, counted from the last. */
const nth = fc.nat(3);

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("admit"), key: keys, usage }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("check"), key: keys, usage }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("settle"), nth, actual }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("release"), nth }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("extend"),
      nth,
      more: fc.record({ inputTokens: tokens, maxOutputTokens: tokens }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("move"),
      ms: fc.oneof(
        fc.integer({ min: -5_000, max: 30_000 }),
        fc.constantFrom(59_999, MINUTE_MS, 61_000, HOUR_MS, DAY_MS, 7 * DAY_MS, 31 * DAY_MS),
        fc.constantFrom(-MINUTE_MS, -HOUR_MS),
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("change"), scopes, timeZone: zones }) },
);

type Scopes = typeof scopes extends fc.Arbitrary<infer T> ? T : never;
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function chainsOf({ org, project, member, key }: Scopes, timeZone: string): KeyChain[] {
  return ["k1", "k2"].map((id) =>
    aChain({
      org: { timeZone, ...(org && { limits: org }) },
      ...(project && { project: { limits: project } }),
      ...(member && { holder: { limits: member } }),
      key: { id, ...(key && { limits: key }) },
    }),
  );
}

/** Everything that a gate over these counters says while the steps are taken, and its ledger in the end. */
async function told(
  make: MakeCounters,
  start: number,
  [scopes, timeZone]: readonly [Scopes, string],
  steps: readonly Step[],
) {
  const clock = { at: start, now: () => clock.at };
  const ledger = createLedger({ sink: memoryLedgerSink(), clock });
  const cache = { maxAgeMs: 1, maxKeys: 10 };
  const { gate, put } = world(chainsOf(scopes, timeZone), { clock, counters: make(), ledger, cache });
  const admitted: Reservation[] = [];
  const all: unknown[] = [];
  const take = async (one: Step): Promise<unknown> => {
    if ("ms" in one) {
      clock.at += one.ms;
      return undefined;
    }
    if ("scopes" in one) {
      for (const chain of chainsOf(one.scopes, one.timeZone)) put(chain);
      clock.at += 2; // Chains are kept for a millisecond.
      return undefined;
    }
    if ("usage" in one) {
      const key = { keyId: one.key };
      if (one.do === "check") return gate.check(key, one.usage);
      const admission = await gate.admit(key, one.usage);
      if (admission.admitted) admitted.push(admission.reservation);
      return admission;
    }
    const reservation = admitted.at(-1 - one.nth);
    if (reservation === undefined) return undefined;
    if ("actual" in one) return gate.settle(reservation, one.actual);
    return "more" in one ? gate.extend(reservation, one.more) : gate.release(reservation);
  };
  for (const one of steps) {
    all.push(withoutIds(await take(one).catch((error) => error.code)));
    all.push(await gate.usage({ orgId: "o1", keyId: "k1" }));
  }
  await ledger.flush();
  all.push((await ledger.report({ org: "o1", from: 0, to: clock.at + 400 * DAY_MS, groupBy: "key" })).rows);
  await gate.close();
  return all;
}

/** Ids are made by chance. */
function withoutIds(answer: unknown): unknown {
  const { reservation, ...rest } = Object(answer) as Partial<Extract<Admission, { admitted: true }>>;
  if (reservation === undefined) return answer;
  return { ...rest, reservation: { ...reservation, id: "any" } };
}

const adapters = (await counterAdapters()).filter(([name]) => name !== "memory");

describe.each(adapters)("a gate over counters in %s", (name, make) => {
  test("law: says what one over counters in memory says, however limits, time zone and clock change between calls", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) }),
        fc.tuple(scopes, zones),
        fc.array(step, { minLength: 10, maxLength: 60, size: "max" }),
        async (start, first, steps) => {
          const expected = await told(memoryCounters, start, first, steps);
          expect(await told(make, start, first, steps)).toEqual(expected);
        },
      ),
      { numRuns: isSlow(name) ? 10 : 60 },
    );
  });
});
