import fc from "fast-check";
import { expect, it } from "vitest";
import type { Counters } from "../../../src/counters/counters.js";
import { memoryCounters } from "../../../src/counters/memory.js";
import type { Reservation } from "../../../src/gate/call/reservation.js";
import { CountersUnavailableError } from "../../../src/model/errors.js";
import { passed, settled } from "../../scenarios/answers.js";
import { limited, world } from "../world.js";

const KEY = { keyId: "k1" };
const TTL_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** Longer than a minute and its bucket: what was given at its end had been charged at its beginning. */
const TWO_WINDOWS_MS = 2 * (MINUTE_MS + 1_000);

const LIMITS = limited({ key: { tpm: 1e12, inFlight: 1_000, budget: { usd: 1_000, reset: "never" } } });

type Op =
  | { op: "network"; is: "up" | "down" | "loses answers" | "breaks now and then" }
  | { op: "wait"; ms: number }
  | { op: "admit" | "extend" | "settle"; pick: number; amount: number };

const network = fc.record({
  op: fc.constant("network" as const),
  is: fc.constantFrom(
    "up" as const,
    "down" as const,
    "loses answers" as const,
    "breaks now and then" as const,
  ),
});
const waits = (...ms: number[]) =>
  fc.record({ op: fc.constant("wait" as const), ms: fc.constantFrom(...ms) });
const calls = fc.record({
  op: fc.constantFrom("admit" as const, "admit" as const, "extend" as const, "settle" as const),
  pick: fc.nat(),
  amount: fc.integer({ min: 1, max: 1_000 }),
});
const history = (wait: fc.Arbitrary<Op>) =>
  fc.array(
    fc.oneof(
      { weight: 2, arbitrary: network },
      { weight: 1, arbitrary: wait },
      { weight: 5, arbitrary: calls },
    ),
    { maxLength: 40, size: "max" },
  );

interface Call {
  readonly reservation: Reservation;
  reserved: number;
  settled?: number;
  /** When it was charged last. */
  at: number;
}

const usage = (amount: number) => ({
  inputTokens: amount,
  costUsd: `0.${String(amount).padStart(9, "0")}`,
});

/** Everything that has started without a timer comes to its end. */
const quiet = () => new Promise((resolve) => setImmediate(resolve));

/**
 * Runs calls through outages, ends those, and compares.
 *
 * @param expires whether calls may outlive their TTL: each is then settled with more than was reserved, as what expires keeps its estimate, and so does a reserve whose answer is lost
 */
async function run(ops: readonly Op[], seed: number, expires: boolean) {
  const seen = { local: 0, taken: 0, undone: 0, lost: 0, expired: 0 };
  const store = memoryCounters();
  let is: Extract<Op, { op: "network" }>["is"] = "up";
  let random = seed;
  const over = async <T>(step: () => Promise<T>, mayLose: boolean): Promise<T> => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
    const dice =
      is === "breaks now and then" ? (random >>> 16) % 3 : { up: 0, down: 1, "loses answers": 2 }[is];
    if (dice === 1 || (dice === 2 && !mayLose)) throw new Error("ECONNREFUSED");
    const answer = await step();
    if (dice === 2) seen.lost++;
    if (dice === 2) throw new Error("ECONNRESET");
    return answer;
  };
  const counters: Counters = {
    async reserve(request) {
      const isGiven = request.charges.every(({ limit }) => limit.mode === "shadow");
      // What nobody knows of an extension is settled later; this law is about what the gate itself has to find out.
      if (request.extend && (expires || !isGiven)) return store.reserve(request);
      const answer = await over(() => store.reserve(request), isGiven || !expires);
      if (isGiven && answer.outcome === "reserved") seen.taken++;
      return answer;
    },
    settle: (request) => {
      const undoes = request.amounts.every(({ amount }) => amount === 0);
      if (undoes) seen.undone++;
      return over(() => store.settle(request), undoes);
    },
    read: (query) => store.read(query),
    close: async () => {},
  };
  const { gate, clock } = world(LIMITS, {
    counters,
    onCountersDown: "local",
    localShare: 1,
    reservationTtlMs: TTL_MS,
  });
  const begin = clock.at;
  const made: Call[] = [];

  const settleOne = async (call: Call, amount: number) => {
    const actual = call.reserved + (expires ? amount : Math.min(amount - 500, 0) + (amount % 7));
    const came = Math.max(1, actual);
    try {
      const settlement = await gate.settle(call.reservation, { ...usage(came), outputTokens: 0 });
      if (!settlement.settled && settlement.reason === "expired" && clock.at >= call.reservation.expiresAt) {
        seen.expired++;
        call.settled = call.reserved;
      } else {
        settled(settlement);
        call.settled = came;
        call.at = clock.at;
      }
    } catch (error) {
      if (!(error instanceof CountersUnavailableError)) throw error; // else it goes on
    }
  };

  for (const op of ops) {
    if (op.op === "network") is = op.is;
    else if (op.op === "wait") clock.at += op.ms;
    else if (op.op === "admit") {
      const admission = passed(
        await gate.admit(KEY, { model: "m", maxOutputTokens: 0, ...usage(op.amount) }),
      );
      if (admission.degraded === "local") seen.local++;
      made.push({ reservation: admission.reservation, reserved: op.amount, at: clock.at });
    } else {
      const open = made.filter((call) => call.settled === undefined);
      const call = open[op.pick % open.length];
      if (call === undefined) continue;
      if (op.op === "settle") await settleOne(call, op.amount);
      else if (clock.at < call.reservation.expiresAt) {
        passed(await gate.extend(call.reservation, usage(op.amount)));
        call.reserved += op.amount;
        call.at = clock.at;
      }
    }
    if (op.op === "wait" || op.op === "network") await quiet();
  }
  is = "up";
  for (let again = 0; again < 4; again++) {
    await gate.check(KEY, { model: "m", maxOutputTokens: 0, ...usage(1) });
    const { reservation } = passed(await gate.admit(KEY, { model: "m", maxOutputTokens: 0, ...usage(1) }));
    settled(await gate.release(reservation));
    await quiet();
  }

  const sum = (some: readonly Call[]) => some.reduce((all, call) => all + (call.settled ?? call.reserved), 0);
  const readings = await gate.usage({ orgId: "o1", ...KEY });
  const used = (meter: string) => readings.find((reading) => reading.meter === meter)?.used;
  expect(used("cost")).toBe(sum(made));
  const open = made.filter((call) => call.settled === undefined && call.reservation.expiresAt > clock.at);
  expect(used("inFlight")).toBe(open.length);
  const recent = made.filter((call) => open.includes(call) || call.at > clock.at - TWO_WINDOWS_MS);
  const atMost = made.filter(
    (call) => recent.includes(call) || call.reservation.expiresAt > clock.at - TWO_WINDOWS_MS,
  );
  if (clock.at < begin + MINUTE_MS) expect(used("tokens")).toBe(sum(made));
  else expect(used("tokens")).toBeLessThanOrEqual(sum(expires ? atMost : recent));
  return seen;
}

it.each([
  ["whose calls all end in time", false, waits(1, 1_000, 7_000, MINUTE_MS + 1_000)],
  ["that calls do not live to see the end of", true, waits(1_000, MINUTE_MS + 1_000, TTL_MS + 1)],
] as const)("every call is counted once, whatever the outages, %s", async (_, expires, wait) => {
  const all = { local: 0, taken: 0, undone: 0, lost: 0, expired: 0 };
  await fc.assert(
    fc.asyncProperty(history(wait), fc.nat(), async (ops, seed) => {
      const seen = await run(ops, seed, expires);
      for (const name of ["local", "taken", "undone", "lost", "expired"] as const) all[name] += seen[name];
    }),
    { numRuns: 60 },
  );
  const { expired, ...always } = all;
  for (const times of Object.values(always)) expect(times).toBeGreaterThan(0);
  expect(expired > 0).toBe(expires);
});
