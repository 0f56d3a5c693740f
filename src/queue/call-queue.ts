import { AsyncResource } from "node:async_hooks";
import type { Admission } from "../gate/call/admission.js";
import type { KeyRef } from "../gate/chain/key-resolver.js";
import { type GateEvents, warnOfListener } from "../gate/events/events.js";
import { ClosedError } from "../model/errors.js";
import { EventHub } from "../model/event-hub.js";
import type { Usage } from "../model/usage.js";
import { isHopeless } from "./after-refusal.js";
import { Alarm, NOW } from "./alarm.js";
import { Asker } from "./asker.js";
import type { Answer, Call } from "./call.js";
import type { QueueEvents } from "./events.js";
import { Holding, holderOf, shortBy, takesLikeAny } from "./holding.js";
import type { Line } from "./line.js";
import { Lines } from "./lines.js";
import { askedOf, type QueuedGate, type QueueSettings, type WaitOptions, waitOf } from "./options.js";
import type { QueueStatus } from "./queue-status.js";
import { limitsChargedBy, limitsOf, queueRefusal, shortOf } from "./refusals.js";

/** The calls of one queue: which call waits in which line, and when the gate is asked about it. */
export class CallQueue {
  readonly events = new EventHub<QueueEvents>({ queued: true, left: true }, warnOfListener);
  readonly #gate: QueuedGate;
  readonly #settings: QueueSettings;
  readonly #asker: Asker;
  /** Every call without an answer. */
  readonly #calls = new Set<Call>();
  readonly #lines = new Lines({
    onTurn: (line) => this.#wake(line),
    onNext: (line, before) => this.#onNext(line, before),
    onBroken: ({ waiting }, error) => {
      for (const call of waiting.all()) this.#leave(call, { outcome: "failed", error });
    },
  });
  readonly #holding = new Holding(this.#lines, () => this.#nextSweep.by(NOW));
  readonly #asks = new Set<Promise<void>>();
  readonly #unlisten: () => void;
  #arrived = 0;
  /**
   * Limits that had too little for calls that are first no more, but may have enough for those after them. The next
   * sweep asks about these.
   */
  #unblocked = new Set<string>();
  /** Starts the next sweep. One serves everything that happens in a turn of the event loop, since it visits every line. */
  readonly #nextSweep: Alarm;
  /** Whether the last sweep left heads out because there was no more room in flight. */
  #hasLeftOut = false;
  #isClosed = false;

  constructor(gate: QueuedGate, settings: QueueSettings) {
    this.#gate = gate;
    this.#settings = settings;
    this.#asker = new Asker(gate, settings, {
      onAnswer: (call, answer) => this.#leave(call, answer),
      onRefusal: (call, next) => this.#onRefusal(call, next),
    });
    this.#nextSweep = new Alarm(settings.timers, () => this.#sweep());
    this.#unlisten = gate.on("settlement", (event) => this.#onSettlement(event));
  }

  async admit(key: KeyRef, usage: Usage, options: WaitOptions): Promise<Admission> {
    if (this.#isClosed) throw new ClosedError("queue");
    const asked = askedOf(key, usage);
    const { signal, priority } = waitOf(this.#settings, key, usage, options);
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const arrivedAt = this.#settings.timers.now();
      const context = new AsyncResource("tollgate.QueuedCall");
      const onAbort = () => this.#leave(call, { outcome: "aborted", error: signal?.reason });
      const call: Call = {
        ...asked,
        inContext: (run) => context.runInAsyncScope(run),
        priority,
        order: this.#arrived++,
        arrivedAt,
        deadlineAt: arrivedAt + this.#settings.maxWaitMs,
        askAt: arrivedAt,
        state: "arrived",
        finish(answer) {
          signal?.removeEventListener("abort", onAbort);
          if ("admission" in answer) resolve(answer.admission);
          else reject(answer.error);
        },
      };
      signal?.addEventListener("abort", onAbort);
      this.#calls.add(call);
      if (this.#lines.has(call.key) || !this.#asker.open.hasRoom) {
        this.#track(this.#wait(call));
      } else {
        this.#track(this.#lines.size > 0 ? this.#askBehind(call) : this.#askFirst(call));
      }
    });
  }

  status(): QueueStatus {
    const now = this.#settings.timers.now();
    let longestWaitMs = 0;
    for (const call of this.#calls) {
      if (this.#lines.of(call)) longestWaitMs = Math.max(longestWaitMs, now - call.arrivedAt);
    }
    return { waiting: this.#lines.waiting, keys: this.#lines.size, longestWaitMs };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unlisten();
    for (const call of [...this.#calls]) {
      this.#leave(call, { outcome: "closed", error: new ClosedError("queue") });
    }
    await Promise.all(this.#asks);
  }

  /** The short way, for a call that nobody waits ahead of. */
  async #askFirst(call: Call): Promise<void> {
    await this.#asker.ask(call);
    if (this.#hasLeftOut) this.#nextSweep.by(NOW);
  }

  /**
   * For a call whose key has no line while other keys have one. It must not pass a waiting call that is short of a
   * limit which this call would charge. Otherwise a key with small calls, or with calls that happen to arrive when
   * there is room, could keep the others waiting for ever.
   */
  async #askBehind(call: Call): Promise<void> {
    let answer: Admission;
    try {
      answer = await this.#gate.check(call.key, call.usage);
      call.charged = limitsChargedBy(answer);
    } catch (error) {
      this.#leave(call, { outcome: "failed", error });
      return;
    }
    if (call.state !== "arrived") return;
    // A call that has its reservation already, or will not get one, takes nothing from anybody.
    const isSettled = answer.admitted
      ? answer.replayed === true
      : isHopeless(call, answer, this.#settings.timers.now());
    while (!isSettled) {
      const first = this.#holding.firstBefore(call);
      if (first === undefined) break;
      // Another process may have freed a slot in flight without our being told, so ask about the waiting call first.
      const line = this.#lines.of(first);
      const isUnsure = first.refusal?.reason === "in_flight_limited" && this.#asker.open.hasRoom;
      if (isUnsure && first.state === "waiting" && line?.head === first) {
        await this.#askHead(line, first);
        if (call.state !== "arrived") return;
        if (this.#holding.firstBefore(call) !== first) continue; // it has left, or is short of another limit
      }
      this.#holding.hold(call, first);
      break;
    }
    // While the gate was asked, the key may have got a line, or the room may have gone.
    if (!call.heldBy && !this.#lines.has(call.key) && this.#asker.open.hasRoom) await this.#askFirst(call);
    else if (isSettled && !answer.admitted) this.#leave(call, { outcome: "refused", admission: answer });
    else this.#enqueue(call);
  }

  /** For a call that has to wait, if waiting can help it. */
  async #wait(call: Call): Promise<void> {
    const isFull = this.#lines.waiting >= this.#settings.maxQueued;
    if (!isFull) this.#enqueue(call);
    await this.#look(call);
    // Not sooner: one that waiting cannot help, such as a stranger's, must not take the place of another one.
    if (call.state === "arrived") this.#enqueue(call);
  }

  /** Refuses a call at once if waiting cannot help it, even though others came first. */
  async #look(call: Call): Promise<void> {
    try {
      const answer = await this.#gate.check(call.key, call.usage);
      if (answer.admitted || call.charged === undefined) call.charged = limitsChargedBy(answer);
      if (call.state === "asking" || answer.admitted) return;
      if (isHopeless(call, answer, this.#settings.timers.now()))
        this.#leave(call, { outcome: "refused", admission: answer });
      else if (call.refusal === undefined) {
        call.refusal = answer;
        call.short = shortOf(answer);
      }
    } catch (error) {
      if (call.state !== "asking") this.#leave(call, { outcome: "failed", error });
    }
  }

  #enqueue(call: Call): void {
    const { timers, maxQueued } = this.#settings;
    // Again, since a listener that is told who left may send, abort or close.
    while (this.#lines.waiting >= maxQueued && call.state !== "done") {
      if (!this.#makeRoom(call)) {
        this.#leave(call, { outcome: "full", admission: queueRefusal("queue_full", call.refusal) });
      }
    }
    if (call.state === "done") return;
    call.state = "waiting";
    call.stopTimer = timers.after(call.deadlineAt - timers.now(), () => this.#onDeadline(call));
    this.#lines.add(call);
    const { priority } = call;
    this.events.emit("queued", { priority, depth: this.#lines.waiting, ...keyIdOf(call) });
  }

  /** Takes the place of a call of lower rank, if one is waiting. */
  #makeRoom(call: Call): boolean {
    const last = this.#lines.lastBehind(call);
    if (last?.state !== "waiting") return false;
    this.#leave(last, { outcome: "full", admission: queueRefusal("queue_full", last.refusal) });
    return true;
  }

  #onDeadline(call: Call): void {
    if (call.state !== "waiting") return; // the gate is being asked, and its answer decides
    this.#leave(call, { outcome: "timeout", admission: queueRefusal("queue_timeout", call.refusal) });
  }

  /** Gives a call its answer, once, and takes it out of the queue. */
  #leave(call: Call, answer: Answer): void {
    if (call.state === "done") return;
    call.state = "done";
    this.#calls.delete(call);
    call.stopTimer?.();
    this.#holding.forget(call);
    const line = this.#lines.remove(call);
    if (line !== undefined) {
      if (answer.outcome === "admitted") this.#lines.putLast(line);
      if (this.#lines.size === 0) this.#nextSweep.stop();
    }
    call.finish(answer);
    if (line !== undefined || answer.outcome === "full") {
      const { outcome } = answer;
      const { priority } = call;
      const waitedMs = this.#settings.timers.now() - call.arrivedAt;
      const left = { outcome, priority, waitedMs, depth: this.#lines.waiting, ...keyIdOf(call) };
      call.inContext(() => this.events.emit("left", left));
    }
  }

  /**
   * Asks about the call that is now the first of its line. It may have room at once: its amount or model may differ
   * from the one before it, and while it was not the first, no settle led to asking about it.
   */
  #onNext(line: Line, before: Call): void {
    if (before.short === undefined && before.refusal?.limit?.meter === "inFlight")
      this.#holding.handOver(before);
    else this.#holding.letGo(before);
    if (before.short !== undefined && !takesLikeAny(before)) {
      this.#unblocked.add(before.short);
      this.#nextSweep.by(NOW);
    }
    const { first } = line;
    if (first !== undefined && !first.heldBy) first.askAt = NOW;
    this.#wake(line);
  }

  /** Schedules the next question about the head of a line, which may be another call than before. */
  #wake({ head }: Line): void {
    if (head?.state === "waiting") this.#nextSweep.by(head.askAt);
  }

  /**
   * Asks the gate about every head whose time has come, as far as there is room in flight, beginning with the line that
   * was served longest ago. No head passes a call of an earlier line that is short of a limit which the head would
   * charge.
   */
  #sweep(): void {
    const now = this.#settings.timers.now();
    this.#asker.open.expire(now);
    if (this.#unblocked.size > 0) {
      this.#track(this.#offer(this.#unblocked));
      this.#unblocked = new Set();
    }
    const waiting = new Map<string, Call>();
    let next = Number.POSITIVE_INFINITY;
    this.#hasLeftOut = false;
    for (const line of [...this.#lines]) {
      if (!this.#asker.open.hasRoom) {
        this.#hasLeftOut = true;
        next = this.#asker.open.nextEnd ?? next;
        break;
      }
      const { head } = line;
      if (head?.state === "waiting" && head.askAt <= now) {
        const before = head.charged?.map((limit) => waiting.get(limit)).find((call) => call && call !== head);
        if (before === undefined) this.#track(this.#askHead(line, head));
        else this.#holding.hold(head, before);
      }
      if (head?.state === "waiting") next = Math.min(next, head.askAt);
      const { first } = line;
      const short = first && shortBy(first);
      if (first && short !== undefined && !waiting.has(short)) waiting.set(short, holderOf(first));
    }
    this.#nextSweep.by(next);
  }

  async #askHead(line: Line, head: Call): Promise<void> {
    await this.#asker.ask(head);
    line.arrange();
    this.#wake(line);
    if (this.#hasLeftOut) this.#nextSweep.by(NOW);
  }

  #onRefusal(call: Call, next: Answer | { readonly askAt: number }): void {
    this.#holding.letGo(call); // it may be short of another limit now
    if ("askAt" in next) call.askAt = next.askAt;
    else this.#leave(call, next);
    // At once: it has to be in its line when the next settlement comes.
    if (call.state === "arrived") this.#enqueue(call);
  }

  #onSettlement({ settlement, reservation }: GateEvents["settlement"]): void {
    this.#asker.settled(reservation);
    if (this.#hasLeftOut) this.#nextSweep.by(NOW);
    if (settlement.settled && this.#lines.size > 0) this.#track(this.#offer(limitsOf(reservation)));
  }

  /**
   * Asks about the calls that wait for one of these limits: one after another while the limit has room. Those after one
   * that it has too little for are asked about when that one is gone; see `#unblocked`. No head passes a call of an
   * earlier line that is short of another limit which the head would charge.
   */
  async #offer(freed: Set<string>): Promise<void> {
    for (const line of [...this.#lines]) {
      const { head, first } = line;
      const short = first?.short;
      if (first === undefined || short === undefined || !freed.has(short) || first.heldBy) continue;
      if (head === undefined || !this.#asker.open.hasRoom) {
        first.askAt = NOW; // once it has the turn, or there is room in the queue
        this.#wake(line);
      } else if (head.state === "waiting") {
        const before = this.#holding.firstBefore(head);
        if (before !== undefined) {
          this.#holding.hold(head, holderOf(before));
          continue;
        }
        await this.#askHead(line, head);
        if (this.#calls.has(head) && head.short === short) freed.delete(short);
      }
    }
  }

  #track(ask: Promise<void>): void {
    this.#asks.add(ask);
    ask.finally(() => this.#asks.delete(ask));
  }
}

function keyIdOf({ key }: Call): { readonly keyId?: string } {
  return typeof key === "string" ? {} : { keyId: Object(key).keyId };
}
