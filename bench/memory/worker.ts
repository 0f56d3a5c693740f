import { gateOfChains } from "./chains.js";
import { flexibleCounts, tollgateCounts } from "./counts.js";
import { weigh } from "./weigh.js";

// One thing in a process of its own: fills it and says what it weighs. Run with --expose-gc.

const FILLS = { tollgateCounts, flexibleCounts, gateOfChains } as const;
export type Fill = keyof typeof FILLS;

const [name = "", keys = ""] = process.argv.slice(2);
if (!Object.hasOwn(FILLS, name)) throw new Error(`nothing to weigh is called ${name}`);
const fill = FILLS[name as Fill]; // sound: it is a key
await fill(1000); // what code and caches weigh is not counted
process.send?.(await weigh(() => fill(Number(keys))));
process.exit(); // timers of rate-limiter-flexible would go on
