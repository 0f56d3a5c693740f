import { type Charges, chargeList } from "../../admission/charge.js";
import { plainRefusal, type Refused } from "../../admission/refusal.js";
import type { CountersUnavailableError } from "../../model/errors.js";
import { limitRefusal } from "../call/refusing.js";
import type { Degraded, Reservation } from "../call/reservation.js";
import type { Engine } from "../engine.js";
import { type GuardedCounters, guarded } from "./guarded-counters.js";

/** The counters that hold a reservation: those it was made by, or the store, which takes over what was counted locally. */
export function countersOf(engine: Engine, { id, degraded }: Reservation): GuardedCounters {
  return degraded === "local" && engine.local.keeps(id) ? engine.local : guarded(engine.settings);
}

/** What the gate does while its counters do not answer, told to whoever listens. */
export function degrade(engine: Engine, now: number, error: CountersUnavailableError): "deny" | Degraded {
  const { onCountersDown } = engine.settings;
  const mode = onCountersDown === "allow" ? "uncounted" : onCountersDown;
  engine.outage.isOn = true;
  engine.events.emit("degraded", { at: now, mode, error });
  return mode;
}

/** A call that fits the limits, but not this process's share of them, is refused for the outage: no limit says what it was short of. */
export async function refusedLocally(
  engine: Engine,
  orgId: string,
  now: number,
  charges: Charges,
): Promise<Refused> {
  const { list, readings, isShort } = await roomHere(engine, orgId, now, charges);
  return isShort ? limitRefusal(list, readings, now) : plainRefusal("counters_unavailable");
}

/** How charges stand against what this process has counted by itself, and whether one that refuses has no room. */
export async function roomHere(engine: Engine, orgId: string, now: number, charges: Charges) {
  const list = chargeList(charges);
  const readings = await engine.local.read({ orgId, now, charges: list });
  const isShort = list.some(({ limit }, i) => limit.mode === "enforce" && readings[i]?.waitMs !== 0);
  return { list, readings, isShort };
}

/** After an answer of the counters: ends an outage. No call waits for what is given back. */
export function recover(engine: Engine, now: number): void {
  const { outage, local } = engine;
  if (outage.isEnding || (!outage.isOn && !local.owes)) return;
  outage.isOn = false;
  outage.isEnding = true;
  giveBack(engine, now)
    .then(
      () => !outage.isOn && engine.events.emit("restored", { at: now }),
      () => {}, // they are down again: what is left waits for the next answer
    )
    .finally(() => {
      outage.isEnding = false;
    });
}

/**
 * Gives the counters what was counted without them.
 *
 * @throws CountersUnavailableError where they do not take all of it
 */
export async function giveBack(engine: Engine, now: number): Promise<void> {
  const counters = guarded(engine.settings);
  // A second time for what came while it was being given.
  for (let times = 0; times < 2 && engine.local.owes; times++) await engine.local.giveBack(counters, now);
}
