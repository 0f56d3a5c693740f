import type { CompiledChain } from "../../admission/compiled-chain.js";
import type { EstimatedUse } from "../../admission/estimated-use.js";
import type { ReserveRequest } from "../../counters/counters.js";
import { nanoUsd } from "../../model/money.js";
import type { Usage } from "../../model/usage.js";

/** Identifies a call with a request id when its client sends it again. */
export class CallIdempotency implements NonNullable<ReserveRequest["idempotency"]> {
  /** Request ids belong to a key: two keys may use the same one. */
  readonly key: string;
  readonly #call: Usage;
  readonly #use: EstimatedUse;

  constructor({ orgId, keyId }: CompiledChain, call: Usage, use: EstimatedUse) {
    this.key = JSON.stringify([orgId, keyId, call.requestId]);
    this.#call = call;
    this.#use = use;
  }

  /** Equal for the same usage, however it is written. Computed when it is read, since most calls are sent once. */
  get fingerprint(): string {
    const { model, mcpServer, inputTokens, maxOutputTokens, costUsd, tags } = this.#call;
    const { byok, parts } = this.#use;
    const cost = costUsd === undefined ? undefined : nanoUsd(costUsd);
    const named = [sorted(tags), sorted(parts)];
    return JSON.stringify([model, mcpServer, inputTokens, maxOutputTokens, cost, byok, ...named]);
  }
}

function sorted(fields: object | undefined): (readonly [string, unknown])[] {
  return Object.entries(fields ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}
