import { setImmediate } from "node:timers/promises";
import { PAGE_MAX, type PageInput } from "../../model/inputs/fields.js";
import type { RecordKind, Records } from "../../model/records.js";
import type { Visible } from "../../policy/visible.js";
import type { AnyOf, Page, Storage, Where } from "../../storage/storage.js";
import { chunks } from "../chunks.js";
import { type View, viewOf } from "./views.js";

/** The length of a page if nothing is said of it. */
export const LIMIT_DEFAULT = 100;

/** How many records are judged at once: some questions about a record are answered by the storage. */
const KEPT_AT_A_TIME = 100;

/**
 * The most projects that are searched for by their ids. Whoever sees more of them meets one soon enough among all of the
 * org, and a search by ids reads all that it finds for each page.
 */
const PROJECTS_SOUGHT_MAX = 100;

/** The projects to search, if somebody sees a few. Undefined if they see many, or not by project alone. */
export function fewProjectsOf(visible: Visible): readonly string[] | undefined {
  if (visible.all || visible.allBut || visible.ownBut) return undefined;
  return visible.projectIds.length <= PROJECTS_SOUGHT_MAX ? visible.projectIds : undefined;
}

/** One page of a list, sorted by id. Writes between two pages neither skip nor repeat other items. */
export interface Listed<T> {
  readonly items: readonly T[];
  /** What to pass as `after` for the next page. Absent on the last page. */
  readonly next?: string;
}

type Keep<K extends RecordKind> = (record: Records[K]) => boolean | Promise<boolean>;

/**
 * One page of the records that match and that `keep` lets through.
 *
 * @param isPast whether neither a record nor any after it can be in the list, so that what follows need not be read
 * @param any values of which each record of the list has one. Nothing else is read, where the storage can tell.
 */
export async function listPage<K extends RecordKind>(
  storage: Storage,
  kind: K,
  where: Where<K>,
  { after, limit = LIMIT_DEFAULT }: PageInput,
  keep: Keep<K> = () => true,
  isPast: (record: Records[K]) => boolean = () => false,
  any?: AnyOf<K>,
): Promise<Listed<Records[K]>> {
  const find = (part: Page) =>
    any && storage.findAny ? storage.findAny(kind, where, any, part) : storage.find(kind, where, part);
  const items: Records[K][] = [];
  let last = after;
  // It looks for one more than the page holds, to know whether there is a next one. From then on it doubles: small
  // steps would take long for an actor who may see few of many records.
  for (let size = limit + 1; ; size = Math.min(2 * size, PAGE_MAX + 1)) {
    const found = await find({ after: last, limit: size });
    for (const some of chunks(found, KEPT_AT_A_TIME)) {
      const kept = await Promise.all(some.map((record) => keep(record)));
      for (const [i, record] of some.entries()) {
        if (isPast(record)) return { items };
        if (!kept[i]) continue;
        // INVARIANT: `next` is the id of an item that the caller was given, never of one that was withheld.
        if (items.length === limit) return { items, next: items[limit - 1]?.id ?? "" };
        items.push(record);
      }
    }
    if (found.length < size) return { items };
    last = found.at(-1)?.id;
    // Memory and SQLite never wait for anything, so without this all calls would wait for the whole list.
    await setImmediate();
  }
}

/** The same page with each record as callers see it. */
export async function listViews<K extends RecordKind>(
  storage: Storage,
  kind: K,
  where: Where<K>,
  page: PageInput,
  keep?: Keep<K>,
  isPast?: (record: Records[K]) => boolean,
  any?: AnyOf<K>,
): Promise<Listed<View<K>>> {
  return mapped(await listPage(storage, kind, where, page, keep, isPast, any), (found) =>
    viewOf(kind, found),
  );
}

/** A page with each item mapped. */
export function mapped<T, U>({ items, next }: Listed<T>, view: (item: T) => U): Listed<U> {
  return { items: items.map(view), ...(next !== undefined && { next }) };
}
