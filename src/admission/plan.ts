import type { Use } from "./amounts.js";
import type { Charges } from "./charge.js";
import type { CountKind } from "./count-kind.js";
import type { Limit } from "./limit.js";
import type { LimitShape } from "./limit-shape.js";

/**
 * Where the counts of a list of limits are in the blocks of their scopes, and how they count. Each list has one entry
 * per limit, and keys with limits of the same kinds share them.
 */
export interface Places {
  /** For each limit, which of the plan's blocks holds its count: 0 to 3. */
  readonly blocks: readonly number[];
  /** For each limit, its position in that block. */
  readonly offsets: readonly number[];
  readonly kinds: readonly CountKind[];
}

/** Where the counts of one scope are, for as long as they are kept. */
export interface Block {
  /** Its address, which may change. {@link GONE} once the counts were forgotten. */
  readonly at: number;
}

/** Stands for an address that now belongs to another block. */
export const GONE = -1;

/** A period during which all blocks of some counters stay where they are. */
export interface Epoch {
  readonly counts: object;
}

/** The scopes at which a key has limits: org, project, member and key. */
export const SCOPES_MAX = 4;

const NOWHERE: Places = { blocks: [], offsets: [], kinds: [] };
const NO_BLOCKS: readonly Block[] = Object.freeze([]);

/** What the calls of one key to one model or MCP server have in common. */
export class Plan {
  readonly allowed: boolean;
  /**
   * Permitted models in the order of fallback; none for an MCP server. Absent if it is just the model that is asked
   * for.
   */
  readonly models: readonly string[] | undefined;
  /** The limits that such a call counts against, in the order org, project, member, key. */
  readonly limits: readonly Limit[];
  /** The max of each limit in a list of its own, since a call that passes reads nothing else of most limits. */
  readonly maxes: readonly number[];
  readonly shape: LimitShape;
  // Where counters in this process have found the counts of these limits, so that they need not search again.
  /** The epoch in which they were found. Undefined if nobody has searched. */
  epoch: Epoch | undefined;
  places: Places;
  blocks: readonly Block[];
  // The addresses of the blocks in that epoch. They are four fields rather than a list, which would be one more object
  // to read for each call.
  #block0 = 0;
  #block1 = 0;
  #block2 = 0;
  #block3 = 0;

  constructor(
    allowed: boolean,
    models: readonly string[] | undefined,
    limits: readonly Limit[],
    shape: LimitShape,
  ) {
    this.allowed = allowed;
    this.models = models;
    // Reservations hand the list out to whoever is given one.
    this.limits = Object.freeze(limits);
    this.maxes = shape.maxesOf(limits);
    this.shape = shape;
    this.epoch = undefined;
    this.places = NOWHERE;
    this.blocks = NO_BLOCKS;
  }

  /** Notes where the counts of the limits are: the blocks, at most {@link SCOPES_MAX}, and the places in them. */
  foundAt(epoch: Epoch, blocks: readonly Block[], places: Places): void {
    this.epoch = epoch;
    this.places = places;
    this.blocks = blocks;
    this.#block0 = blocks[0]?.at ?? 0;
    this.#block1 = blocks[1]?.at ?? 0;
    this.#block2 = blocks[2]?.at ?? 0;
    this.#block3 = blocks[3]?.at ?? 0;
  }

  /** The address of the count of the limit at `i`. */
  address({ blocks, offsets }: Places, i: number): number {
    const block = blocks[i];
    const offset = offsets[i] as number; // sound: whoever asks knows the length
    if (block === 0) return this.#block0 + offset;
    if (block === 1) return this.#block1 + offset;
    return (block === 2 ? this.#block2 : this.#block3) + offset;
  }

  /** What a call charges, in the periods that contain `at`. */
  charges(use: Use, at: number): Charges {
    const { limits, shape } = this;
    return { limits, amounts: shape.amounts(use), periods: shape.frozenPeriodsAt(at) };
  }
}
