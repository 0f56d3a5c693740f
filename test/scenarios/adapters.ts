import { type Counters, memoryCounters } from "tollgate";

/** Makes counters of one kind, empty. */
export type MakeCounters = () => Counters;

/** Every counters adapter that a scenario about counting is run on, by name. */
export const everyCounters: readonly (readonly [name: string, make: MakeCounters])[] = [
  ["memory", () => memoryCounters()],
];
