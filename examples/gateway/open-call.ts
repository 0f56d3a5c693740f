import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Actual, Admission, Admitted, Gate } from "tollgate";
import { LateEnds } from "./late-ends.js";
import type { ModelRequest } from "./model-request.js";

/** An admitted call until it is settled or released, which happens once, whoever is the first to close it. */
export class OpenCall {
  readonly admission: Admitted;
  readonly request: ModelRequest;
  /** What the provider has been seen to use so far; undefined while nothing was sent to it. */
  seen: (() => Actual) | undefined;
  readonly #calls: OpenCalls;
  readonly #abort = new AbortController();
  readonly #ended: Promise<void>;
  #end = () => {};
  #closing: Promise<void> | undefined;

  constructor(calls: OpenCalls, admission: Admitted, request: ModelRequest) {
    this.#calls = calls;
    this.admission = admission;
    this.request = request;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Resolves once it is settled or released. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Whether the gateway shuts down, so that the client had better take another connection for its next call. */
  get isLast(): boolean {
    return this.#calls.areFinishing;
  }

  /** Aborted when the call is closed: it has ended, the client has gone, or the gateway shuts down. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Ends the upstream call if it still goes on, and settles with what was seen; a call that was never sent is released. */
  close(how: { readonly disconnected?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(how);
    return this.#closing;
  }

  /** Closes the call with its answer; a client that has not taken all of it has hung up. */
  closeWith(res: ServerResponse): void {
    const { socket } = res.req;
    const close = () => this.close({ disconnected: !res.writableFinished });
    res.once("close", close);
    // An answer that stands behind another one on its connection is not told when that is gone.
    if (socket.destroyed) close();
    else socket.once("close", close);
    this.#ended.then(() => socket.off("close", close));
  }

  async #close(how: { readonly disconnected?: boolean }): Promise<void> {
    const seen = this.seen?.();
    this.#abort.abort();
    await this.#calls.settle(this, seen && { ...seen, ...how });
    this.#end();
  }
}

/** The calls that are under way. */
export class OpenCalls {
  readonly #gate: Gate;
  readonly #calls = new Set<OpenCall>();
  readonly #admitting = new Set<Promise<unknown>>();
  readonly #lateEnds = new LateEnds();
  #areFinishing = false;

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  /** Whether {@link finish} was called. */
  get areFinishing(): boolean {
    return this.#areFinishing;
  }

  /** Asks the gate for a call, which is under way from when it is admitted. */
  admit(token: string, request: ModelRequest): Promise<{ admission: Admission; call?: OpenCall }> {
    const asked = this.#gate.admit(token, request.usage).then((admission) => {
      return admission.admitted ? { admission, call: this.open(admission, request) } : { admission };
    });
    this.#admitting.add(asked);
    return asked.finally(() => this.#admitting.delete(asked));
  }

  open(admission: Admitted, request: ModelRequest): OpenCall {
    const call = new OpenCall(this, admission, request);
    this.#calls.add(call);
    return call;
  }

  /** Part of {@link OpenCall.close}. */
  async settle(call: OpenCall, actual: Actual | undefined): Promise<void> {
    const { reservation } = call.admission;
    await this.#lateEnds.end(reservation, () =>
      actual === undefined ? this.#gate.release(reservation) : this.#gate.settle(reservation, actual),
    );
    this.#calls.delete(call);
  }

  /** For a shutdown: waits until every call has ended, at most `graceMs`, then cuts off those that have not, and settles them. */
  async finish(graceMs: number): Promise<void> {
    this.#areFinishing = true;
    let isOver = false;
    const over = sleep(graceMs, undefined, { ref: false }).then(() => {
      isOver = true;
    });
    // What is being admitted is a call a moment later.
    while (!isOver && this.#admitting.size + this.#calls.size > 0) {
      const ends = [...this.#calls].map(({ ended }) => ended);
      await Promise.race([over, Promise.allSettled([...this.#admitting, ...ends])]);
    }
    await Promise.allSettled(this.#admitting);
    await Promise.all([...this.#calls].map((call) => call.close()));
    await this.#lateEnds.retry();
  }
}
