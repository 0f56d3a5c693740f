/** A notification holds fewer than 8,000 bytes. */
const PAYLOAD_MAX = 7_900;

/** The bytes for the changes in one notification, which leaves room for the writer's name. */
const CHANGES_MAX = PAYLOAD_MAX - 100;

/**
 * The function that commits changes, in the named schema: one statement, so one transaction, over any connection.
 *
 * `changes` is [{table, kind, id, expected, record}, ...], where a change without a record deletes. It answers
 * `{"changed": [{kind, id, orgId}, ...]}` or, with nothing written, `{"stale": {kind, id, expected, present}}`. The
 * trail of an org comes first, so that writers of one org wait for each other there and nowhere else. The rest comes in
 * the order of ids.
 *
 * Listeners on the channel, which is named like the schema, are sent `{"by": writer, "changed": [...]}`, in as many
 * notifications as all changes need. `changed` is left out for a change that is too long by itself.
 */
export function commitSql(schema: string): string {
  const s = `"${schema}"`;
  return `
CREATE FUNCTION ${s}.tell(writer text, part json[]) RETURNS void LANGUAGE plpgsql AS $fn$
DECLARE
  told text := json_build_object('by', writer, 'changed', part);
BEGIN
  IF octet_length(told) > ${PAYLOAD_MAX} THEN told := json_build_object('by', writer); END IF;
  PERFORM pg_notify('${schema}', told);
END $fn$;

CREATE FUNCTION ${s}.commit(writer text, changes json) RETURNS json LANGUAGE plpgsql AS $fn$
DECLARE
  change record;
  present record;
  done bigint;
  changed json[] := '{}';
  one json;
  part json[] := '{}';
  bytes integer := 0;
BEGIN
  FOR change IN
    SELECT g.*, g.record ->> 'orgId' AS org_id
    FROM json_to_recordset(changes) AS g (kind text, "table" text, id text, expected bigint, record json)
    ORDER BY kind <> 'trail', kind, id COLLATE "C"
  LOOP
    EXECUTE format('SELECT version, org_id FROM ${s}.%I WHERE id = $1 FOR NO KEY UPDATE', change."table")
      INTO present USING change.id;
    IF coalesce(present.version, 0) <> change.expected THEN
      RETURN json_build_object('stale', json_build_object(
        'kind', change.kind, 'id', change.id, 'expected', change.expected, 'present', coalesce(present.version, 0)));
    END IF;
    changed := array_append(changed, json_build_object(
      'kind', change.kind, 'id', change.id, 'orgId', coalesce(change.org_id, present.org_id)));
  END LOOP;

  FOR change IN
    SELECT * FROM json_to_recordset(changes) AS g (kind text, "table" text, id text, expected bigint, record json)
    ORDER BY kind <> 'trail', kind, id COLLATE "C"
  LOOP
    IF change.record IS NULL THEN
      EXECUTE format('DELETE FROM ${s}.%I WHERE id = $1', change."table") USING change.id;
    ELSIF change.expected > 0 THEN
      EXECUTE format('UPDATE ${s}.%I SET record = $2 WHERE id = $1', change."table") USING change.id, change.record;
    ELSE
      EXECUTE format('INSERT INTO ${s}.%I (record) VALUES ($1) ON CONFLICT (id) DO NOTHING', change."table")
        USING change.record;
      GET DIAGNOSTICS done = ROW_COUNT;
      IF done = 0 THEN
        -- Made by another meanwhile; tried again, this answers stale.
        RAISE EXCEPTION 'a record was made meanwhile' USING ERRCODE = 'serialization_failure';
      END IF;
    END IF;
  END LOOP;

  FOREACH one IN ARRAY changed LOOP
    IF cardinality(part) > 0 AND bytes + octet_length(one::text) + 1 > ${CHANGES_MAX} THEN
      PERFORM ${s}.tell(writer, part);
      part := '{}';
      bytes := 0;
    END IF;
    part := array_append(part, one);
    bytes := bytes + octet_length(one::text) + 1;
  END LOOP;
  PERFORM ${s}.tell(writer, part);
  RETURN json_build_object('changed', changed);
END $fn$;
`;
}
