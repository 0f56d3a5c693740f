import type { Use } from "./amounts.js";
import type { Charges } from "./charge.js";
import type { CountKind } from "./count.js";
import type { Limit } from "./limit.js";
import type { LimitShape } from "./limit-shape.js";

/** What the calls of one key to one model or MCP server have in common. */
export class Plan {
  readonly allowed: boolean;
  /** Permitted models in the order of fallback, for an MCP server none; absent where it is the model that is asked for. */
  readonly models: readonly string[] | undefined;
  /** The limits that such a call counts against, in the order org, project, member, key. */
  readonly limits: readonly Limit[];
  /** The max of each limit, side by side: on the way of a call nothing else of most limits is read. */
  readonly maxes: readonly number[];
  readonly shape: LimitShape;
  // Where counters in this process have found the counts of these limits, so that they need not look again.
  /** Whose counts, and since what was last forgotten of them; undefined where nobody has looked. */
  epoch: object | undefined;
  /** For each limit, the address of its count. */
  addresses: readonly number[];
  /** For each limit, how it counts. */
  kinds: readonly CountKind[];

  constructor(
    allowed: boolean,
    models: readonly string[] | undefined,
    limits: readonly Limit[],
    shape: LimitShape,
  ) {
    this.allowed = allowed;
    this.models = models;
    this.limits = limits;
    this.maxes = shape.maxesOf(limits);
    this.shape = shape;
    this.epoch = undefined;
    this.addresses = [];
    this.kinds = [];
  }

  /** What a call counts, in the periods that hold `at`. */
  charges(use: Use, at: number): Charges {
    return { limits: this.limits, amounts: this.shape.amounts(use), periods: this.shape.periodsAt(at) };
  }
}
