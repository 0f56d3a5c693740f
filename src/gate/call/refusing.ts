import { type Charge, type Charges, chargeList, type Reading } from "../../admission/charge.js";
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

/** The refusal by the limit that has to be named. */
export function limitRefusal(
  charges: readonly Charge[],
  readings: readonly Reading[],
  now: number,
): LimitRefusal {
  return new LimitRefusal(charges, readings, namedIndex(charges, readings), now);
}

/** Emits a refusal and returns it. */
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
 * @param readings from before the reserve, if a limit in shadow mode was short
 */
export function shadowRefusals(
  unpriced: string | undefined,
  charges: Charges,
  readings: readonly Reading[] | undefined,
  now: number,
): readonly Refusal[] {
  const byPrice = unpriced === undefined ? NO_REFUSALS : [unpricedRefusal(unpriced)];
  if (readings === undefined) return byPrice;
  const list = chargeList(charges);
  const byCounts = list.flatMap(({ limit }, i) => {
    const waits = (readings[i]?.waitMs ?? 0) > 0;
    return limit.mode === "shadow" && waits ? [new LimitRefusal(list, readings, i, now)] : [];
  });
  return [...byPrice, ...byCounts];
}
