import type { RecordKind, Records } from "../model/records.js";
import type { AnyOf, Page, Where } from "./storage.js";

/** How an adapter looks up in its own process, where many small look-ups cost little. */
interface LookUps<K extends RecordKind> {
  get(id: string): Records[K] | undefined;
  find(where: Where<K>, page: Page): readonly Records[K][];
  /** The adapter's order of ids, as for `sort`. */
  compare(a: string, b: string): number;
}

/** The answer of `Storage.findAny`, by one look-up for each value. */
export function findAnyBy<K extends RecordKind>(
  { get, find, compare }: LookUps<K>,
  where: Where<K>,
  any: AnyOf<K>,
  { after, limit = Number.POSITIVE_INFINITY }: Page,
): Records[K][] {
  const found = new Map<string, Records[K]>();
  const wanted = Object.entries(where).filter(([, value]) => value !== undefined);
  const matches = (record: Records[K]) =>
    (after === undefined || compare(record.id, after) > 0) &&
    wanted.every(([field, value]) => Reflect.get(record, field) === value);
  for (const [field, values] of Object.entries<readonly string[] | undefined>(any)) {
    for (const value of values ?? []) {
      if (field === "id") {
        const record = get(value);
        if (record && matches(record)) found.set(record.id, record);
        continue;
      }
      if (wanted.some((one) => one[0] === field && one[1] !== value)) continue;
      // Sound: the adapter has checked that the field is indexed.
      const narrowed = Object.fromEntries([...wanted, [field, value]]) as Where<K>;
      for (const record of find(narrowed, { after, limit })) found.set(record.id, record);
    }
  }
  return [...found.values()].sort((a, b) => compare(a.id, b.id)).slice(0, limit);
}
