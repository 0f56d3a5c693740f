import type { RecordKind, Records } from "../model/records.js";
import type { IndexedField } from "./indexes.js";

/** One write: makes, replaces or deletes a record. */
export type Change = {
  readonly [K in RecordKind]: {
    readonly kind: K;
    readonly id: string;
    /** The version that the record has now; 0 where there must be none. */
    readonly expectedVersion: number;
    /** The record from now on, its version one above `expectedVersion`; undefined deletes it. */
    readonly record: Records[K] | undefined;
  };
}[RecordKind];

/** Equal values of indexed fields, all of which must hold. None: every record of the kind. */
export type Where<K extends RecordKind> = { readonly [F in IndexedField<K>]?: string };

/** A part of a result that is sorted by id. */
export interface Page {
  /** Only ids beyond this one; it need not exist any more. */
  readonly after?: string | undefined;
  /** At most so many; all of them without it. */
  readonly limit?: number | undefined;
}

/** What a commit has touched. */
export interface Changed {
  readonly kind: RecordKind;
  readonly id: string;
  readonly orgId: string;
}

/**
 * Records at rest.
 *
 * What is handed in or out belongs to whoever holds it: changing it changes nothing that is stored. Every adapter
 * passes `storageConformance` of `tollgate/testing`, which says the rest.
 */
export interface Storage {
  /** The record of a kind with an id, or undefined. Ids are unique within their kind, over all orgs. */
  get<K extends RecordKind>(kind: K, id: string): Promise<Records[K] | undefined>;
  /**
   * The records that match, sorted by id. An adapter may choose the order of ids, as long as it is total and the same
   * for every page, so that pages neither lose nor repeat a record that exists all the while.
   *
   * @throws ValidationError for a field that is not indexed
   */
  find<K extends RecordKind>(kind: K, where: Where<K>, page?: Page): Promise<Records[K][]>;
  /**
   * Makes all the changes, or none.
   *
   * @throws ConflictError naming both versions where one is stale, or where an id or a unique field is taken
   * @throws ValidationError for a record that does not fit its kind, and for two changes of one record
   */
  commit(changes: readonly Change[]): Promise<void>;
  /**
   * Tells of every commit, those of other processes too; the returned function stops it.
   *
   * @param missed told where commits of other processes may have gone untold, such as after a connection was lost: all
   *   that is remembered of what is stored may be out of date
   */
  watch?(listener: (changed: readonly Changed[]) => void, missed?: () => void): () => void;
  close(): Promise<void>;
}
