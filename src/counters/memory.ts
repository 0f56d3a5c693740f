import { randomBytes } from "node:crypto";
import type { Reading } from "../admission/charge.js";
import type {
  Counters,
  DirectCounters,
  ReadQuery,
  ReserveOutcome,
  ReserveRequest,
  SettleOutcome,
  SettleRequest,
} from "./counters.js";
import { Counting } from "./counting.js";
import { MemoryDirect } from "./memory-direct.js";
import { OpenReservations } from "./open-reservations.js";
import { ReservationIds } from "./reservation-ids.js";
import { ScopeCounts } from "./scope-counts.js";

/** Counters in the memory of this process: the embedded default. A restart forgets them. */
export function memoryCounters(): MemoryCounters {
  return new MemoryCounters();
}

export class MemoryCounters implements Counters {
  readonly inProcess = true;
  readonly #counts = new ScopeCounts();
  readonly #ids = new ReservationIds(randomBytes(12).toString("base64url"));
  readonly #reservations = new OpenReservations(this.#ids);
  readonly #counting = new Counting(this.#counts, this.#reservations);
  /** @internal */
  readonly direct: DirectCounters = new MemoryDirect(this.#counts, this.#reservations, this.#ids);

  async reserve(request: ReserveRequest): Promise<ReserveOutcome> {
    return this.#counting.reserve(request);
  }

  async settle(request: SettleRequest): Promise<SettleOutcome> {
    return this.#counting.settle(request);
  }

  async read(query: ReadQuery): Promise<Reading[]> {
    return this.#counting.read(query);
  }

  async close(): Promise<void> {}

  /** How many reservations are kept open; one whose TTL has passed goes with the next call. For tests and diagnosis. */
  get openReservations(): number {
    return this.#reservations.size;
  }

  /** Everything that is counted, as plain data. For tests and diagnosis. */
  dump(): Record<string, Record<string, readonly (number | null)[]>> {
    return this.#counts.dump();
  }
}
