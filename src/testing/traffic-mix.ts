import { ValidationError } from "../model/errors.js";
import { seededRandom } from "./random.js";
import type { AssignedCall } from "./replay.js";
import type { Caller } from "./replay-step.js";
import type { TraceCall } from "./trace.js";

/** A caller and its share of the traffic. */
export interface Client extends Caller {
  /** Its share of the calls relative to the other clients, 0 or more. */
  readonly share: number;
  /** The model it calls, or several, each with its share of the client's calls. */
  readonly model: string | Readonly<Record<string, number>>;
  /** The most output tokens that its calls ask for. Without it, the gate's estimator decides what to reserve. */
  readonly maxOutputTokens?: number | undefined;
}

/**
 * Assigns the calls of a trace to clients at random, the same way for the same seed and index. Pass the result to
 * {@link replay} as `assign`.
 *
 * @param clients the callers and their shares
 * @param seed a whole number. Default: 1.
 * @throws ValidationError if the shares of the clients, or of one client's models, are negative or all zero, or the
 *   seed is not a whole number
 */
export function trafficMix(
  clients: readonly Client[],
  seed = 1,
): (call: TraceCall, index: number) => AssignedCall {
  if (!Number.isSafeInteger(seed)) throw new ValidationError([{ field: "seed", expected: "a whole number" }]);
  const pickClient = weighted(
    clients.map((client) => [client, client.share] as const),
    "clients",
  );
  const pickModel = new Map(
    clients.map((client) => [
      client,
      weighted(
        typeof client.model === "string" ? [[client.model, 1] as const] : Object.entries(client.model),
        `clients.${client.name}.model`,
      ),
    ]),
  );
  return ({ inputTokens }, index) => {
    const random = seededRandom(Math.imul(seed, 0x9e3779b1) + index);
    const caller = pickClient(random());
    const model = pickModel.get(caller)?.(random());
    const { maxOutputTokens } = caller;
    return {
      caller,
      usage: { model, inputTokens, ...(maxOutputTokens !== undefined && { maxOutputTokens }) },
    };
  };
}

/** Picks one of several, each as often as its weight says, by a number from 0 up to 1. */
function weighted<T>(
  items: readonly (readonly [item: T, weight: number])[],
  field: string,
): (at: number) => T {
  const total = items.reduce((sum, [, weight]) => sum + weight, 0);
  const last = items.findLast(([, weight]) => weight > 0);
  if (last === undefined || !Number.isFinite(total) || items.some(([, weight]) => !(weight >= 0))) {
    throw new ValidationError([{ field, expected: "shares of 0 or more that add up to more than 0" }]);
  }
  return (at) => {
    let rest = at * total;
    for (const [item, weight] of items) {
      if (rest < weight) return item;
      rest -= weight;
    }
    return last[0]; // what rounding may leave over
  };
}
