import * as z from "zod";
import { ConflictError, ValidationError } from "../../model/errors.js";
import type { RecordKind, Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import { migrate, migrationText } from "../../postgres/migration.js";
import {
  answersOfStatement,
  notMigrated,
  type PostgresClient,
  type PostgresOptions,
  type PostgresPool,
  type PostgresRow,
  postgresOptions,
} from "../../postgres/pool.js";
import { schemaName } from "../../postgres/schema.js";
import { fromStorableJson, storable, storableJson } from "../../postgres/text.js";
import { checkAny, checkChanges, checkWhere, staleVersion } from "../checks.js";
import { snakeCase } from "../snake-case.js";
import type { AnyOf, Change, Changed, Page, Storage, Where } from "../storage.js";
import { ChangeFeed } from "./change-feed.js";
import { conflictOf } from "./conflicts.js";
import { GroupedGets } from "./grouped-gets.js";
import { storageMigrations } from "./migrations.js";

/** Options of {@link postgresStorage}. */
export interface PostgresStorageOptions extends PostgresOptions {
  /**
   * Opens a connection to listen for the changes of other processes. It is closed once it is no longer needed. Default:
   * a connection from `pool`. If that has only one, nobody listens, and changes are seen when caches expire.
   *
   * If `pool` goes through a pooler that shares connections between transactions, open one here that does not, such as
   * `async () => { const client = new Client(direct); await client.connect(); return client; }`.
   */
  readonly listen?: (() => Promise<PostgresClient>) | undefined;
}

const optionsSchema = z.strictObject({
  ...postgresOptions,
  listen: z
    .custom<() => Promise<PostgresClient>>((listen) => typeof listen === "function", {
      error: "a function that opens a connection",
    })
    .optional(),
});

/** Records in Postgres, shared by all processes that use the same schema. */
export interface PostgresStorage extends Storage {
  /** Like {@link Storage.watch}. Changes of other processes arrive by LISTEN, over one connection. */
  watch(listener: (changed: readonly Changed[]) => void, missed?: () => void): () => void;
  /** Creates or updates the tables, if necessary. All processes may call it when they start. */
  migrate(): Promise<void>;
}

/**
 * Returns the SQL of {@link PostgresStorage.migrate}, to run it yourself: one statement that may be run again.
 *
 * @param schema the schema of the tables. Default: `tollgate`.
 * @throws ValidationError if `schema` is not the name of a schema
 */
export function postgresStorageSql(schema?: string): string {
  const name = schemaName(schema);
  return migrationText(name, "storage", storageMigrations(name));
}

/**
 * Makes a storage in Postgres 14 or later, with one table for each kind of record. A commit is one statement.
 *
 * @throws ValidationError naming the option that is wrong
 */
export function postgresStorage(options: PostgresStorageOptions): PostgresStorage {
  const { pool, schema, listen } = parse(optionsSchema, options ?? {}, "options");
  const name = schemaName(schema);
  const { connect } = pool;
  const feed = new ChangeFeed({
    pool,
    channel: name,
    listen: listen ?? (connect && !hasOneConnection(pool) ? () => connect.call(pool) : undefined),
  });
  const gets = new GroupedGets((kind, ids) => textsOf(pool, name, kind, ids));

  async function find<K extends RecordKind>(
    kind: K,
    where: Where<K>,
    page: Page,
    any?: AnyOf<K>,
  ): Promise<Records[K][]> {
    const { text, values } = findStatement(name, kind, where, page, any);
    const rows = await rowsOf(pool, text, values);
    return rows.map(({ record }) => recordIn<K>(String(record)));
  }

  return {
    async get(kind, id) {
      const text = await gets.get(kind, storable(id));
      return text === undefined ? undefined : recordIn<typeof kind>(text);
    },
    async find(kind, where, page = {}) {
      checkWhere(kind, where);
      return find(kind, where, page);
    },
    async findAny(kind, where, any, page = {}) {
      checkWhere(kind, where);
      checkAny(kind, any);
      return find(kind, where, page, any);
    },
    async commit(changes) {
      checkChanges(changes);
      if (changes.length === 0) return;
      feed.tell(await commit(pool, name, changes, feed));
    },
    watch: (listener, missed) => feed.watch(listener, missed),
    migrate: () => migrate(pool, postgresStorageSql(name)),
    // The pool is the caller's.
    close: () => feed.close(),
  };
}

/** @throws ConflictError, ValidationError: see {@link Storage.commit} */
async function commit(
  pool: PostgresPool,
  schema: string,
  changes: readonly Change[],
  feed: ChangeFeed,
): Promise<readonly Changed[]> {
  const wire = changes.map(({ kind, id, expectedVersion, record }) => ({
    table: snakeCase(kind),
    kind,
    id,
    expected: expectedVersion,
    record,
  }));
  try {
    const [answer] = await answersOfStatement(pool, `SELECT "${schema}".commit($1, $2)::text`, [
      feed.writer,
      storableJson(wire),
    ]);
    const { stale, changed = [] } = commitAnswerFrom(answer);
    if (stale) throw staleVersion(stale.kind, stale.id, stale.expected, stale.present);
    return changed;
  } catch (error) {
    const conflict = conflictOf(error);
    // It may have been committed all the same, for example if the connection was lost before the answer came.
    if (!(conflict instanceof ConflictError || conflict instanceof ValidationError)) feed.doubt(changes);
    throw advised(conflict);
  }
}

interface CommitAnswer {
  readonly changed?: readonly Changed[];
  readonly stale?: { kind: RecordKind; id: string; expected: number; present: number };
}

function commitAnswerFrom(value: unknown): CommitAnswer {
  if (typeof value !== "string") throw new Error("the function of a commit answers with the text of JSON");
  return fromStorableJson(value) as CommitAnswer; // sound: it answers nothing else
}

function findStatement<K extends RecordKind>(
  schema: string,
  kind: K,
  where: Where<K>,
  { after, limit = Number.POSITIVE_INFINITY }: Page,
  any?: AnyOf<K>,
): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const conditions: string[] = [];
  for (const [field, value] of Object.entries(where)) {
    if (value === undefined) continue;
    values.push(storable(String(value)));
    conditions.push(`${snakeCase(field)} = $${values.length}`);
  }
  if (any !== undefined) {
    const terms = Object.entries<readonly string[] | undefined>(any).map(([field, wanted = []]) => {
      // One value for all, so that the text of the statement is always the same.
      values.push(JSON.stringify(wanted.map(storable)));
      return `${snakeCase(field)} = ANY (ARRAY(SELECT json_array_elements_text($${values.length}::json)))`;
    });
    conditions.push(`(${terms.join(" OR ") || "FALSE"})`);
  }
  if (after !== undefined) {
    values.push(storable(after));
    conditions.push(`id > $${values.length}`);
  }
  let text = `SELECT record::text FROM "${schema}".${snakeCase(kind)}`;
  if (conditions.length > 0) text += ` WHERE ${conditions.join(" AND ")}`;
  text += " ORDER BY id";
  if (Number.isFinite(limit)) {
    values.push(limit);
    text += ` LIMIT $${values.length}`;
  }
  return { text, values };
}

/** Whether a pool of `pg` has only one connection, which listening would occupy for good. */
function hasOneConnection(pool: PostgresPool): boolean {
  return Object(Object(pool).options).max === 1;
}

/** The text of each record with one of these ids, by its id. Both are as they are stored. */
async function textsOf(
  pool: PostgresPool,
  schema: string,
  kind: RecordKind,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await rowsOf(
    pool,
    `SELECT id, record::text FROM "${schema}".${snakeCase(kind)}` +
      " WHERE id = ANY (ARRAY(SELECT json_array_elements_text($1::json)))",
    [JSON.stringify(ids)],
  );
  return new Map(rows.map(({ id, record }) => [String(id), String(record)]));
}

async function rowsOf(pool: PostgresPool, text: string, values: unknown[]): Promise<PostgresRow[]> {
  const { rows } = await pool.query(text, values).catch((error: unknown) => {
    throw advised(error);
  });
  return rows as PostgresRow[]; // sound: a row is an object by the names of its columns
}

function recordIn<K extends RecordKind>(text: string): Records[K] {
  return fromStorableJson(text) as Records[K]; // sound: what is in a kind's table was checked when it was committed
}

/** For an error that means missing tables, one that says what to do. Any other as it is. */
function advised(error: unknown): unknown {
  const advice = notMigrated(error, "postgresStorage");
  return advice === undefined ? error : new Error(`the storage failed: ${advice}`, { cause: error });
}
