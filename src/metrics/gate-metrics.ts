import * as z from "zod";
import type { CallContext, GateEvents } from "../gate/events/events.js";
import type { Gate } from "../gate/gate.js";
import { masked } from "../model/masked.js";
import { aFunction, having, parse } from "../model/validation.js";
import type { MetricAttributes, MetricsMeter, Observe } from "./meter.js";
import { METRICS, type MetricName } from "./metrics.js";

/** A queue whose depth and waits are measured, such as one made by `createQueue`. */
export interface MeteredQueue {
  status(): { readonly waiting: number };
  on(
    event: "left",
    listener: (event: { readonly outcome: string; readonly waitedMs: number }) => void,
  ): () => void;
}

/** A ledger whose lag is measured, such as one made by `createLedger`. */
export interface MeteredLedger {
  status(): { readonly pending: number; readonly lagMs: number; readonly dropped: number };
}

/** Options of {@link gateMetrics}. */
export interface GateMetricsOptions {
  /** A meter of OpenTelemetry: `metrics.getMeter("gateway")`. */
  readonly meter: MetricsMeter;
  /** The queue to measure. Default: none. */
  readonly queue?: MeteredQueue | undefined;
  /** The ledger to measure. Default: none. */
  readonly ledger?: MeteredLedger | undefined;
  /**
   * Whether each org has series of its own of admissions, refusals, overdrafts, spend, tokens and remaining shares.
   * Default: `false`.
   */
  readonly perOrg?: boolean | undefined;
  /** Whether each project has them, by org and project. Default: `false`. */
  readonly perProject?: boolean | undefined;
  /**
   * Whether each key has them, by org, project and key. Each of these metrics then has as many series as there are
   * active keys, or more. Default: `false`.
   */
  readonly perKey?: boolean | undefined;
  /** The value of `gen_ai.operation.name` for tokens. Default: `chat`. */
  readonly operation?: string | undefined;
  /**
   * Returns the value of `gen_ai.provider.name` for a model. Default: the part of its id before the first `/`, or
   * `_OTHER`.
   */
  readonly provider?: ((model: string) => string) | undefined;
}

const optionsSchema = z.strictObject({
  meter: having<MetricsMeter>(
    "createCounter",
    "createHistogram",
    "createObservableGauge",
    "createObservableCounter",
  ),
  queue: having<MeteredQueue>("status", "on").optional(),
  ledger: having<MeteredLedger>("status").optional(),
  perOrg: z.boolean().optional(),
  perProject: z.boolean().optional(),
  perKey: z.boolean().optional(),
  operation: z.string().optional(),
  provider: aFunction<(model: string) => string>().optional(),
});

/**
 * Measures a gate from now on, and optionally its queue and ledger, as OpenTelemetry metrics.
 *
 * @returns a function that stops measuring
 * @throws ValidationError naming the option that is wrong
 */
export function gateMetrics(gate: Pick<Gate, "on">, options: GateMetricsOptions): () => void {
  const given = parse(optionsSchema, options, "options");
  const { meter, queue, ledger, operation = "chat", provider = providerOf } = given;
  const whose = whoseOf(given);
  const counter = (name: NamesOf<"counter">) => meter.createCounter(name, METRICS[name]);
  const histogram = (name: NamesOf<"histogram">) => meter.createHistogram(name, METRICS[name]);
  const stops: (() => void)[] = [];
  const observe = (name: NamesOf<"gauge" | "observable counter">, read: () => number) => {
    const create = METRICS[name].kind === "gauge" ? "createObservableGauge" : "createObservableCounter";
    const observable = meter[create](name, METRICS[name]);
    const callback: Observe = (result) => result.observe(read());
    observable.addCallback(callback);
    stops.push(() => observable.removeCallback(callback));
  };

  const admissions = counter("tollgate.admissions");
  const refusals = counter("tollgate.refusals");
  const shadowRefusals = counter("tollgate.shadow_refusals");
  const overdrafts = counter("tollgate.overdrafts");
  const degradations = counter("tollgate.degradations");
  const spend = counter("tollgate.spend");
  const tokens = histogram("gen_ai.client.token.usage");
  const shares = histogram("tollgate.limit.remaining_share");
  const admitDuration = histogram("tollgate.admit.duration");
  const settleDuration = histogram("tollgate.settle.duration");

  function onAdmission({ admission, tookMs }: GateEvents["admission"]): void {
    const admitted = admission.admitted && admission.replayed ? "replayed" : "admitted";
    const outcome = admission.admitted ? admitted : "refused";
    admitDuration.record(tookMs / 1000, { "tollgate.outcome": outcome });
    // A repeated request is not another call, and nothing is charged for it.
    if (!admission.admitted || admission.replayed) return;
    const caller = whose(admission);
    admissions.add(1, caller);
    for (const { reason, limit } of admission.shadow) {
      const of: MetricAttributes = limit
        ? { "tollgate.scope": limit.scope, "tollgate.meter": limit.meter }
        : {};
      shadowRefusals.add(1, { "tollgate.reason": reason, ...of, ...caller });
    }
    for (const { scope, meter, window, max, remaining, mode } of admission.limits) {
      if (mode === "shadow" || max === 0) continue;
      const of = { "tollgate.scope": scope, "tollgate.meter": meter, "tollgate.window": window };
      shares.record(remaining / max, { ...of, ...caller });
    }
  }

  function onSettlement({ settlement, reservation, actual, tookMs }: GateEvents["settlement"]): void {
    const settled = actual === undefined ? "released" : "settled";
    const outcome = settlement.settled ? settled : settlement.reason;
    settleDuration.record(tookMs / 1000, { "tollgate.outcome": outcome });
    // A released call was never sent. Its model is whatever the client wrote, and it used nothing.
    if (!settlement.settled || actual === undefined) return;
    const { costNanoUsd, inputTokens, outputTokens } = settlement.charged;
    const named = actual.model ?? reservation.model;
    const model = named && masked(named); // a client may have written its token there
    const caller = whose(reservation);
    const models: MetricAttributes = model === undefined ? {} : { "gen_ai.response.model": model };
    spend.add(costNanoUsd / 1e9, { ...models, ...caller, "tollgate.byok": reservation.byok });
    if (model === undefined) return; // an MCP server has no tokens
    const call: MetricAttributes = {
      ...models,
      ...caller,
      "gen_ai.operation.name": operation,
      "gen_ai.provider.name": provider(model),
      "gen_ai.request.model": masked(reservation.model ?? model),
    };
    tokens.record(inputTokens, { ...call, "gen_ai.token.type": "input" });
    tokens.record(outputTokens, { ...call, "gen_ai.token.type": "output" });
  }

  stops.push(
    gate.on("admission", onAdmission),
    gate.on("settlement", onSettlement),
    gate.on("refusal", ({ refusal, context }) => {
      const scope: MetricAttributes = refusal.scope === undefined ? {} : { "tollgate.scope": refusal.scope };
      refusals.add(1, { "tollgate.reason": refusal.reason, ...scope, ...(context && whose(context)) });
    }),
    gate.on("overdraft", ({ limits, context }) => {
      for (const { scope, meter } of limits) {
        overdrafts.add(1, { "tollgate.scope": scope, "tollgate.meter": meter, ...whose(context) });
      }
    }),
    gate.on("degraded", ({ mode }) => degradations.add(1, { "tollgate.mode": mode })),
  );
  if (queue !== undefined) {
    const waits = histogram("tollgate.queue.wait.duration");
    observe("tollgate.queue.depth", () => queue.status().waiting);
    stops.push(
      queue.on("left", ({ outcome, waitedMs }) =>
        waits.record(waitedMs / 1000, { "tollgate.outcome": outcome }),
      ),
    );
  }
  if (ledger !== undefined) {
    observe("tollgate.ledger.lag", () => ledger.status().lagMs / 1000);
    observe("tollgate.ledger.pending", () => ledger.status().pending);
    observe("tollgate.ledger.dropped", () => ledger.status().dropped);
  }
  return () => {
    for (const stop of stops.splice(0)) stop();
  };
}

type Kind = (typeof METRICS)[MetricName]["kind"];
type NamesOf<K extends Kind> = {
  [N in MetricName]: (typeof METRICS)[N]["kind"] extends K ? N : never;
}[MetricName];

/** The attributes that say whose call it was, as far as that was asked for. */
function whoseOf({
  perOrg,
  perProject,
  perKey,
}: Pick<GateMetricsOptions, "perOrg" | "perProject" | "perKey">) {
  const [org, project, key] = [perOrg || perProject || perKey, perProject || perKey, perKey];
  return ({ orgId, projectId, keyId }: Omit<CallContext, "userId">): MetricAttributes => ({
    ...(org && { "tollgate.org": orgId }),
    ...(project && { "tollgate.project": projectId }),
    ...(key && { "tollgate.key": keyId }),
  });
}

function providerOf(model: string): string {
  const slash = model.indexOf("/");
  return slash > 0 ? model.slice(0, slash) : "_OTHER";
}
