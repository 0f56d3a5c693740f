import { answersOfStatement, LOST_AGAINST_ANOTHER, type PostgresPool } from "./pool.js";

/** One step of the tables of a part, from one version to the next. */
export interface Migration {
  /** 1, 2, … in order. */
  readonly version: number;
  /** Statements, each with its semicolon; names are qualified by the schema. Without `$tollgate$`. */
  readonly sql: string;
}

/** Which tables: each part has versions of its own, so that one can be used without the other. */
type MigratedPart = "storage" | "counters" | "ledger";

/**
 * One statement that brings the tables of a part to their latest version, whichever they have, and does nothing where
 * they have it. A single statement is one transaction on any connection, pooled or not.
 */
export function migrationText(schema: string, part: MigratedPart, migrations: readonly Migration[]): string {
  const steps = migrations.map(
    ({ version, sql }) => `
  IF NOT EXISTS (SELECT FROM "${schema}".migration m WHERE m.part = '${part}' AND m.version = ${version}) THEN
${sql.trim().replace(/^/gm, "    ")}
    INSERT INTO "${schema}".migration (part, version) VALUES ('${part}', ${version});
  END IF;`,
  );
  return `DO $tollgate$
BEGIN
  -- One after the other: processes that start together find the work done.
  PERFORM pg_advisory_xact_lock(hashtextextended('tollgate migration of ${schema}', 0));
  IF to_regnamespace('"${schema}"') IS NULL THEN
    CREATE SCHEMA "${schema}";
  END IF;
  IF to_regclass('"${schema}".migration') IS NULL THEN
    CREATE TABLE "${schema}".migration (
      part text NOT NULL,
      version integer NOT NULL,
      done_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (part, version)
    );
  END IF;
${steps.join("\n")}
END
$tollgate$;
`;
}

/**
 * A row, table, type or function that is there already. Where transactions are repeatable reads by default, whoever
 * waited for another's migration does not see that it is done, and makes it again; the next try sees it.
 */
const MADE_MEANWHILE = new Set([...LOST_AGAINST_ANOTHER, "23505", "42P07", "42710", "42723"]);

/** Brings the tables of a part to their latest version. */
export async function migrate(pool: PostgresPool, text: string): Promise<void> {
  await answersOfStatement(pool, text, [], MADE_MEANWHILE);
}
