import type { CompiledChain } from "../../admission/compiled-chain.js";
import { latestUsed } from "../latest-used.js";
import { contextOf, type GateEventHub } from "./events.js";

/** How long before its end a key is told of. */
const EXPIRY_NOTICE_MS = 604_800_000;

/** How many keys are remembered. One that is forgotten may be told of twice, but none goes untold. */
const KEYS_MAX = 10_000;

/** Tells once of each key in use that ends within a week. Every process tells for itself. */
export class ExpiryNotices {
  readonly #events: GateEventHub;
  readonly #told = latestUsed<number>(KEYS_MAX);

  constructor(events: GateEventHub) {
    this.#events = events;
  }

  /** Looks at a key of which a call was admitted. */
  look(chain: CompiledChain, now: number): void {
    const { endsAt: expiresAt, keyId } = chain;
    if (expiresAt === undefined || expiresAt - now > EXPIRY_NOTICE_MS) return;
    if (!this.#events.wants("keyExpiring")) return;
    if (this.#told.get(keyId) === expiresAt) return;
    this.#told.set(keyId, expiresAt);
    this.#events.emit("keyExpiring", { at: now, expiresAt, context: contextOf(chain) });
  }
}
