import { type Charges, chargeList } from "../../admission/charge.js";
import { plainRefusal, type Refused } from "../../admission/refusal.js";
import type { CountersUnavailableError } from "../../model/errors.js";
import { limitRefusal } from "../call/refusing.js";
import type { Degraded, Reservation } from "../call/reservation.js";
import type { Engine } from "../engine.js";
import { type GuardedCounters, guarded } from "./guarded-counters.js";

/**
 * The counters that hold a reservation: this process's own, if it was counted locally and not yet handed over, or else
 * the gate's.
 */
export function countersOf(engine: Engine, { id, degraded }: Reservation): GuardedCounters {
  return degraded === "local" && engine.local.keeps(id) ? engine.local : guarded(engine.settings);
}

/** Notes that the counters did not answer, emits `degraded`, and returns what the gate does now. */
export function degrade(engine: Engine, now: number, error: CountersUnavailableError): "deny" | Degraded {
  const { onCountersDown } = engine.settings;
  const mode = onCountersDown === "allow" ? "uncounted" : onCountersDown;
  engine.outage.isOn = true;
  engine.events.emit("degraded", { at: now, mode, error });
  return mode;
}

/**
 * The refusal of a call that does not fit this process's share of its limits. If it does not fit the whole limits
 * either, those refuse it. If it does, no limit is short and the outage is the reason.
 *
 * @param charges against the whole limits, not the shares
 */
export async function refusedLocally(
  engine: Engine,
  orgId: string,
  now: number,
  charges: Charges,
): Promise<Refused> {
  const { list, readings, isShort } = await roomHere(engine, orgId, now, charges);
  return isShort ? limitRefusal(list, readings, now) : plainRefusal("counters_unavailable");
}

/**
 * Compares charges with what this process has counted by itself, and says whether an enforced limit has no room for
 * one.
 */
export async function roomHere(engine: Engine, orgId: string, now: number, charges: Charges) {
  const list = chargeList(charges);
  const readings = await engine.local.read({ orgId, now, charges: list });
  const isShort = list.some(({ limit }, i) => limit.mode === "enforce" && readings[i]?.waitMs !== 0);
  return { list, readings, isShort };
}

/**
 * Called when the counters have answered the reserve of an admission or a check. It ends an outage, if there was one;
 * what was counted without them is handed over in the background.
 */
export function recover(engine: Engine, now: number): void {
  const { outage, local } = engine;
  if (outage.isEnding || (!outage.isOn && !local.owes)) return;
  outage.isOn = false;
  outage.isEnding = true;
  giveBack(engine, now)
    .then(
      () => !outage.isOn && engine.events.emit("restored", { at: now }),
      () => {
        // They are down again. What is left waits for the next answer, as `restored` does, whoever gives it meanwhile.
        outage.isOn = true;
      },
    )
    .finally(() => {
      outage.isEnding = false;
    });
}

/**
 * Gives the counters what was counted without them.
 *
 * @throws CountersUnavailableError if they do not take all of it
 */
export async function giveBack(engine: Engine, now: number): Promise<void> {
  const counters = guarded(engine.settings);
  // The second time is for what was counted during the first.
  for (let times = 0; times < 2 && engine.local.owes; times++) await engine.local.giveBack(counters, now);
}
