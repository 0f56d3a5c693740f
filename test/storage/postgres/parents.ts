import type { PostgresPool } from "../../../src/postgres/pool.js";

/**
 * Makes the org and the project that a record names, where they are missing: the shared suite writes records of orgs that
 * nobody made, and memory does not mind.
 */
export async function withParents(pool: PostgresPool, schema: string): Promise<void> {
  await pool.query(`
    DO $do$
    DECLARE
      child text;
    BEGIN
      CREATE FUNCTION "${schema}".make_parents() RETURNS trigger LANGUAGE plpgsql AS $fn$
      BEGIN
        INSERT INTO "${schema}".org (record)
          VALUES (json_build_object('id', NEW.record ->> 'orgId', 'orgId', NEW.record ->> 'orgId', 'version', 1))
          ON CONFLICT DO NOTHING;
        IF NEW.record ->> 'projectId' IS NOT NULL THEN
          INSERT INTO "${schema}".project (record)
            VALUES (json_build_object('id', NEW.record ->> 'projectId', 'orgId', NEW.record ->> 'orgId', 'version', 1))
            ON CONFLICT DO NOTHING;
        END IF;
        RETURN NEW;
      END $fn$;
      FOREACH child IN ARRAY ARRAY['project', 'key', 'project_member', 'org_member', 'invitation', 'virtual_model',
        'mcp_server', 'external_key', 'credit_grant'] LOOP
        EXECUTE format(
          'CREATE TRIGGER make_parents BEFORE INSERT ON "${schema}".%I FOR EACH ROW EXECUTE FUNCTION "${schema}".make_parents()',
          child);
      END LOOP;
    END $do$`);
}
