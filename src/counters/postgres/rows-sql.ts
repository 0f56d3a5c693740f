/**
 * How long, in milliseconds, a reservation is known after its TTL, so that a late settle is answered `expired`, and how
 * long an idle count is kept.
 */
export const KEPT_MS = 3_600_000;

/** Reading, locking, writing and deleting rows of counts, in schema `s`. For the form of a call see `callSql`. */
export function rowsSql(s: string): string {
  return `
CREATE FUNCTION ${s}.server_now() RETURNS bigint LANGUAGE sql VOLATILE AS $fn$
  SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
$fn$;

-- The moment of a call on the clock of callers, which stands still for everybody else until a call that writes is over.
CREATE FUNCTION ${s}.caller_clock(caller_now bigint, writes boolean) RETURNS bigint LANGUAGE plpgsql AS $fn$
DECLARE
  moment bigint;
BEGIN
  IF NOT writes THEN RETURN (SELECT greatest(caller_now, max(k.at)) FROM ${s}.clock k); END IF;
  INSERT INTO ${s}.clock AS k (at) VALUES (caller_now)
    ON CONFLICT (one) DO UPDATE SET at = greatest(k.at, caller_now) RETURNING k.at INTO moment;
  RETURN moment;
END $fn$;

-- The advisory lock of a name. Two names may have the same one: then a call waits in vain, and nothing else goes wrong.
CREATE FUNCTION ${s}.lock_of(name text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $fn$
  SELECT hashtextextended('counts of ${s} ' || name, 0)
$fn$;

-- The rows that are named, in that order; at and counts are NULL for one that is not there.
CREATE FUNCTION ${s}.rows_of(scopes text[], models text[]) RETURNS ${s}.counts_row[] LANGUAGE plpgsql VOLATILE AS $fn$
BEGIN
  RETURN ARRAY(
    SELECT ROW(w.scope, w.models, t.at, t.counts)::${s}.counts_row
      FROM unnest(scopes, models) WITH ORDINALITY AS w (scope, models, place)
      LEFT JOIN ${s}.counts t ON t.scope = w.scope AND t.models = w.models ORDER BY w.place);
END $fn$;

-- Whether one of these rows is not there yet.
CREATE FUNCTION ${s}.has_new(held ${s}.counts_row[]) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $fn$
DECLARE
  h ${s}.counts_row;
BEGIN
  FOREACH h IN ARRAY held LOOP
    IF h.at IS NULL THEN RETURN true; END IF;
  END LOOP;
  RETURN false;
END $fn$;

-- Where a count is in its row; behind the last one where it is not there.
CREATE FUNCTION ${s}.place_of(counts ${s}.one_count[], wanted text) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $fn$
BEGIN
  FOR place IN 1..coalesce(cardinality(counts), 0) LOOP
    IF counts[place].field = wanted THEN RETURN place; END IF;
  END LOOP;
  RETURN coalesce(cardinality(counts), 0) + 1;
END $fn$;

CREATE FUNCTION ${s}.latest(moment bigint, held ${s}.counts_row[]) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $fn$
DECLARE
  h ${s}.counts_row;
BEGIN
  FOREACH h IN ARRAY held LOOP
    moment := greatest(moment, h.at);
  END LOOP;
  RETURN moment;
END $fn$;

-- Three numbers for each charge, see reading().
CREATE FUNCTION ${s}.readings(
  held ${s}.counts_row[], sizes integer[], fields text[], shape bigint[], numbers bigint[], moment bigint
) RETURNS bigint[] LANGUAGE plpgsql IMMUTABLE AS $fn$
DECLARE
  counts ${s}.one_count[];
  told bigint[] := '{}';
  i integer := 0;
  max bigint;
BEGIN
  FOR r IN 1..cardinality(sizes) LOOP
    counts := held[r].counts;
    FOR j IN 1..sizes[r] LOOP
      i := i + 1;
      max := shape[4 * i - 2];
      IF max < 0 THEN max := -1 - max; END IF;
      told := told || ${s}.reading(counts[${s}.place_of(counts, fields[i])], shape[4 * i - 3], numbers[shape[4 * i - 1]], max,
        numbers[nullif(shape[4 * i], 0)], numbers[nullif(shape[4 * i], 0) + 2], moment);
    END LOOP;
  END LOOP;
  RETURN told;
END $fn$;

-- Writes rows, those that were not there too. Their locks are held.
CREATE FUNCTION ${s}.write_rows(written ${s}.counts_row[], are_new boolean) RETURNS void LANGUAGE plpgsql AS $fn$
BEGIN
  IF are_new THEN
    INSERT INTO ${s}.counts (scope, models, at, counts) SELECT n.* FROM unnest(written) n
      ON CONFLICT (scope, models) DO UPDATE SET at = excluded.at, counts = excluded.counts;
  ELSE
    UPDATE ${s}.counts t SET at = n.at, counts = n.counts FROM unnest(written) n
      WHERE t.scope = n.scope AND t.models = n.models;
  END IF;
END $fn$;

-- Forgets those of the next counts that matter no more; where the following ones begin.
CREATE FUNCTION ${s}.forget_counts(last ${s}.sweep, at_most integer, moment bigint) RETURNS ${s}.sweep LANGUAGE plpgsql AS $fn$
DECLARE
  seen record;
  is_end boolean := true;
BEGIN
  -- Of the next rows, those that may be idle, and the last one: to pass each here would take most of the time.
  FOR seen IN
    SELECT * FROM (
      SELECT n.*, count(*) OVER () AS looked_at, lead(true) OVER (ORDER BY n.scope, n.models) IS NULL AS is_last FROM (
        SELECT t.scope, t.models, t.at, CASE WHEN t.at + ${KEPT_MS} <= moment THEN t.counts END AS old
          FROM ${s}.counts t WHERE (t.scope, t.models) > (last.scope, last.models) ORDER BY t.scope, t.models LIMIT at_most
      ) n
    ) n WHERE n.old IS NOT NULL OR n.is_last
  LOOP
    IF seen.is_last THEN
      last.scope := seen.scope;
      last.models := seen.models;
      is_end := seen.looked_at < at_most;
    END IF;
    IF seen.old IS NOT NULL AND ${s}.are_idle(seen.old, moment) THEN
      IF pg_try_advisory_xact_lock(${s}.lock_of(seen.scope || ' ' || seen.models)) THEN
        DELETE FROM ${s}.counts t WHERE t.scope = seen.scope AND t.models = seen.models AND t.at = seen.at
          AND ${s}.are_idle(t.counts, moment); -- a clock that stands still may have counted meanwhile
      END IF;
    END IF;
  END LOOP;
  IF is_end THEN
    last.scope := ''; -- the next one begins anew
    last.models := '';
  END IF;
  RETURN last;
END $fn$;

-- Forgets a few of the reservations that matter no more at a moment, and of the counts at another, which is NULL unless one was made: a
-- clock that is days ahead for calls of which none makes any does no harm. It waits for nobody: what is locked is passed over.
CREATE FUNCTION ${s}.forget(at_most integer, moment bigint, counts_moment bigint) RETURNS void LANGUAGE plpgsql AS $fn$
DECLARE
  server_now CONSTANT bigint := ${s}.server_now(); -- in the query itself it would keep the index from being used
  last ${s}.sweep;
  forgot_from bigint;
BEGIN
  SELECT w.* INTO last FROM ${s}.sweep w FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN; END IF; -- somebody else is at it
  -- From where the last one came to: as long as any transaction is open that began before, the index still has all that was forgotten,
  -- and to pass over it takes longer and longer. What was not forgotten in its turn is found once an hour; or now, where the server's
  -- clock has gone back since.
  IF last.begun_at + ${KEPT_MS} <= server_now OR last.begun_at > server_now THEN
    last.begun_at := server_now;
    last.forgot_to := 0;
  END IF;
  forgot_from := last.forgot_to;
  WITH forgotten AS (
    DELETE FROM ${s}.reservation WHERE id = ANY (ARRAY(
      SELECT o.id FROM ${s}.reservation o WHERE o.forget_at BETWEEN forgot_from AND server_now AND o.expires_at <= moment
      ORDER BY o.forget_at LIMIT at_most FOR UPDATE SKIP LOCKED)) RETURNING forget_at)
  SELECT greatest(forgot_from, max(f.forget_at)) INTO last.forgot_to FROM forgotten f;

  IF counts_moment IS NOT NULL THEN last := ${s}.forget_counts(last, at_most, counts_moment); END IF;
  UPDATE ${s}.sweep SET scope = last.scope, models = last.models, forgot_to = last.forgot_to, begun_at = last.begun_at;
END $fn$;

CREATE FUNCTION ${s}.are_idle(counts ${s}.one_count[], moment bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $fn$
DECLARE
  c ${s}.one_count;
BEGIN
  FOREACH c IN ARRAY counts LOOP
    IF NOT ${s}.idle(c, moment) THEN RETURN false; END IF;
  END LOOP;
  RETURN true;
END $fn$;
`;
}
