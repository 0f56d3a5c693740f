import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Actual, Admission, Admitted, Gate } from "tollgate";
import type { Queue } from "tollgate/queue";
import { LateEnds } from "./late-ends.js";
import type { ModelRequest } from "./model-request.js";

/** An admitted call until it is settled or released. That happens once, by whoever is the first to close it. */
export class OpenCall {
  readonly admission: Admitted;
  readonly request: ModelRequest;
  /** The usage seen so far; undefined while nothing was sent to the provider. */
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

  /** Whether the gateway is shutting down, so that the client should use another connection for its next call. */
  get isLast(): boolean {
    return this.#calls.areFinishing;
  }

  /** Aborts when the call is closed: it has ended, the client has gone, or the gateway is shutting down. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Ends the upstream call if it still runs, and settles with what was seen; a call that was never sent is released. */
  close(how: { readonly disconnected?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(how);
    return this.#closing;
  }

  /** Closes the call with its answer; a client that has not taken all of it has hung up. */
  closeWith(res: ServerResponse): void {
    const stop = whenGone(res, () => this.close({ disconnected: !res.writableFinished }));
    this.#ended.then(stop);
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
  readonly #queue: Queue | undefined;
  readonly #calls = new Set<OpenCall>();
  readonly #admitting = new Set<Promise<unknown>>();
  readonly #lateEnds = new LateEnds();
  #areFinishing = false;

  constructor(gate: Gate, queue?: Queue) {
    this.#gate = gate;
    this.#queue = queue;
  }

  /** Whether {@link finish} was called. */
  get areFinishing(): boolean {
    return this.#areFinishing;
  }

  /**
   * Asks the gate about a call, or its queue, where the call may wait until its client goes away. Once admitted, it is under way.
   *
   * @throws the reason of an abort if the client went away while the call waited: there is nobody to answer
   */
  admit(
    token: string,
    request: ModelRequest,
    res: ServerResponse,
  ): Promise<{ admission: Admission; call?: OpenCall }> {
    const asked = this.#ask(token, request, res).then((admission) => {
      return admission.admitted ? { admission, call: this.open(admission, request) } : { admission };
    });
    this.#admitting.add(asked);
    return asked.finally(() => this.#admitting.delete(asked));
  }

  async #ask(token: string, { usage }: ModelRequest, res: ServerResponse): Promise<Admission> {
    if (this.#queue === undefined) return this.#gate.admit(token, usage);
    const hungUp = new AbortController();
    const stop = whenGone(res, () => hungUp.abort());
    return this.#queue.admit(token, usage, { signal: hungUp.signal }).finally(stop);
  }

  open(admission: Admitted, request: ModelRequest): OpenCall {
    const call = new OpenCall(this, admission, request);
    this.#calls.add(call);
    return call;
  }

  /** The part of {@link OpenCall.close} that tells the gate. */
  async settle(call: OpenCall, actual: Actual | undefined): Promise<void> {
    const { reservation } = call.admission;
    await this.#lateEnds.end(reservation, () =>
      actual === undefined ? this.#gate.release(reservation) : this.#gate.settle(reservation, actual),
    );
    this.#calls.delete(call);
  }

  /**
   * For a shutdown: waits at most `graceMs` for every call to end, then cuts off the rest and settles them. Counters that
   * are away have the same time to come back.
   */
  async finish(graceMs: number): Promise<void> {
    this.#areFinishing = true;
    let isOver = false;
    const over = sleep(graceMs, undefined, { ref: false }).then(() => {
      isOver = true;
    });
    // A call that is being admitted now will be under way a moment later.
    while (!isOver && this.#admitting.size + this.#calls.size > 0) {
      const ends = [...this.#calls].map(({ ended }) => ended);
      await Promise.race([over, Promise.allSettled([...this.#admitting, ...ends])]);
    }
    // Calls that still wait for room wait in vain.
    if (isOver) await this.#queue?.close();
    await Promise.allSettled(this.#admitting);
    await Promise.all([...this.#calls].map((call) => call.close()));
    await this.#lateEnds.finish(over);
  }
}

/** The listeners for the end of each connection. They share one `close` listener: a client may send many calls in a row. */
const waiting = new WeakMap<Socket, Set<() => void>>();

/** Calls the listener once an answer has ended or its client has gone. The returned function stops that. */
function whenGone(res: ServerResponse, listener: () => void): () => void {
  const { socket } = res.req;
  res.once("close", listener);
  // An answer that is queued behind another one on its connection gets no `close` when that connection ends.
  const listeners = waitingFor(socket);
  if (socket.destroyed) listener();
  else listeners.add(listener);
  return () => {
    res.off("close", listener);
    listeners.delete(listener);
  };
}

function waitingFor(socket: Socket): Set<() => void> {
  const known = waiting.get(socket);
  if (known !== undefined) return known;
  const listeners = new Set<() => void>();
  waiting.set(socket, listeners);
  socket.once("close", () => {
    for (const listener of listeners) listener();
  });
  return listeners;
}
