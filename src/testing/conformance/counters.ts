import type { Counters } from "../../counters/counters.js";
import { type ConformanceCase, conformanceCases } from "./case.js";
import { clocks } from "./counters-clocks.js";
import { concurrency } from "./counters-concurrency.js";
import { dryRuns } from "./counters-dry-runs.js";
import { idempotent } from "./counters-idempotency.js";
import { lifetimes } from "./counters-lifetimes.js";
import { names } from "./counters-names.js";
import { periods } from "./counters-periods.js";
import { repeated, repeatedLater } from "./counters-repeats.js";
import { reserving } from "./counters-reserving.js";
import { settling } from "./counters-settling.js";
import { traceCounters } from "./counters-trace.js";
import { type CountersClock, CountersTrial } from "./counters-trial.js";
import { windows } from "./counters-windows.js";

/**
 * Makes empty counters for one case, separate from those of every other case. The suite closes them.
 *
 * @param told the clock to use. Counters with a clock of their own are told to use the caller's.
 */
export type MakeCounters = (told: { readonly clock: CountersClock }) => Counters | Promise<Counters>;

/** Options of {@link countersConformance}. */
export interface CountersConformanceOptions {
  /**
   * The clock that the counters use. With `caller` it is the `now` of each call. With `server` they use their own, and
   * the cases that need to move it by hand are left out, so run the suite on the caller's clock too. Default: `caller`.
   */
  readonly clock?: CountersClock | undefined;
  /** The seeds of the random traces. Default: 1 to 10. A failure names its seed. */
  readonly seeds?: readonly number[] | undefined;
}

const SEEDS = Array.from({ length: 10 }, (_, i) => i + 1);

/**
 * What every adapter of counters must do, as cases for any test runner.
 *
 * @param make makes the counters of one case
 */
export function countersConformance(
  make: MakeCounters,
  { clock = "caller", seeds = SEEDS }: CountersConformanceOptions = {},
): ConformanceCase[] {
  const traces = seeds.map((seed) => [
    `a random trace with seed ${seed} is answered as by the exact model, step by step`,
    (trial: CountersTrial) => traceCounters(trial.counters, { seed }),
  ]);
  const byClock = {
    ...repeatedLater,
    ...windows,
    ...clocks,
    ...lifetimes,
    ...periods,
    ...Object.fromEntries(traces),
  };
  const cases = {
    ...reserving,
    ...dryRuns,
    ...concurrency,
    ...settling,
    ...idempotent,
    ...repeated,
    ...names,
  };
  return conformanceCases(
    clock === "caller" ? { ...cases, ...byClock } : cases,
    async () => new CountersTrial(await make({ clock }), clock),
    (trial) => trial.counters.close(),
  );
}
