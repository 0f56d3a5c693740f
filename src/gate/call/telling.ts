import type { Actual, Usage } from "../../model/usage.js";
import type { KeyRef } from "../chain/key-resolver.js";
import type { Engine } from "../engine.js";
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

/** Like `settle`, while somebody listens. */
export function toldSettle(engine: Engine, given: unknown, actual: Actual): Promise<Settlement> {
  const end = (reservation: unknown) => settle(engine, reservation, actual);
  return toldEnd(engine, given, end, () => actualFrom(actual));
}

/** Like `release`, while somebody listens. */
export function toldRelease(engine: Engine, given: unknown): Promise<Settlement> {
  return toldEnd(engine, given, (reservation) => release(engine, reservation));
}

async function toldEnd(
  engine: Engine,
  given: unknown,
  end: (reservation: unknown) => Promise<Settlement>,
  actualNow?: () => Actual,
): Promise<Settlement> {
  const at = engine.settings.clock.now();
  // Copies, since the caller may change its objects while the reservation is being settled.
  const reservation = asItIs(reservationFrom(given));
  const actual = actualNow?.();
  const startedAt = performance.now();
  const settlement = await end(given);
  const tookMs = performance.now() - startedAt;
  engine.events.emit("settlement", { at, settlement, reservation, tookMs, ...(actual && { actual }) });
  return settlement;
}
