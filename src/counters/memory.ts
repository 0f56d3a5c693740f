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

/** Makes counters in the memory of this process, the default. A restart forgets them. */
export function memoryCounters(): MemoryCounters {
  return new MemoryCounters();
}

/** Counters in the memory of this process; see {@link memoryCounters}. */
export class MemoryCounters implements Counters {
  readonly #counts = new ScopeCounts();
  readonly #ids = new ReservationIds(randomBytes(12).toString("base64url"));
  readonly #reservations = new OpenReservations(this.#ids);
  readonly #counting = new Counting(this.#counts, this.#reservations);
  readonly #direct = new MemoryDirect(this.#counts, this.#reservations, this.#ids);

  /** False if somebody has replaced a method, as tests of an outage do: a replacement may be slow or fail. */
  get inProcess(): boolean {
    return this.reserve === reserve && this.settle === settle && this.read === read;
  }

  /** @internal */
  get direct(): DirectCounters | undefined {
    return this.inProcess ? this.#direct : undefined;
  }

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

  /** How many reservations are open. One whose TTL has passed goes with the next call. For tests and diagnosis. */
  get openReservations(): number {
    return this.#reservations.size;
  }

  /** Everything that is counted, as plain data. For tests and diagnosis. */
  dump(): Record<string, Record<string, readonly (number | null)[]>> {
    return this.#counts.dump();
  }
}

/** The methods as defined above, so that one replaced on the prototype is noticed too. */
const { reserve, settle, read } = MemoryCounters.prototype;
