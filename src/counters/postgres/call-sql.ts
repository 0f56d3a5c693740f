import { SUB_BUCKETS } from "../../admission/sliding-count.js";

/** How long after its TTL a reservation is still known, so that a late settle is told `expired`; and an idle count kept. */
const KEPT_MS = 3_600_000;

/** From the first zone to enter a date to the last to leave it: until then an ended period may still be charged. */
const ZONES_APART_MS = 26 * 3_600_000;

/**
 * Plans that look every count up by its key, whatever the size of the table was when they were made, and that are made
 * once in each session. Without `jit`: what is switched off here is priced so high that it would be compiled, for half a second.
 */
const PLANNING = `SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
  SET enable_mergejoin = off SET jit = off`;

/**
 * The functions that the adapter calls, in schema `s`, one for each method of Counters.
 *
 * INVARIANT: no call waits for another in a circle. Locks are taken in one order: the clock of callers, the reservation, counts
 * that are made, ordered by their key, counts that exist, ordered by their key. A count that exists is never waited for
 * by who makes one later: who finds that one is gone begins again (SQLSTATE 40001).
 */
export function callSql(s: string): string {
  return `
CREATE FUNCTION ${s}.server_now() RETURNS bigint LANGUAGE sql VOLATILE AS $fn$
  SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
$fn$;

-- The moment of a call. The clock of callers stands still for everybody else until a call that writes is over; a dry run does not move it.
CREATE FUNCTION ${s}.now_of(caller_now bigint, caller_clock boolean, dry_run boolean) RETURNS bigint LANGUAGE plpgsql AS $fn$
DECLARE
  moment bigint;
BEGIN
  IF NOT caller_clock THEN RETURN ${s}.server_now(); END IF;
  IF dry_run THEN RETURN (SELECT greatest(caller_now, max(k.at)) FROM ${s}.clock k); END IF;
  INSERT INTO ${s}.clock AS k (at) VALUES (caller_now)
    ON CONFLICT (one) DO UPDATE SET at = greatest(k.at, caller_now) RETURNING k.at INTO moment;
  RETURN moment;
END $fn$;

CREATE FUNCTION ${s}.charges_of(given json) RETURNS ${s}.charge[] LANGUAGE plpgsql IMMUTABLE AS $fn$
BEGIN
  RETURN ARRAY(SELECT ch FROM json_populate_recordset(NULL::${s}.charge, given) ch);
END $fn$;

-- The counts of charges as they are, in their order; NULL for one that was never charged.
CREATE FUNCTION ${s}.look(charges ${s}.charge[]) RETURNS ${s}.counts[] LANGUAGE plpgsql STABLE AS $fn$
BEGIN
  RETURN ARRAY(
    SELECT c FROM unnest(charges) ch LEFT JOIN ${s}.counts c ON c.scope = ch.scope AND c.field = ch.field ORDER BY ch.place);
END $fn$;

-- The same, locked until the end of the call, made where they are missing.
CREATE FUNCTION ${s}.hold(charges ${s}.charge[], seen ${s}.counts[]) RETURNS ${s}.counts[] LANGUAGE plpgsql AS $fn$
DECLARE
  held ${s}.counts[];
BEGIN
  IF array_position(seen, NULL) IS NOT NULL THEN
    INSERT INTO ${s}.counts (scope, field) SELECT ch.scope, ch.field FROM unnest(charges) ch ORDER BY ch.scope, ch.field
      ON CONFLICT DO NOTHING;
  END IF;
  held := ARRAY(
    SELECT x.c FROM (
      SELECT c, ch.place FROM unnest(charges) ch JOIN ${s}.counts c ON c.scope = ch.scope AND c.field = ch.field
      ORDER BY c.scope, c.field FOR UPDATE OF c
    ) x ORDER BY x.place);
  IF cardinality(held) < cardinality(charges) THEN
    RAISE EXCEPTION 'a count was forgotten meanwhile' USING ERRCODE = 'serialization_failure';
  END IF;
  RETURN held;
END $fn$;

-- The server's clock, and no moment before what the counts have seen.
CREATE FUNCTION ${s}.not_before(moment bigint, held ${s}.counts[]) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $fn$
DECLARE
  c ${s}.counts;
BEGIN
  FOREACH c IN ARRAY held LOOP
    moment := greatest(moment, c.at);
  END LOOP;
  RETURN moment;
END $fn$;

-- Whether the limits have room: 'all', 'shadow' where only limits in shadow mode are short, 'none'. Zero always has.
CREATE FUNCTION ${s}.room(charges ${s}.charge[], held ${s}.counts[], moment bigint) RETURNS text LANGUAGE plpgsql STABLE AS $fn$
DECLARE
  ch ${s}.charge;
  found text := 'all';
BEGIN
  FOREACH ch IN ARRAY charges LOOP
    IF ch.amount > 0 AND ${s}.used(held[ch.place], ch, moment) + ch.amount > ch.max THEN
      IF ch.enforced THEN RETURN 'none'; END IF;
      found := 'shadow';
    END IF;
  END LOOP;
  RETURN found;
END $fn$;

CREATE FUNCTION ${s}.readings(
  charges ${s}.charge[], held ${s}.counts[], moment bigint, caller_now bigint, caller_clock boolean, with_waits boolean
) RETURNS json LANGUAGE plpgsql STABLE AS $fn$
DECLARE
  ch ${s}.charge;
  found json[] := '{}';
  watched bigint := CASE WHEN caller_clock THEN caller_now ELSE moment END;
BEGIN
  FOREACH ch IN ARRAY charges LOOP
    IF NOT with_waits THEN ch.amount := 0; END IF;
    found := found || ${s}.reading(held[ch.place], ch, moment, watched, caller_now);
  END LOOP;
  RETURN array_to_json(found);
END $fn$;

-- What can be said of charges without holding their counts, all of it from one state of the database; no readings where no limit
-- is short, unless they are asked for.
CREATE FUNCTION ${s}.appraise(
  charges ${s}.charge[], caller_now bigint, caller_clock boolean, asked boolean,
  INOUT moment bigint, OUT held ${s}.counts[], OUT has_room text, OUT readings json
) LANGUAGE plpgsql STABLE AS $fn$
BEGIN
  held := ${s}.look(charges);
  IF NOT caller_clock THEN moment := ${s}.not_before(moment, held); END IF;
  has_room := ${s}.room(charges, held, moment);
  IF asked OR has_room <> 'all' THEN
    readings := ${s}.readings(charges, held, moment, caller_now, caller_clock, true);
  END IF;
END $fn$;

CREATE FUNCTION ${s}.write_counts(held ${s}.counts[], moment bigint) RETURNS void LANGUAGE plpgsql AS $fn$
BEGIN
  UPDATE ${s}.counts c
    SET at = moment, used = n.used, width = n.width, first_bucket = n.first_bucket, buckets = n.buckets, period = n.period,
      period_ends_at = n.period_ends_at, previous = n.previous, previous_used = n.previous_used, next_expiry = n.next_expiry
    FROM unnest(held) n WHERE c.scope = n.scope AND c.field = n.field;
END $fn$;

-- What is told of an open reservation, its charges where they are not those that were just asked for.
CREATE FUNCTION ${s}.told(
  outcome text, r ${s}.reservation, moment bigint, readings json, shadow json
) RETURNS json LANGUAGE sql STABLE AS $fn$
  SELECT json_build_object(
    'outcome', outcome, 'id', r.id, 'at', moment,
    'reservedAt', r.reserved_at, 'expiresAt', r.reserved_at + r.expires_at - r.at,
    'charges', CASE WHEN outcome = 'replayed' OR r.extensions IS NOT NULL THEN r.charges END, 'extensions', r.extensions,
    'readings', readings, 'shadow', shadow)
$fn$;

-- Counters.reserve. A call that is refused, replayed or a dry run waits for no count and writes none.
CREATE FUNCTION ${s}.reserve(
  id text, orders text, caller_now bigint, ttl bigint, given json, idempotency_key text, fingerprint text,
  caller_clock boolean, to_forget integer
) RETURNS json LANGUAGE plpgsql ${PLANNING} AS $fn$
#variable_conflict use_column
DECLARE
  wanted CONSTANT text := id;
  wanted_key CONSTANT text := idempotency_key;
  wanted_print CONSTANT text := fingerprint;
  extends CONSTANT boolean := orders LIKE 'extend%';
  dry_run CONSTANT boolean := orders LIKE '% dry run';
  moment bigint := ${s}.now_of(caller_now, caller_clock, dry_run);
  charges ${s}.charge[] := ${s}.charges_of(given);
  held ${s}.counts[];
  r ${s}.reservation;
  ch ${s}.charge;
  seen record;
  has_room text;
  readings json;
  shadow json;
BEGIN
  IF extends THEN
    SELECT o.* INTO r FROM ${s}.reservation o WHERE o.id = wanted FOR UPDATE;
    IF r.id IS NULL OR r.settled OR r.expires_at <= moment THEN
      RETURN json_build_object('outcome', ${s}.closed_as(r));
    END IF;
  ELSE
    -- Two calls with the same id, or the same idempotency key, come one after the other.
    IF NOT dry_run THEN
      PERFORM pg_advisory_xact_lock(hashtextextended(wanted, 1));
      IF wanted_key IS NOT NULL THEN PERFORM pg_advisory_xact_lock(hashtextextended(wanted_key, 2)); END IF;
    END IF;
    -- What has its key is the answer, or else what was made when it was sent before.
    IF wanted_key IS NOT NULL THEN
      SELECT o.* INTO r FROM ${s}.reservation o WHERE o.idempotency_key = wanted_key AND o.expires_at > moment;
    END IF;
    IF r.id IS NULL THEN
      SELECT o.* INTO r FROM ${s}.reservation o WHERE o.id = wanted;
      IF r.settled OR r.expires_at <= moment THEN RETURN json_build_object('outcome', ${s}.closed_as(r)); END IF;
    END IF;
    IF r.id IS NOT NULL AND r.fingerprint IS DISTINCT FROM coalesce(wanted_print, r.fingerprint) THEN
      RETURN '{"outcome":"conflict"}';
    END IF;
    IF r.id IS NOT NULL THEN
      charges := ${s}.charges_of(${s}.all_charges(r));
      seen := ${s}.appraise(charges, caller_now, caller_clock, true, moment);
      RETURN ${s}.told('replayed', r, moment, seen.readings, NULL);
    END IF;
  END IF;

  seen := ${s}.appraise(charges, caller_now, caller_clock, dry_run, moment);
  has_room := seen.has_room;
  readings := seen.readings;
  moment := seen.moment;
  IF has_room <> 'none' AND NOT dry_run THEN
    held := ${s}.hold(charges, seen.held);
    IF NOT caller_clock THEN moment := ${s}.not_before(${s}.server_now(), held); END IF;
    -- What had room still has it at a later moment, if nobody was faster.
    IF has_room <> 'all' OR moment < seen.moment OR held <> seen.held THEN
      has_room := ${s}.room(charges, held, moment);
    END IF;
    IF has_room <> 'all' THEN
      readings := ${s}.readings(charges, held, moment, caller_now, caller_clock, true);
    END IF;
  END IF;
  IF has_room = 'none' THEN RETURN json_build_object('outcome', 'refused', 'readings', readings); END IF;
  IF has_room = 'shadow' THEN shadow := readings; END IF;

  IF extends THEN
    r.extensions := (coalesce(r.extensions::jsonb, '[]')
      || jsonb_build_object('at', moment, 'charges', given::jsonb))::json;
  ELSE
    r.id := wanted;
    r.at := moment;
    r.expires_at := moment + ttl;
    r.reserved_at := CASE WHEN caller_clock THEN moment ELSE caller_now END;
  END IF;
  IF dry_run THEN RETURN ${s}.told('reserved', r, moment, readings, shadow); END IF;

  FOREACH ch IN ARRAY charges LOOP
    held[ch.place] := ${s}.add(held[ch.place], ch, moment, r.expires_at);
  END LOOP;
  PERFORM ${s}.write_counts(held, moment);
  IF extends THEN
    UPDATE ${s}.reservation o SET extensions = r.extensions WHERE o.id = r.id;
  ELSE
    IF wanted_key IS NOT NULL THEN
      UPDATE ${s}.reservation o SET idempotency_key = NULL WHERE o.idempotency_key = wanted_key; -- one that has expired
    END IF;
    INSERT INTO ${s}.reservation (id, at, expires_at, reserved_at, idempotency_key, fingerprint, charges, forget_at)
      VALUES (r.id, r.at, r.expires_at, r.reserved_at, wanted_key, wanted_print, given, ${s}.server_now() + ttl + ${KEPT_MS});
  END IF;
  IF to_forget > 0 THEN PERFORM ${s}.forget(to_forget, moment); END IF;
  readings := ${s}.readings(charges, held, moment, caller_now, caller_clock, false);
  RETURN ${s}.told('reserved', r, moment, readings, shadow);
END $fn$;

CREATE FUNCTION ${s}.closed_as(r ${s}.reservation) RETURNS text LANGUAGE sql IMMUTABLE AS $fn$
  SELECT CASE WHEN r.id IS NULL THEN 'unknown_reservation' WHEN r.settled THEN 'already_settled' ELSE 'expired' END
$fn$;

-- Everything that a reservation charged, extensions included, each count once and in the order in which they came.
CREATE FUNCTION ${s}.all_charges(r ${s}.reservation) RETURNS json LANGUAGE plpgsql STABLE AS $fn$
BEGIN
  IF r.extensions IS NULL THEN RETURN r.charges; END IF;
  RETURN (
    WITH part AS (
      SELECT 0 AS part, r.charges AS charges
      UNION ALL
      SELECT e.part::integer, e.value -> 'charges' FROM json_array_elements(r.extensions) WITH ORDINALITY AS e (value, part)
    ), every AS (
      SELECT ch.*, sum(ch.amount) OVER same AS total, row_number() OVER same AS nth, p.part
      FROM part p, json_populate_recordset(NULL::${s}.charge, p.charges) ch
      WINDOW same AS (PARTITION BY ch.scope, ch.field ORDER BY p.part ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    )
    SELECT json_agg(json_build_object('place', place, 'scope', scope, 'field', field, 'amount', total, 'max', max,
      'enforced', enforced, 'kind', kind, 'width', width, 'period', period, 'period_ends_at', period_ends_at) ORDER BY place)
    FROM (SELECT e.scope, e.field, e.total, e.max, e.enforced, e.kind, e.width, e.period, e.period_ends_at,
            row_number() OVER (ORDER BY e.part, e.place) AS place
          FROM every e WHERE e.nth = 1) once
  );
END $fn$;

-- Counters.settle. Never refuses.
CREATE FUNCTION ${s}.settle(id text, caller_now bigint, given json, caller_clock boolean)
RETURNS json LANGUAGE plpgsql ${PLANNING} AS $fn$
#variable_conflict use_column
DECLARE
  wanted CONSTANT text := id;
  moment bigint := ${s}.now_of(caller_now, caller_clock, false);
  charges ${s}.charge[];
  reserved ${s}.charge[];
  held ${s}.counts[];
  c ${s}.counts;
  r ${s}.reservation;
  ch ${s}.charge;
  delta bigint;
  back bigint;
  extension record;
  taken bigint[] := '{}';
BEGIN
  SELECT o.* INTO r FROM ${s}.reservation o WHERE o.id = wanted FOR UPDATE;
  IF r.id IS NULL OR r.settled OR r.expires_at <= moment THEN
    RETURN json_build_object('outcome', ${s}.closed_as(r));
  END IF;
  charges := ${s}.charges_of(given);
  reserved := ${s}.charges_of(${s}.all_charges(r));
  held := ${s}.hold(charges, ${s}.look(charges));
  IF NOT caller_clock THEN moment := ${s}.not_before(greatest(r.at, ${s}.server_now()), held); END IF;
  FOREACH ch IN ARRAY charges LOOP
    c := held[ch.place];
    delta := ch.amount - ${s}.amount_in(reserved, ch);
    IF delta < 0 AND r.extensions IS NOT NULL THEN
      -- Back goes what was charged last, so that each part keeps min(estimate, actual) of its own moment.
      FOR extension IN
        SELECT (e.value ->> 'at')::bigint AS at, ${s}.amount_in(${s}.charges_of(e.value -> 'charges'), ch) AS amount
        FROM json_array_elements(r.extensions) WITH ORDINALITY AS e (value, nth) ORDER BY e.nth DESC
      LOOP
        EXIT WHEN delta >= 0;
        back := greatest(delta, -extension.amount);
        c := ${s}.correct(c, ch, back, extension.at, r.expires_at, moment);
        delta := delta - back;
      END LOOP;
    END IF;
    c := ${s}.correct(c, ch, delta, r.at, r.expires_at, moment);
    held[ch.place] := c;
    taken := taken || ${s}.used(c, ch, moment);
  END LOOP;
  PERFORM ${s}.write_counts(held, moment);
  UPDATE ${s}.reservation o
    SET settled = true, idempotency_key = NULL, fingerprint = NULL, charges = NULL, extensions = NULL WHERE o.id = r.id;
  RETURN json_build_object('outcome', 'settled', 'used', array_to_json(taken));
END $fn$;

-- What stands in charges against the count of another; nearly always it is at the same place.
CREATE FUNCTION ${s}.amount_in(charges ${s}.charge[], ch ${s}.charge) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $fn$
DECLARE
  same ${s}.charge := charges[ch.place];
BEGIN
  IF same.scope = ch.scope AND same.field = ch.field THEN RETURN same.amount; END IF;
  FOREACH same IN ARRAY charges LOOP
    IF same.scope = ch.scope AND same.field = ch.field THEN RETURN same.amount; END IF;
  END LOOP;
  RETURN 0;
END $fn$;

-- Counters.read.
CREATE FUNCTION ${s}.read(caller_now bigint, given json, caller_clock boolean)
RETURNS json LANGUAGE plpgsql STABLE ${PLANNING} AS $fn$
DECLARE
  charges ${s}.charge[] := ${s}.charges_of(given);
  held ${s}.counts[] := ${s}.look(charges);
  moment bigint;
BEGIN
  IF caller_clock THEN SELECT greatest(caller_now, max(k.at)) INTO moment FROM ${s}.clock k;
  ELSE moment := ${s}.not_before(${s}.server_now(), held);
  END IF;
  RETURN ${s}.readings(charges, held, moment, caller_now, caller_clock, true);
END $fn$;

-- Forgets a few of the reservations and counts that matter no more. It waits for nobody: what is locked is passed over.
CREATE FUNCTION ${s}.forget(at_most integer, moment bigint) RETURNS void LANGUAGE plpgsql AS $fn$
DECLARE
  last ${s}.sweep;
  looked_at integer;
BEGIN
  DELETE FROM ${s}.reservation WHERE id = ANY (ARRAY(
    SELECT r.id FROM ${s}.reservation r WHERE r.forget_at <= ${s}.server_now() AND r.expires_at <= moment
    ORDER BY r.forget_at LIMIT at_most FOR UPDATE SKIP LOCKED));

  SELECT w.* INTO last FROM ${s}.sweep w FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN RETURN; END IF; -- somebody else is at it
  WITH seen AS MATERIALIZED (
    SELECT c.scope, c.field FROM ${s}.counts c WHERE (c.scope, c.field) > (last.scope, last.field)
    ORDER BY c.scope, c.field LIMIT at_most
  ), free AS MATERIALIZED (
    SELECT c.scope, c.field FROM seen JOIN ${s}.counts c ON c.scope = seen.scope AND c.field = seen.field
    WHERE c.at + ${KEPT_MS} <= moment AND ${s}.idle(c, moment) FOR UPDATE OF c SKIP LOCKED
  ), gone AS (
    DELETE FROM ${s}.counts c USING free WHERE c.scope = free.scope AND c.field = free.field
  ), slots AS (
    DELETE FROM ${s}.slot f USING free WHERE f.scope = free.scope AND f.field = free.field
  ), counted AS (
    SELECT count(*) AS seen FROM seen
  )
  SELECT counted.seen, coalesce(l.scope, ''), coalesce(l.field, '') INTO looked_at, last.scope, last.field
    FROM counted LEFT JOIN LATERAL (SELECT scope, field FROM seen ORDER BY scope DESC, field DESC LIMIT 1) l ON true;
  IF looked_at < at_most THEN
    last.scope := ''; -- the end: the next one begins anew
    last.field := '';
  END IF;
  UPDATE ${s}.sweep SET scope = last.scope, field = last.field;
END $fn$;

-- Whether forgetting a count changes no later answer. A period not at once when it ends: in a zone further west, which the org may
-- move to, the same date goes on.
CREATE FUNCTION ${s}.idle(c ${s}.counts, moment bigint) RETURNS boolean LANGUAGE sql STABLE AS $fn$
  SELECT CASE
    WHEN c.period IS NOT NULL THEN c.period_ends_at + ${ZONES_APART_MS} <= moment
    WHEN c.used = 0 THEN true
    WHEN c.width IS NOT NULL THEN c.first_bucket + cardinality(c.buckets) <= moment / c.width - ${SUB_BUCKETS}
    WHEN c.next_expiry IS NOT NULL THEN NOT EXISTS (
      SELECT FROM ${s}.slot f WHERE f.scope = c.scope AND f.field = c.field AND f.expires_at > moment)
    ELSE false
  END
$fn$;
`;
}
