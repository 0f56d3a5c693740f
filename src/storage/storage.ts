import type { RecordKind, Records } from "../model/records.js";
import type { IndexedField } from "./indexes.js";

/** One write, which creates, replaces or deletes a record. */
export type Change = {
  readonly [K in RecordKind]: {
    readonly kind: K;
    readonly id: string;
    /** The version of the record as it is now. 0 if it must not exist. */
    readonly expectedVersion: number;
    /** The new record, with a version one above `expectedVersion`. `undefined` deletes it. */
    readonly record: Records[K] | undefined;
  };
}[RecordKind];

/** Values that indexed fields must have, all of them. Empty: every record of the kind. */
export type Where<K extends RecordKind> = { readonly [F in IndexedField<K>]?: string };

/** Values of the id and of indexed fields. A record has one of them if one of its fields has one of the field's values. */
export type AnyOf<K extends RecordKind> = { readonly [F in IndexedField<K> | "id"]?: readonly string[] };

/** The part of a sorted result to return. */
export interface Page {
  /** Only ids after this one. The record need not exist any more. */
  readonly after?: string | undefined;
  /** The most records to return. Default: all. */
  readonly limit?: number | undefined;
}

/** A record that a commit has changed. */
export interface Changed {
  readonly kind: RecordKind;
  readonly id: string;
  readonly orgId: string;
}

/**
 * Keeps records at rest.
 *
 * What is passed in or returned belongs to whoever holds it: changing it changes nothing that is stored. The suite
 * `storageConformance` of `tollgate/testing` defines the rest.
 */
export interface Storage {
  /**
   * Reads the record of a kind with an id. Ids are unique within their kind, across all orgs.
   *
   * @returns the record, or `undefined` if there is none
   */
  get<K extends RecordKind>(kind: K, id: string): Promise<Records[K] | undefined>;
  /**
   * Finds the records that match, sorted by id. An adapter may choose the order of ids, as long as it is total and the
   * same for every page, so that pages neither skip nor repeat a record that exists throughout.
   *
   * @throws ValidationError for a field that is not indexed
   */
  find<K extends RecordKind>(kind: K, where: Where<K>, page?: Page): Promise<Records[K][]>;
  /**
   * Finds the records that match and have one of some values, each once, in the order of `find`.
   *
   * A gate calls it for those who may see a few of many projects: all that they may see, in one page after the other.
   * If it is absent, the gate reads everything that matches and picks.
   *
   * @throws ValidationError for a field that is not indexed
   */
  findAny?:
    | (<K extends RecordKind>(kind: K, where: Where<K>, any: AnyOf<K>, page?: Page) => Promise<Records[K][]>)
    | undefined;
  /**
   * Makes all changes or none.
   *
   * A record that replaces another may have fields that this version does not know. They are kept: a process of a later
   * version, which shares the storage during a deploy, has written them.
   *
   * @throws ConflictError naming both versions if one is stale, or if an id or a unique value is taken
   * @throws ValidationError for a record that does not fit its kind, or two changes of one record
   */
  commit(changes: readonly Change[]): Promise<void>;
  /**
   * Calls `listener` after every commit, including those of other processes.
   *
   * @param missed called when commits of other processes may have been missed, as after a lost connection. Everything
   *   remembered of what is stored may then be out of date.
   * @returns a function that stops watching
   */
  watch?: ((listener: (changed: readonly Changed[]) => void, missed?: () => void) => () => void) | undefined;
  /** Closes what the storage has opened itself. A client that the caller gave it stays open. */
  close(): Promise<void>;
}
