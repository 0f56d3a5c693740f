import type { Charge, Reading } from "../../admission/charge.js";
import type { CompiledChain } from "../../admission/compiled-chain.js";
import {
  LimitRefusal,
  namedIndex,
  type Refusal,
  type Refused,
  unpricedRefusal,
} from "../../admission/refusal.js";
import type { Engine } from "../engine.js";
import { contextOf } from "../events/events.js";

export const NO_REFUSALS: readonly Refusal[] = Object.freeze([]);

/** The refusal by the limit that is to be named. */
export function limitRefusal(
  charges: readonly Charge[],
  readings: readonly Reading[],
  now: number,
): LimitRefusal {
  return new LimitRefusal(charges, readings, namedIndex(charges, readings), now);
}

/** A refusal, told to whoever listens. */
export function refused(engine: Engine, refusal: Refused, now: number, compiled?: CompiledChain): Refused {
  if (engine.events.wants("refusal")) {
    const context = compiled && { context: contextOf(compiled) };
    engine.events.emit("refusal", { at: now, refusal, ...context });
  }
  return refusal;
}

/**
 * What limits in shadow mode would have refused.
 *
 * @param unpriced what the call named, where budgets would have refused it for want of a price
 * @param byCounts what counts would have refused
 */
export function shadowRefusals(
  unpriced: string | undefined,
  byCounts: readonly Refusal[],
): readonly Refusal[] {
  return unpriced === undefined ? byCounts : [unpricedRefusal(unpriced), ...byCounts];
}

/** The refusals by the limits in shadow mode that were short. */
export function shortShadows(
  charges: readonly Charge[],
  readings: readonly Reading[],
  now: number,
): readonly Refusal[] {
  const short = charges.flatMap(({ limit }, i) => {
    const waits = (readings[i]?.waitMs ?? 0) > 0;
    return limit.mode === "shadow" && waits ? [new LimitRefusal(charges, readings, i, now)] : [];
  });
  return short.length > 0 ? short : NO_REFUSALS;
}
