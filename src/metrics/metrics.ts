import type { MetricOptions } from "./meter.js";

/** Buckets in seconds, from 0.1 ms, which is what counters in memory take, to 10 s. */
const DURATIONS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const WAITS = [0.01, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300];
const SHARES = [0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
/** From OpenTelemetry's semantic conventions for `gen_ai.client.token.usage`. */
const TOKENS = Array.from({ length: 14 }, (_, power) => 4 ** power);

interface Metric extends MetricOptions {
  readonly kind: "counter" | "histogram" | "gauge" | "observable counter";
}

function histogram(unit: string, boundaries: number[], description: string): Metric & { kind: "histogram" } {
  return { kind: "histogram", unit, description, advice: { explicitBucketBoundaries: boundaries } };
}

/** Every metric, by its name. Units are those of UCUM, in OpenTelemetry's notation. */
export const METRICS = {
  "tollgate.admissions": { kind: "counter", unit: "{call}", description: "Calls that were admitted." },
  "tollgate.refusals": {
    kind: "counter",
    unit: "{call}",
    description: "Calls, and extensions of calls, that were refused, by reason and scope.",
  },
  "tollgate.shadow_refusals": {
    kind: "counter",
    unit: "{refusal}",
    description: "What limits in shadow mode would have refused of the calls that were admitted.",
  },
  "tollgate.overdrafts": {
    kind: "counter",
    unit: "{limit}",
    description: "Limits that a settle has put above their max.",
  },
  "tollgate.degradations": {
    kind: "counter",
    unit: "{call}",
    description: "Calls decided while the counters did not answer.",
  },
  "tollgate.spend": {
    kind: "counter",
    unit: "{USD}",
    description: "What settled calls have cost, in US dollars.",
  },
  "gen_ai.client.token.usage": histogram("{token}", TOKENS, "Number of input and output tokens used."),
  "tollgate.limit.remaining_share": histogram(
    "1",
    SHARES,
    "What an admitted call left of each of its limits, as a share of the max.",
  ),
  "tollgate.admit.duration": histogram("s", DURATIONS, "How long admit took."),
  "tollgate.settle.duration": histogram("s", DURATIONS, "How long settle or release took."),
  "tollgate.queue.depth": { kind: "gauge", unit: "{call}", description: "Calls that wait." },
  "tollgate.queue.wait.duration": histogram("s", WAITS, "How long calls waited, by how they left the queue."),
  "tollgate.ledger.lag": {
    kind: "gauge",
    unit: "s",
    description: "Age of the oldest usage event that the ledger's sink has not acknowledged.",
  },
  "tollgate.ledger.pending": {
    kind: "gauge",
    unit: "{event}",
    description: "Usage events that the ledger's sink has not acknowledged.",
  },
  "tollgate.ledger.dropped": {
    kind: "observable counter",
    unit: "{event}",
    description: "Usage events lost because the ledger was full or closed.",
  },
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof METRICS;
