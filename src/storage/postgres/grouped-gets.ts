import type { RecordKind } from "../../model/records.js";

/** The most records that one statement reads. */
const GROUP_MAX = 100;

/** Reads records of a kind: the text of each that exists, by its id. */
export type ReadTexts = (kind: RecordKind, ids: readonly string[]) => Promise<ReadonlyMap<string, string>>;

interface Group {
  readonly ids: Set<string>;
  readonly texts: ReturnType<ReadTexts>;
}

/**
 * Reads with one statement the records of a kind that are asked for in one turn of the event loop. A gate asks for many
 * at once: when the keys of a list were last used, or the members of an org whose chains were forgotten.
 */
export class GroupedGets {
  readonly #read: ReadTexts;
  /** The group of each kind that is not sent yet and has room. */
  readonly #open = new Map<RecordKind, Group>();

  constructor(read: ReadTexts) {
    this.#read = read;
  }

  /** The text of a record, or `undefined` if there is none. */
  async get(kind: RecordKind, id: string): Promise<string | undefined> {
    const group = this.#open.get(kind) ?? this.#begin(kind);
    group.ids.add(id);
    if (group.ids.size === GROUP_MAX) this.#open.delete(kind);
    return (await group.texts).get(id);
  }

  #begin(kind: RecordKind): Group {
    const ids = new Set<string>();
    const texts = endOfTurn().then(() => {
      this.#open.delete(kind);
      return this.#read(kind, [...ids]);
    });
    const group = { ids, texts };
    this.#open.set(kind, group);
    return group;
  }
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
