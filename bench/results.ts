import type { Bar, Comparison } from "./bars.js";
import type { Figure } from "./figure.js";
import type { Machine } from "./machine.js";
import type { LoadResult } from "./memory/weighing.js";
import type { RedisResult } from "./redis/suite.js";
import type { ServedResult } from "./served/race.js";

/** One run, as `docs/benchmarks/results.json` keeps it. Times are nanoseconds. */
export interface Results {
  /** ISO 8601. */
  readonly date: string;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly bars: readonly Bar[];
  readonly comparisons: readonly Comparison[];
  readonly races: readonly {
    readonly id: string;
    readonly title: string;
    readonly rounds: number;
    readonly entrants: readonly { readonly label: string; readonly cpuNs: Figure; readonly wallNs: Figure }[];
  }[];
  readonly loads: readonly LoadResult[];
  /** Calls that wait for a store. */
  readonly served: readonly ServedResult[];
  /** Absent where there was no server. */
  readonly redis?: RedisResult | undefined;
}
