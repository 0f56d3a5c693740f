import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { amountOf, type Use } from "../../src/admission/amounts.js";
import { type Charge, sideBySide } from "../../src/admission/charge.js";
import { LimitShape } from "../../src/admission/limit-shape.js";
import { Calendar } from "../../src/admission/period.js";
import { Plan } from "../../src/admission/plan.js";
import { emptyAfter } from "../../src/admission/sliding-count.js";
import type {
  DirectReservation,
  DirectReserved,
  ReserveOutcome,
  ReserveRequest,
} from "../../src/counters/counters.js";
import { type MemoryCounters, memoryCounters } from "../../src/counters/memory.js";
import { charge, clockStep, limitsAt, START } from "./limits.js";
import { shortWay } from "./short-way.js";

const TTL = 120_000;
const limits = [
  ...limitsAt("org", { rpm: 60, tpm: 600, budget: { usd: 0.000_000_9, reset: "daily" } }),
  ...limitsAt("key", {
    tpd: 900,
    inFlight: 60,
    budget: { usd: 0.000_000_5, reset: "never" },
    mode: "shadow",
  }),
];

function planOf(): Plan {
  return new Plan(true, undefined, limits, new LimitShape(limits, new Calendar()));
}

/** One of everything that the limits count. */
const ONE: Use = { requests: 1, inputTokens: 1, outputTokens: 0, costNanoUsd: 1, slots: 1, byok: false };

/** Mostly a tenth of a max at most, now and then up to the whole of it or nothing. */
const upTo = (max: number) =>
  fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 1, max: max / 10 }) },
    fc.integer({ min: 0, max }),
    fc.constant(0),
  );

const use: fc.Arbitrary<Use> = fc.record({
  requests: upTo(60),
  inputTokens: upTo(300),
  outputTokens: upTo(300),
  costNanoUsd: upTo(500),
  slots: upTo(60),
  byok: fc.oneof({ weight: 20, arbitrary: fc.constant(false) }, fc.constant(true)),
});

/** What one was reserved for comes to: often the same of some meters, and nothing where it was released. */
const actual = fc.oneof(
  {
    weight: 9,
    arbitrary: use.map((other) => (reserved: Use) => ({ ...other, requests: reserved.requests })),
  },
  fc.constantFrom(
    (reserved: Use) => reserved,
    (reserved: Use) => ({ ...reserved, outputTokens: 0 }),
    () => ({ ...ONE, requests: 0, inputTokens: 0, costNanoUsd: 0, slots: 0 }),
  ),
);

const step = fc.record({
  skipMs: clockStep,
  use,
  /** Which of the open reservations to settle; above their number, none. */
  settle: fc.nat({ max: 5 }),
  actual,
});

/** Both counters side by side: one asked the short way where it answers, the other never. */
interface Pair {
  readonly short: MemoryCounters;
  readonly long: MemoryCounters;
  readonly plan: Plan;
}

function chargesOf(use: Use, at: number) {
  return limits.map((limit) => charge(limit, amountOf(limit, use), at));
}

/** The call with which every limit is counted: the short way is for those after it. */
const FIRST = { id: "first", orgId: "o1", now: START, ttlMs: TTL, charges: chargesOf(ONE, START) };

async function reserve({ short, long, plan }: Pair, id: string, now: number, use: Use) {
  const charges = chargesOf(use, now);
  const request = { id, orgId: "o1", now, ttlMs: TTL, charges };
  await foresee({ short, long, plan }, request, use);
  expect(plan.charges(use, now)).toEqual(sideBySide(charges)); // what a gate says of the short way
  const direct = shortWay(short).reserve(now, TTL, plan, use);
  const expected = await long.reserve(request);
  const readings = direct ? undefined : shortWay(short).refuse(now, plan, sideBySide(charges));
  if (readings) expect({ outcome: "refused", readings }).toEqual(expected);
  else if (direct === undefined) expect(await short.reserve(request)).toEqual(expected);
  else {
    const { at, used, held } = direct;
    expect(expected).toMatchObject({
      outcome: "reserved",
      shadow: undefined,
      reservedAt: at,
      expiresAt: held.expiresAt,
      used,
      resetMs: direct.resetMs ?? charges.map((one) => resetAfter(one, at, now)),
    });
  }
  return { reserved: expected.outcome === "reserved", held: direct?.held, refused: readings !== undefined };
}

/** Milliseconds from `now` until a count is empty that was charged at `at`. */
function resetAfter({ limit: { window }, period }: Charge, at: number, now: number): number {
  const end = period?.endsAt ?? Number.POSITIVE_INFINITY;
  return Math.max(0, (window.kind === "sliding" ? emptyAfter(window.lengthMs, at) : end) - now);
}

/** What would come of a reserve, where the short way says it, is what the ordinary way says; neither does it. */
async function foresee({ short, long, plan }: Pair, request: ReserveRequest, use: Use) {
  const before = short.dump();
  const foreseen = shortWay(short).foresee(request.now, plan, use);
  const expected = await long.reserve({ ...request, dryRun: true });
  expect(short.dump()).toEqual(before);
  const hasZero = request.charges.some(({ amount, period }) => amount === 0 && period === undefined);
  if (foreseen === undefined) {
    const isOrdinary = hasZero || Object.keys(before).length === 0;
    if (!isOrdinary) expect(expected).toSatisfy(isRefusedOrShadowed);
    return;
  }
  const { at: reservedAt, used } = foreseen;
  const resetMs = request.charges.map((one) => resetAfter(one, reservedAt, request.now));
  expect(expected).toMatchObject({ outcome: "reserved", shadow: undefined, reservedAt, used, resetMs });
}

function isRefusedOrShadowed(answer: ReserveOutcome): boolean {
  return answer.outcome === "refused" || (answer.outcome === "reserved" && answer.shadow !== undefined);
}

function given(reserved: DirectReserved | undefined): DirectReserved {
  if (reserved === undefined) throw new Error("the short way was not gone");
  return reserved;
}

describe("the short way of counters in memory", () => {
  it("tells of what it made by its id: expired, settled, or never made", async () => {
    const counters = memoryCounters();
    const plan = planOf();
    await counters.reserve(FIRST);
    const make = () => given(shortWay(counters).reserve(START, TTL, plan, ONE)).held;
    const settle = async (id: string, now: number) =>
      (await counters.settle({ id, orgId: "o1", now, amounts: FIRST.charges })).outcome;
    const [settled, expired, open] = [make(), make(), make()];
    expect(await settle(settled.id, START)).toBe("settled");
    expect(await settle(settled.id, START)).toBe("already_settled");
    expect(await settle(open.id, START + TTL - 1)).toBe("settled");
    expect(await settle(expired.id, START + TTL)).toBe("expired");
    expect(shortWay(counters).settle(expired, START + TTL, ONE)).toBeUndefined();
    // Nothing that it has not made passes for its own: a number to come, a number in another writing.
    const prefix = open.id.slice(0, -1);
    for (const forged of [
      `${prefix}4`,
      `${prefix}0`,
      `${prefix}01`,
      `${prefix}1.0`,
      `${prefix}1e0`,
      prefix,
    ]) {
      expect(await settle(forged, START)).toBe("unknown_reservation");
    }
  });

  it("settles none that has expired, also where it ended before an older one did, as one of another gate may", async () => {
    const counters = memoryCounters();
    const plan = planOf();
    await counters.reserve(FIRST);
    given(shortWay(counters).reserve(START, TTL, plan, ONE));
    const { held } = given(shortWay(counters).reserve(START, 10, plan, ONE));
    expect(shortWay(counters).settle(held, START + 10, ONE)).toBeUndefined();
    const settlement = { id: held.id, orgId: "o1", now: START + 10, amounts: FIRST.charges };
    expect(await counters.settle(settlement)).toEqual({ outcome: "expired" });
  });

  it("law: leaves every count and gives every answer as the ordinary way does", async () => {
    let direct = 0;
    let refused = 0;
    let raised = 0;
    let kept = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        const pair = { short: memoryCounters(), long: memoryCounters(), plan: planOf() };
        const open: { id: string; at: number; use: Use; held: DirectReservation | undefined }[] = [];
        let now = START;
        for (const [i, { skipMs, use, settle, actual }] of steps.entries()) {
          now += skipMs;
          const answer = await reserve(pair, `r${i}`, now, use);
          if (answer.reserved) open.push({ id: `r${i}`, at: now, use, held: answer.held });
          if (answer.held) direct++;
          if (answer.refused) refused++;
          const [ended] = open.splice(settle, 1);
          if (ended !== undefined) {
            const { id, held } = ended;
            const used = actual(ended.use);
            const request = { id, orgId: "o1", now, amounts: chargesOf(used, ended.at) };
            const counts = held && shortWay(pair.short).settle(held, now, used);
            const expected = await pair.long.settle(request);
            const isRaised = limits.some((limit) => amountOf(limit, used) > amountOf(limit, ended.use));
            if (counts === undefined) {
              expect(await pair.short.settle({ ...request, id: held?.id ?? id })).toEqual(expected);
            } else if (isRaised) {
              const at = shortWay(pair.short).now;
              expect(expected).toEqual({ outcome: "settled", used: counts, ...(at !== now && { at }) });
            } else expect([expected.outcome, counts]).toEqual(["settled", []]);
            if (counts) isRaised ? raised++ : kept++;
          }
          expect(pair.short.dump()).toEqual(pair.long.dump());
        }
      }),
      { numRuns: 150 },
    );
    expect(direct).toBeGreaterThan(20);
    expect(refused).toBeGreaterThan(20);
    expect(raised).toBeGreaterThan(20);
    expect(kept).toBeGreaterThan(20);
  });

  it("refuses where an enforced limit is short, whichever others are, and changes nothing", async () => {
    const counters = memoryCounters();
    const plan = planOf();
    const ask = (more: Partial<Use>) =>
      shortWay(counters).refuse(START, plan, sideBySide(chargesOf({ ...ONE, ...more }, START)));
    expect(ask({ requests: 61 })).toBeUndefined(); // nothing was counted: the ordinary way finds out
    await counters.reserve(FIRST);
    const before = counters.dump();
    expect(ask({})).toBeUndefined();
    expect(ask({ slots: 61, costNanoUsd: 500 })).toBeUndefined(); // these are in shadow mode
    expect(ask({ requests: 60, inputTokens: 0, slots: 61 })).toMatchObject([
      { used: 1, waitMs: 61_000 - (START % 1_000) },
      { used: 1, waitMs: 0 },
      { used: 1, waitMs: 0 },
      { used: 1, waitMs: 0 },
      { used: 1, waitMs: expect.any(Number) },
      { used: 1, waitMs: 0 },
    ]);
    expect(counters.dump()).toEqual(before);
  });

  it("is not gone where a limit is short or has counted nothing yet", async () => {
    const counters = memoryCounters();
    const plan = planOf();
    const ask = (more: Partial<Use>) => shortWay(counters).reserve(START, TTL, plan, { ...ONE, ...more });
    expect(ask({})).toBeUndefined();
    await counters.reserve(FIRST);
    expect(ask({})).toMatchObject({ used: limits.map(() => 2) });
    const before = counters.dump();
    expect(ask({ outputTokens: 1_000 })).toBeUndefined();
    expect(counters.dump()).toEqual(before);
  });

  it("is gone for nothing too, where a limit is spent: when its count is empty is told from the count", async () => {
    const counters = memoryCounters();
    const plan = planOf();
    await counters.reserve({ ...FIRST, charges: chargesOf({ ...ONE, costNanoUsd: 900 }, START) });
    const ask = (more: Partial<Use>, now: number) =>
      shortWay(counters).reserve(now, TTL, plan, { ...ONE, ...more });
    expect(ask({}, START)).toBeUndefined(); // the day's budget is spent
    const free = given(ask({ costNanoUsd: 0 }, START));
    expect(free.used).toEqual([2, 2, 900, 2, 2, 900]);
    const minute = 61_000 - (START % 1_000);
    expect(free.resetMs?.slice(0, 2)).toEqual([minute, minute]);
    const later = given(ask({ requests: 0, costNanoUsd: 0 }, START + 1_000));
    expect(later.resetMs?.slice(0, 2)).toEqual([minute - 1_000, minute]);
  });

  it("does not settle what was extended, is closed or was never made", async () => {
    const counters = memoryCounters();
    const plan = planOf();
    await counters.reserve(FIRST);
    const { held } = given(shortWay(counters).reserve(START, TTL, plan, ONE));
    const { id } = held;
    expect(await counters.reserve({ ...FIRST, id, extend: true })).toMatchObject({ outcome: "reserved" });
    expect(shortWay(counters).settle(held, START, ONE)).toBeUndefined();
    expect(await counters.settle({ id, orgId: "o1", now: START, amounts: FIRST.charges })).toMatchObject({
      outcome: "settled",
    });
    expect(shortWay(counters).settle(held, START, ONE)).toBeUndefined();
    expect(shortWay(counters).settle({ ...held }, START, ONE)).toBeUndefined();

    const others = memoryCounters();
    await others.reserve(FIRST);
    const plans = planOf();
    given(shortWay(others).reserve(START, TTL, plans, ONE));
    const theirs = given(shortWay(others).reserve(START, TTL, plans, ONE)).held;
    given(shortWay(counters).reserve(START, TTL, plan, ONE)); // under the same number
    expect(shortWay(counters).settle(theirs, START, ONE)).toBeUndefined();
    expect(shortWay(others).settle(theirs, START, ONE)).toBeDefined();
  });

  it("closes what it settles: a second settle answers already_settled", async () => {
    const counters = memoryCounters();
    const plan = planOf();
    await counters.reserve(FIRST);
    const { held } = given(shortWay(counters).reserve(START, TTL, plan, ONE));
    expect(shortWay(counters).settle(held, START, ONE)).toEqual([]);
    const again = await counters.settle({ id: held.id, orgId: "o1", now: START, amounts: FIRST.charges });
    expect(again).toEqual({ outcome: "already_settled" });
  });

  it("knows an idempotency key while the reservation that was made with it is open, whichever way that was made or is closed", async () => {
    const counters = memoryCounters();
    const plan = planOf();
    const idempotencyOf = (key: string) => ({ key, fingerprint: "f" });
    const open = () => ["a", "b", "c", "d"].filter((key) => shortWay(counters).hasOpened(key));
    const settle = (id: string) => counters.settle({ id, orgId: "o1", now: START, amounts: FIRST.charges });
    await counters.reserve({ ...FIRST, idempotency: idempotencyOf("a") });
    const make = (key: string) =>
      given(shortWay(counters).reserve(START, TTL, plan, ONE, idempotencyOf(key))).held;
    const [b, c] = [make("b"), make("c")];
    make("d");
    expect(open()).toEqual(["a", "b", "c", "d"]);
    shortWay(counters).settle(b, START, ONE);
    expect(open()).toEqual(["a", "c", "d"]);
    const again = await counters.reserve({ ...FIRST, id: "again", idempotency: idempotencyOf("c") });
    expect(again).toMatchObject({ outcome: "replayed", id: c.id, charges: FIRST.charges });
    await settle(c.id);
    await settle("first");
    expect(open()).toEqual(["d"]);
    await counters.reserve({ ...FIRST, id: "later", now: START + TTL });
    expect(open()).toEqual([]);
  });

  it("is not gone for a settle after counts were forgotten: a surcharge is not lost", async () => {
    const counters = memoryCounters();
    const [limit] = limitsAt("key", { tpm: 100 });
    if (limit === undefined) throw new Error("one limit");
    const plan = new Plan(true, undefined, [limit], new LimitShape([limit], new Calendar()));
    const at = { orgId: "o1", ttlMs: 3_600_000 };
    await counters.reserve({ id: "first", ...at, now: START, charges: [charge(limit, 1, START)] });
    const { held } = given(
      shortWay(counters).reserve(START, at.ttlMs, plan, { ...ONE, inputTokens: 10, requests: 0, slots: 0 }),
    );
    const later = START + 120_000;
    for (let i = 0; i < 4; i++) {
      const others = limitsAt("key", { tpm: 100 }, `other${i}`).map((other) => charge(other, 1, later));
      await counters.reserve({ id: `other${i}`, ...at, now: later, charges: others });
    }
    expect(Object.keys(counters.dump())).not.toContain(limit.scopeKey);
    expect(shortWay(counters).settle(held, later, { ...ONE, inputTokens: 40 })).toBeUndefined();
    await counters.settle({ id: held.id, orgId: "o1", now: later, amounts: [charge(limit, 40, START)] });
    expect(
      await counters.read({ orgId: "o1", now: later, charges: [charge(limit, 0, later)] }),
    ).toMatchObject([{ used: 30 }]);
  });
});
