import { recordKinds } from "../model/record-schemas.js";
import type { RecordKind, Records } from "../model/records.js";
import { checkAny, checkChanges, checkWhere, staleVersion, takenValue } from "./checks.js";
import { findAnyBy } from "./find-any.js";
import { INDEXES } from "./indexes.js";
import type { Change, Changed, Page, Storage, Where } from "./storage.js";

/** A set of ids that is sorted when it is read rather than on every write, and stays so while ids come at its end. */
class IdSet {
  readonly #ids = new Set<string>();
  #sorted: string[] | undefined;

  get size(): number {
    return this.#ids.size;
  }

  add(id: string): void {
    this.#ids.add(id);
    const last = this.#sorted?.at(-1);
    if (last === undefined || last < id) this.#sorted?.push(id);
    else this.#sorted = undefined;
  }

  delete(id: string): void {
    this.#ids.delete(id);
    this.#sorted = undefined;
  }

  sorted(): readonly string[] {
    this.#sorted ??= [...this.#ids].sort();
    return this.#sorted;
  }
}

const NO_IDS = new IdSet();

/** The records of one kind, with an index for each indexed field. */
class Table<K extends RecordKind> {
  readonly #kind: K;
  readonly #records = new Map<string, Records[K]>();
  readonly #ids = new IdSet();
  readonly #byField = new Map<string, Map<unknown, IdSet>>();

  constructor(kind: K) {
    this.#kind = kind;
    for (const field of INDEXES[kind].fields) this.#byField.set(field, new Map());
  }

  get(id: string): Records[K] | undefined {
    return this.#records.get(id);
  }

  find(where: Where<K>, { after, limit = Number.POSITIVE_INFINITY }: Page): Records[K][] {
    const wanted = Object.entries(where).filter(([, value]) => value !== undefined);
    const found: Records[K][] = [];
    const ids = this.#narrowest(wanted).sorted();
    for (
      let i = after === undefined ? 0 : firstAfter(ids, after);
      i < ids.length && found.length < limit;
      i++
    ) {
      const record = this.#records.get(ids[i] ?? "");
      if (record && wanted.every(([field, value]) => Reflect.get(record, field) === value))
        found.push(record);
    }
    return found;
  }

  set(id: string, record: Records[K] | undefined): void {
    const before = this.#records.get(id);
    for (const [field, ids] of this.#byField) {
      const value = record && Reflect.get(record, field);
      const valueBefore = before && Reflect.get(before, field);
      if (record && before && value === valueBefore) continue;
      if (before) ids.get(valueBefore)?.delete(id);
      if (!record) continue;
      const same = ids.get(value) ?? new IdSet();
      ids.set(value, same);
      same.add(id);
    }
    if (record) {
      this.#records.set(id, record);
      if (!before) this.#ids.add(id);
    } else {
      this.#records.delete(id);
      this.#ids.delete(id);
    }
    if (before) this.#forgetEmpty(before);
  }

  #narrowest(wanted: readonly [string, unknown][]): IdSet {
    let narrowest = this.#ids;
    for (const [field, value] of wanted) {
      const ids = this.#byField.get(field)?.get(value) ?? NO_IDS;
      if (ids.size < narrowest.size) narrowest = ids;
    }
    return narrowest;
  }

  #forgetEmpty(before: Records[K]): void {
    for (const [field, ids] of this.#byField) {
      const value = Reflect.get(before, field);
      if (ids.get(value)?.size === 0) ids.delete(value);
    }
  }

  /** The unique values of a record, each with the fields they come from. */
  uniqueValues(
    record: Records[K],
  ): { readonly fields: readonly string[]; readonly where: Where<K>; readonly name: string }[] {
    return INDEXES[this.#kind].unique.flatMap((fields: readonly string[]) => {
      const values = fields.map((field) => Reflect.get(record, field));
      if (values.some((value) => value === undefined)) return [];
      // Sound: INDEXES names string fields only, and whatever is unique is indexed.
      const where = Object.fromEntries(fields.map((field, i) => [field, values[i]])) as Where<K>;
      return [{ fields, where, name: JSON.stringify([this.#kind, fields, values]) }];
    });
  }
}

/** The index of the first id after `after`. */
function firstAfter(ids: readonly string[], after: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] ?? "") <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

type Tables = { readonly [K in RecordKind]: Table<K> };

/**
 * Makes a storage in the memory of this process: the default, and useful in tests. Several gates may share one.
 *
 * Each commit runs to its end without a pause, so it is atomic.
 */
export function memoryStorage(): Storage {
  // Sound: each kind is paired with a table of that kind.
  const tables = Object.fromEntries(recordKinds.map((kind) => [kind, new Table(kind)])) as unknown as Tables;
  const listeners = new Set<(changed: readonly Changed[]) => void>();

  return {
    async get(kind, id) {
      return tables[kind].get(id);
    },
    async find(kind, where, page = {}) {
      checkWhere(kind, where);
      return tables[kind].find(where, page);
    },
    async findAny(kind, where, any, page = {}) {
      checkWhere(kind, where);
      checkAny(kind, any);
      const table = tables[kind];
      const lookUps = {
        get: (id: string) => table.get(id),
        find: (narrowed: typeof where, part: Page) => table.find(narrowed, part),
        compare: (a: string, b: string) => (a < b ? -1 : Number(a > b)),
      };
      return findAnyBy<typeof kind>(lookUps, where, any, page);
    },
    async commit(given) {
      const changes = deepFreeze(structuredClone(given));
      checkChanges(changes);
      checkState(tables, changes);
      const changed: Changed[] = [];
      for (const { kind, id, record } of changes) {
        const table: Table<RecordKind> = tables[kind];
        changed.push({ kind, id, orgId: (record ?? table.get(id))?.orgId ?? "" });
        table.set(id, record);
      }
      for (const listener of [...listeners]) listener(changed);
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    // Nothing is held open, and another gate may share the records.
    async close() {},
  };
}

/** @throws ConflictError if a change does not fit what is stored, or the result would break uniqueness */
function checkState(tables: Tables, changes: readonly Change[]): void {
  const changing = new Set(changes.map(({ kind, id }) => JSON.stringify([kind, id])));
  const claimed = new Set<string>();
  for (const { kind, id, expectedVersion, record } of changes) {
    const table: Table<RecordKind> = tables[kind];
    const present = table.get(id)?.version ?? 0;
    if (present !== expectedVersion) throw staleVersion(kind, id, expectedVersion, present);
    if (record === undefined) continue;
    for (const { fields, where, name } of table.uniqueValues(record)) {
      const holders = table
        .find(where, {})
        .filter((holder) => !changing.has(JSON.stringify([kind, holder.id])));
      if (holders.length > 0 || claimed.has(name)) throw takenValue(kind, fields);
      claimed.add(name);
    }
  }
}

function deepFreeze<T>(data: T): T {
  if (typeof data !== "object" || data === null || Object.isFrozen(data)) return data;
  for (const part of Object.values(data)) deepFreeze(part);
  return Object.freeze(data);
}
