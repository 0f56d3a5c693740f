import type { Charge } from "../../admission/charge.js";
import { countName } from "../../admission/limit.js";
import type { UsageEvent } from "../../ledger/usage-event.js";
import { chunks } from "../chunks.js";
import type { Engine } from "../engine.js";
import { guarded } from "../outage/guarded-counters.js";
import type { Budget } from "./budget-sums.js";

/** If a process dies during a rebuild, others can begin one after this time, in milliseconds. */
const TURN_TTL_MS = 60_000;

/** The TTL in milliseconds of the reservation that raises a count. Nobody settles it, and it expires soon. */
const RAISED_TTL_MS = 10_000;

/** How many questions the counters are asked at once. */
const AT_A_TIME = 32;

/**
 * Takes the turn to rebuild the counts of an org, since two processes at once would both add what is missing. The turn
 * is a reservation without charges, under an idempotency key that no call can have.
 *
 * @returns a function that ends the turn, or `undefined` if another process has it
 */
export async function turnToRebuild(
  engine: Engine,
  orgId: string,
  now: number,
): Promise<(() => Promise<void>) | undefined> {
  const counters = guarded(engine.settings);
  const id = engine.ids.next();
  const idempotency = { key: JSON.stringify(["rebuild", orgId]), fingerprint: "rebuild" };
  const request = { id, orgId, now, ttlMs: TURN_TTL_MS, charges: [], idempotency };
  const { outcome } = await counters.reserve(request);
  if (outcome !== "reserved") return undefined;
  return async () => {
    try {
      await counters.settle({ id, orgId, now, amounts: [] });
    } catch {} // it ends by itself
  };
}

/**
 * How much of each budget's count is held by calls under way. The counters are asked, since the ledger cannot tell such
 * calls from those whose end it has lost, nor from those that the counters have lost. Each call counts with at most
 * what the ledger knew of it: an extension made since is not in the counts that this is compared with.
 */
export async function heldFor(
  engine: Engine,
  budgets: readonly Budget[],
  calls: readonly UsageEvent[],
  now: number,
): Promise<number[]> {
  const places = new Map(budgets.map(({ limit }, i) => [countName(limit), i]));
  const held = budgets.map(() => 0);
  for (const some of chunks(calls, AT_A_TIME)) {
    await Promise.all(
      some.map(async (call) => {
        for (const { limit, period, amount } of await chargesOf(engine, call, now)) {
          const i = places.get(countName(limit));
          if (i === undefined || budgets[i]?.period?.index !== period?.index) continue;
          held[i] = (held[i] ?? 0) + Math.min(amount, call.costNanoUsd);
        }
      }),
    );
  }
  return held;
}

/** What a reservation holds, or nothing if it is not open. It is found by a dry run of an extension without charges. */
async function chargesOf(engine: Engine, { id, orgId }: UsageEvent, now: number): Promise<readonly Charge[]> {
  const ttlMs = engine.settings.reservationTtlMs;
  const request = { id, orgId, now, ttlMs, charges: [], extend: true, dryRun: true };
  const answer = await guarded(engine.settings).reserve(request);
  return answer.outcome === "reserved" ? answer.charges : [];
}

/** Raises a count, above its max if necessary. The reservation is left to expire, so what it charged stays charged. */
export async function raise(
  engine: Engine,
  orgId: string,
  { limit, period }: Budget,
  missing: number,
  now: number,
): Promise<void> {
  const charge: Charge = { limit: { ...limit, mode: "shadow" }, amount: missing, period };
  const request = { id: engine.ids.next(), orgId, now, ttlMs: RAISED_TTL_MS, charges: [charge] };
  await guarded(engine.settings).reserve(request);
}
