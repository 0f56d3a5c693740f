import type { Refused } from "../admission/refusal.js";
import type { Admission } from "../gate/call/admission.js";
import type { KeyRef } from "../gate/chain/key-resolver.js";
import type { Usage } from "../model/usage.js";

/** One call on its way through the queue. */
export interface Call {
  readonly key: KeyRef;
  readonly usage: Usage;
  /**
   * Runs something in the async context in which the call came. What the gate is asked about it, and what is told of it,
   * belongs there, whichever other call made the queue do so.
   */
  readonly inContext: <T>(run: () => T) => T;
  readonly priority: number;
  /** The order of arrival: a lower number came first. */
  readonly order: number;
  readonly arrivedAt: number;
  /** The last moment at which it may still wait. */
  readonly deadlineAt: number;
  /** When to ask the gate next, and not before. */
  askAt: number;
  /** INVARIANT: it becomes `done` once, with its one answer. */
  state: "arrived" | "waiting" | "asking" | "done";
  /** What the gate said last. */
  refusal?: Refused;
  /** The name of the limit that it was short of then. */
  short?: string | undefined;
  /** The names of the limits that it counts against, as far as the gate has said. */
  charged?: readonly string[];
  /** The call of another key that it waits behind. */
  heldBy?: Call | undefined;
  /** The calls that wait behind it. */
  holds?: Set<Call> | undefined;
  stopTimer?: () => void;
  /** Gives the answer, and stops listening to the signal. */
  readonly finish: (answer: Answer) => void;
}

/** How a call leaves the queue. */
export type QueueOutcome = "admitted" | "refused" | "full" | "timeout" | "aborted" | "closed" | "failed";

export type Answer =
  | { readonly outcome: "admitted" | "refused" | "full" | "timeout"; readonly admission: Admission }
  | { readonly outcome: "aborted" | "closed" | "failed"; readonly error: unknown };
