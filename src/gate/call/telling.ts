import type { Actual, Usage } from "../../model/usage.js";
import type { KeyRef } from "../chain/key-resolver.js";
import type { Engine } from "../engine.js";
import type { GateEvents } from "../events/events.js";
import type { Admission } from "./admission.js";
import { admit } from "./admitting.js";
import { asItIs, reservationFrom } from "./reservation.js";
import type { Settlement } from "./settlement.js";
import { actualFrom, release, settle } from "./settling.js";

/** Like `admit`, and emits the answer with the time it took. Used only while somebody listens. */
export async function toldAdmit(engine: Engine, key: KeyRef, usage: Usage): Promise<Admission> {
  const at = engine.settings.clock.now();
  const startedAt = performance.now();
  const admission = await admit(engine, key, usage, false);
  engine.events.emit("admission", { at, admission, tookMs: performance.now() - startedAt });
  return admission;
}

// Both tell of copies, since the caller may change its objects while the reservation is being closed.

/** Like `settle`, while somebody listens. */
export async function toldSettle(engine: Engine, given: unknown, actual: Actual): Promise<Settlement> {
  const call = { reservation: asItIs(reservationFrom(given)), actual: actualFrom(actual) };
  return toldEnd(engine, call, () => settle(engine, given, actual));
}

/** Like `release`, while somebody listens. */
export async function toldRelease(engine: Engine, given: unknown): Promise<Settlement> {
  const call = { reservation: asItIs(reservationFrom(given)) };
  return toldEnd(engine, call, () => release(engine, given));
}

async function toldEnd(
  engine: Engine,
  call: Pick<GateEvents["settlement"], "reservation" | "actual">,
  end: () => Promise<Settlement>,
): Promise<Settlement> {
  const at = engine.settings.clock.now();
  const startedAt = performance.now();
  const settlement = await end();
  engine.events.emit("settlement", { at, settlement, ...call, tookMs: performance.now() - startedAt });
  return settlement;
}
