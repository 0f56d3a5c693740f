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
 * Makes empty counters for one case, apart from those of every other. The suite closes them.
 *
 * @param told whose clock they have to go by: counters with a clock of their own are told to take the caller's
 */
export type MakeCounters = (told: { readonly clock: CountersClock }) => Counters | Promise<Counters>;

export interface CountersConformanceOptions {
  /**
   * `caller`, the default: the counters go by the `now` of each call. `server`: they have a clock of their own, and the
   * cases that need one moved by hand are left out; run the suite on the caller's clock, too.
   */
  readonly clock?: CountersClock;
  /** Seeds of the random traces; ten by default. A failure names its seed. */
  readonly seeds?: readonly number[];
}

const SEEDS = Array.from({ length: 10 }, (_, i) => i + 1);

/**
 * What every adapter of counters has to hold, as cases for any runner.
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
