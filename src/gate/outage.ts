import type { CountersUnavailableError } from "../model/errors.js";
import type { Engine } from "./engine.js";
import { guarded } from "./guarded-counters.js";
import type { Degraded } from "./reservation.js";

/** Whether the counters did not answer when they were last asked for room. */
export class Outage {
  isOn = false;
}

/** What the gate does while its counters do not answer, told to whoever listens. */
export function degrade(engine: Engine, now: number, error: CountersUnavailableError): "deny" | Degraded {
  const { onCountersDown } = engine.settings;
  const mode = onCountersDown === "allow" ? "uncounted" : onCountersDown;
  engine.outage.isOn = true;
  engine.events.emit("degraded", { at: now, mode, error });
  return mode;
}

/** After an answer of the counters: ends an outage. No call waits for what is given back. */
export function recover(engine: Engine, now: number): void {
  if (!engine.outage.isOn && !engine.local.owes) return;
  engine.outage.isOn = false;
  giveBack(engine, now).then(
    () => engine.events.emit("restored", { at: now }),
    () => {}, // they are down again: what is left waits for the next answer
  );
}

/**
 * Gives the counters what was counted without them.
 *
 * @throws CountersUnavailableError where they do not take all of it
 */
export async function giveBack(engine: Engine, now: number): Promise<void> {
  if (engine.local.owes) await engine.local.giveBack(guarded(engine, engine.settings.counters), now);
}
