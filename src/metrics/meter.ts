/** Attributes that tell the series of one metric apart. */
export type MetricAttributes = Record<string, string | boolean>;

/** What OpenTelemetry is told of a metric. */
export interface MetricOptions {
  readonly description: string;
  readonly unit: string;
  readonly advice?: { explicitBucketBoundaries: number[] };
}

/** Reports the value of a metric when it is collected. */
export type Observe = (result: { observe(value: number, attributes?: MetricAttributes): void }) => void;

/** A metric whose value is read when it is collected. */
export interface ObservableMetric {
  addCallback(observe: Observe): void;
  removeCallback(observe: Observe): void;
}

/** The part of OpenTelemetry's `Meter` that is used. `metrics.getMeter("gateway")` is one. */
export interface MetricsMeter {
  createCounter(
    name: string,
    options: MetricOptions,
  ): { add(value: number, attributes: MetricAttributes): void };
  createHistogram(
    name: string,
    options: MetricOptions,
  ): { record(value: number, attributes: MetricAttributes): void };
  createObservableGauge(name: string, options: MetricOptions): ObservableMetric;
  createObservableCounter(name: string, options: MetricOptions): ObservableMetric;
}
