import type { Refused } from "../admission/refusal.js";
import type { Admission, Admitted } from "../gate/call/admission.js";
import type { Reservation } from "../gate/call/reservation.js";
import { afterRefusal } from "./after-refusal.js";
import type { Answer, Call } from "./call.js";
import { giveBack } from "./give-back.js";
import { OpenCalls } from "./open-calls.js";
import type { QueuedGate, QueueSettings } from "./options.js";
import { limitsChargedBy, limitsOf, shortOf } from "./refusals.js";
import { isAnySince, type Settled, Settlements } from "./settlements.js";

/** Hears at once what becomes of a call, before anything else can happen. */
interface Listener {
  /** The call has its answer. */
  onAnswer(call: Call, answer: Answer): void;
  /** The gate has refused the call, which `next` says more of: that is its answer, or when to ask again. */
  onRefusal(call: Call, next: Answer | { readonly askAt: number }): void;
}

/** Asks the gate about calls, as far as there is room in flight. */
export class Asker {
  /** The calls that are under way. */
  readonly open: OpenCalls;
  readonly #gate: QueuedGate;
  readonly #settings: QueueSettings;
  readonly #listener: Listener;
  readonly #settlements = new Settlements();

  constructor(gate: QueuedGate, settings: QueueSettings, listener: Listener) {
    this.open = new OpenCalls(settings.maxInFlight);
    this.#gate = gate;
    this.#settings = settings;
    this.#listener = listener;
  }

  /** Asks about one call. The call then has its answer, or a moment at which to ask again. */
  async ask(call: Call): Promise<void> {
    const before = call.state;
    const settled = this.#settlements.latest;
    call.state = "asking";
    try {
      let admission: Admission;
      this.open.ask();
      try {
        admission = await call.inContext(() => this.#gate.admit(call.key, call.usage));
      } finally {
        this.open.answered();
      }
      if (admission.admitted) await this.#admitted(call, admission, settled);
      else if (call.state === "asking") {
        call.state = before;
        this.#refused(call, admission, settled);
      }
    } catch (error) {
      this.#listener.onAnswer(call, { outcome: "failed", error });
    }
  }

  /** Notes that a reservation was settled, of whichever call. */
  settled(reservation: Reservation): void {
    this.#settlements.add(reservation);
    this.open.close(reservation);
  }

  /**
   * Answers an admitted call, or gives the reservation back if nobody waits for it any more.
   *
   * A reservation with a request id is not given back: it may be another call's by now, in this process or another, and
   * that call's settle would come too late. It stays charged until the next try with the id takes it over or its TTL
   * has passed, which errs on the side of refusing.
   *
   * @param settled the last settlement before the gate was asked. The reservation may have ended since, if
   *   another call with the same request id had its answer sooner.
   */
  async #admitted(call: Call, admission: Admitted, settled: Settled): Promise<void> {
    const { reservation } = admission;
    if (call.state === "asking") {
      const { maxInFlight, timers } = this.#settings;
      if (Number.isFinite(maxInFlight) && !isAnySince(settled, ({ id }) => id === reservation.id)) {
        this.open.open(reservation, timers.now());
      }
      call.short = undefined; // it keeps nobody from a limit any more
      this.#listener.onAnswer(call, { outcome: "admitted", admission });
    } else if (call.usage.requestId === undefined) {
      await call.inContext(() => giveBack(this.#gate, reservation));
    }
  }

  /** @param settled the last settlement before the gate was asked */
  #refused(call: Call, refusal: Refused, settled: Settled): void {
    call.refusal = refusal;
    call.short = shortOf(refusal);
    call.charged ??= limitsChargedBy(refusal);
    const { timers, pollMs } = this.#settings;
    const { short } = call;
    const isOvertaken = short !== undefined && isAnySince(settled, (one) => limitsOf(one).has(short));
    this.#listener.onRefusal(call, afterRefusal(call, refusal, { now: timers.now(), pollMs, isOvertaken }));
  }
}
