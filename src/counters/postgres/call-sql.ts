import { STATUS } from "../wire/reply.js";
import { reserveSql } from "./reserve-sql.js";
import { settleSql } from "./settle-sql.js";

/**
 * Settings for plans that look every count up by its key, whatever the size of the table was when they were made, and
 * that are made once in each session. Without `jit`: Postgres assigns what is switched off here such a high cost that
 * it would first compile the plan, for half a second.
 */
const PLANNING = `SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
  SET enable_mergejoin = off SET jit = off`;

/**
 * The functions that the adapter calls, in schema `s`: `count_calls` for reserves and settles, `foresee` for dry runs,
 * and `read`. Their arguments and answers are those of `wire/`.
 *
 * How a call describes its charges, row by row:
 *
 * ```
 * scopes, models   the rows of table counts
 * sizes            how many charges there are on each row
 * fields           for each charge, the name of its count
 * shape            for each charge four numbers: kind, max (-1 - max in shadow mode), place of the amount, place of the
 *                  period (or 0)
 * numbers          three defined by each function, then the amounts, and for each period its index, start and end
 * ```
 *
 * INVARIANT: no two groups of calls wait for each other in a circle. Everybody locks in one order: first the callers'
 * clock, then, by advisory locks in the order of their names, everything that the calls touch: rows of counts, ids of
 * reservations, idempotency keys. Only the holder of a lock writes what it protects. The one exception is an
 * idempotency key taken over from an expired reservation: if two do that to each other's, the database finds the
 * deadlock and one of them retries. A refused reserve writes nothing.
 */
export function callSql(s: string): string {
  return `
-- Why a reservation is not open; NULL where it is.
CREATE FUNCTION ${s}.closed_as(o ${s}.reservation, moment bigint) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $fn$
BEGIN
  IF o.id IS NULL THEN RETURN ${STATUS.unknown}; END IF;
  IF o.settled THEN RETURN ${STATUS.alreadySettled}; END IF;
  IF o.expires_at <= moment THEN RETURN ${STATUS.expired}; END IF;
  RETURN NULL;
END $fn$;

-- A reservation as callers are told it, see record.ts: a plan that is the one of the part before is left out.
CREATE FUNCTION ${s}.told(expires_at bigint, parts ${s}.part[]) RETURNS text LANGUAGE sql IMMUTABLE AS $fn$
  SELECT format('[%s%s]', expires_at, string_agg(format(',%s,%s,"[%s]",%s', at, to_json(label), array_to_string(numbers, ','),
      to_json(CASE WHEN plan = before THEN '' ELSE plan END)), '' ORDER BY place))
    FROM (SELECT *, lag(plan) OVER (ORDER BY place) AS before
      FROM unnest(parts) WITH ORDINALITY AS p (at, label, tags, numbers, plan, place)) AS parts_in_order
$fn$;

-- What is known of the id or the idempotency key of a reserve, as the reply to it; NULL for nothing.
CREATE FUNCTION ${s}.known(wanted text, wanted_key text, moment bigint) RETURNS text LANGUAGE plpgsql AS $fn$
DECLARE
  o ${s}.reservation;
  status integer;
BEGIN
  IF wanted_key IS NOT NULL THEN
    SELECT * INTO o FROM ${s}.reservation WHERE idempotency_key = wanted_key AND expires_at > moment;
  END IF;
  IF o.id IS NULL THEN
    SELECT * INTO o FROM ${s}.reservation WHERE id = wanted;
    IF o.id IS NULL THEN RETURN NULL; END IF;
    status := ${s}.closed_as(o, moment);
    IF status IS NOT NULL THEN RETURN format('[%s]', status); END IF;
  END IF;
  RETURN format('[%s,%s,%s]', ${STATUS.look}, to_json(o.id), ${s}.told(o.expires_at, o.parts));
END $fn$;

-- What a call makes of the rows that it counts in: the reply, the rows after it where anything is counted, and the reservation that is made
-- or extended.
CREATE TYPE ${s}.outcome AS (reply text, written ${s}.counts_row[], reservation ${s}.reservation);
${reserveSql(s)}${settleSql(s)}
-- Writes reservations that were made, and closes others.
CREATE FUNCTION ${s}.write_reservations(made ${s}.reservation[], closed text[]) RETURNS void LANGUAGE plpgsql AS $fn$
BEGIN
  IF cardinality(closed) > 0 THEN
    UPDATE ${s}.reservation SET settled = true, idempotency_key = NULL, parts = NULL WHERE id = ANY (closed);
  END IF;
  IF cardinality(made) > 0 THEN
    -- There is a conflict only where transactions are repeatable reads, and there this fails in such a way that it is tried again.
    INSERT INTO ${s}.reservation (id, expires_at, settled, idempotency_key, parts, forget_at)
      SELECT m.id, m.expires_at, m.settled, m.idempotency_key, m.parts, m.forget_at FROM unnest(made) m ON CONFLICT DO NOTHING;
  END IF;
END $fn$;

-- Calls that count, one after the other in one transaction; a reply to each. locks are the names of all that they touch, in the order of
-- all processes; scopes and models are their rows, each of which is read once and written once. So is each reservation, unless two of the
-- calls are of the same one. A call is an array:
--
--   0 reserve or settle     1 which of told it is, from 0: sizes, fields and shape     2 the places of its rows in scopes and models
--   3 which of plans it is, from 1; 0 for a settle
--   4 id                    5 numbers                                                  6 tags
--   for a reserve:          7 whether it extends     8 idempotency key     9 fingerprint
--
-- plans are not among the calls, since reading so much JSON would take a twentieth of a reserve: they are one text, with U+001E between
-- them.
-- to_forget: how many rows to look at for those that matter no more, where anything is reserved.
CREATE FUNCTION ${s}.count_calls(
  calls jsonb, told jsonb, plans text, on_caller_clock boolean, locks text[], scopes text[], models text[], to_forget integer
) RETURNS SETOF text LANGUAGE plpgsql ${PLANNING} AS $fn$
DECLARE
  call record;
  name text;
  each_plan text[] := string_to_array(plans, chr(30));
  raw bigint;
  -- What is forgotten goes by the clock that counts go by, as it is now: raw and the rows may be days ahead, where it was.
  present bigint;
  -- Counts go by the gates' clocks too, whose periods they are of: the server may be days ahead of those.
  earliest bigint;
  held ${s}.counts_row[];
  has_new boolean;
  mine ${s}.counts_row[];
  places integer[];
  at integer;
  sizes integer[];
  fields text[];
  shape bigint[];
  answer ${s}.outcome;
  o ${s}.reservation;
  made ${s}.reservation[] := '{}';
  settled text[] := '{}';
  touched text[] := '{}'; -- the ids and keys of reservations that are no more what they were before these calls
  may_be_known boolean;
  has_reserved boolean := false;
  is_written boolean[];
  written ${s}.counts_row[] := '{}';
  done text; -- assigned to, which takes a third of the time of PERFORM
  server_now bigint;
BEGIN
  IF on_caller_clock THEN done := ${s}.caller_clock(((calls -> 0 ->> 5)::bigint[])[3], true); END IF;
  FOREACH name IN ARRAY locks LOOP
    done := pg_advisory_xact_lock(${s}.lock_of(name));
  END LOOP;
  held := ${s}.rows_of(scopes, models);
  has_new := ${s}.has_new(held);
  server_now := ${s}.server_now();
  FOR call IN
    SELECT c ->> 0 AS name, (c ->> 1)::integer AS told, (c ->> 2)::integer[] AS places, (c ->> 3)::integer AS plan, c ->> 4 AS id,
        (c ->> 5)::bigint[] AS numbers, c ->> 6 AS tags, (c ->> 7)::boolean AS extends, c ->> 8 AS key, c ->> 9 AS fingerprint,
        open, open.id IS NOT NULL OR with_key.id IS NOT NULL AS may_be_known
      FROM jsonb_array_elements(calls) WITH ORDINALITY AS calls (c, place)
        LEFT JOIN ${s}.reservation open ON open.id = c ->> 4
        LEFT JOIN ${s}.reservation with_key ON with_key.idempotency_key = c ->> 8
      ORDER BY place
  LOOP
    IF at IS DISTINCT FROM call.told THEN
      at := call.told;
      sizes := told -> at ->> 0;
      fields := told -> at ->> 1;
      shape := told -> at ->> 2;
    END IF;
    places := call.places;
    mine := '{}';
    FOR r IN 1..cardinality(places) LOOP
      mine[r] := held[places[r]];
    END LOOP;
    IF on_caller_clock THEN
      present := call.numbers[3];
      raw := ${s}.caller_clock(present, true);
    ELSE
      raw := server_now;
      present := raw;
    END IF;
    earliest := least(earliest, present, call.numbers[3]);
    o := call.open;
    may_be_known := call.may_be_known;
    IF touched && ARRAY[call.id, call.key] THEN
      done := ${s}.write_reservations(made, settled);
      made := '{}';
      settled := '{}';
      SELECT * INTO o FROM ${s}.reservation WHERE id = call.id;
      may_be_known := true;
    END IF;
    IF call.name = 'reserve' THEN
      answer := ${s}.reserve(mine, raw, call.id, o, may_be_known, call.extends, false, sizes, fields, shape, call.numbers, call.tags,
        each_plan[call.plan], call.key, call.fingerprint);
    ELSE
      answer := ${s}.settle(mine, raw, o, sizes, fields, shape, call.numbers, call.tags);
      -- See settledFrom.
      IF (answer.written[1]).at > present THEN
        answer.reply := format('%s,%s]', rtrim(answer.reply, ']'), (answer.written[1]).at - present);
      END IF;
    END IF;
    RETURN NEXT answer.reply;
    CONTINUE WHEN answer.written IS NULL;
    IF call.name = 'settle' THEN
      settled := settled || call.id;
    ELSE
      has_reserved := true;
      o := answer.reservation;
      IF call.extends THEN
        UPDATE ${s}.reservation SET parts = o.parts WHERE id = call.id;
      ELSE
        o.forget_at := server_now + call.numbers[2];
        made := made || o;
      END IF;
    END IF;
    touched := touched || ARRAY[call.id, o.idempotency_key];
    mine := answer.written;
    FOR r IN 1..cardinality(mine) LOOP
      held[places[r]] := mine[r];
      is_written[places[r]] := true;
    END LOOP;
  END LOOP;
  FOR r IN 1..cardinality(scopes) LOOP
    IF is_written[r] THEN written := written || held[r]; END IF;
  END LOOP;
  IF cardinality(written) > 0 THEN done := ${s}.write_rows(written, has_new); END IF;
  done := ${s}.write_reservations(made, settled);
  IF to_forget > 0 AND has_reserved THEN
    done := ${s}.forget(to_forget, present, CASE WHEN has_new THEN earliest END);
  END IF;
END $fn$;

-- The reply that a reserve would have. It locks nothing and writes nothing.
CREATE FUNCTION ${s}.foresee(
  on_caller_clock boolean, scopes text[], models text[], sizes integer[], fields text[], shape bigint[], wanted text,
  numbers bigint[], tags text, extends boolean, plan text, wanted_key text, fingerprint text
) RETURNS text LANGUAGE plpgsql ${PLANNING} AS $fn$
DECLARE
  raw bigint := CASE WHEN on_caller_clock THEN ${s}.caller_clock(numbers[3], false) ELSE ${s}.server_now() END;
  o ${s}.reservation;
  answer ${s}.outcome;
BEGIN
  IF extends THEN SELECT * INTO o FROM ${s}.reservation WHERE id = wanted; END IF;
  answer := ${s}.reserve(
    ${s}.rows_of(scopes, models), raw, wanted, o, true, extends, true, sizes, fields, shape, numbers, tags, plan, wanted_key, fingerprint);
  RETURN answer.reply;
END $fn$;

-- Counters.read. The third of the numbers is the caller's moment.
CREATE FUNCTION ${s}.read(
  on_caller_clock boolean, scopes text[], models text[], sizes integer[], fields text[], shape bigint[], numbers bigint[]
) RETURNS text LANGUAGE plpgsql STABLE ${PLANNING} AS $fn$
DECLARE
  raw bigint := CASE WHEN on_caller_clock THEN ${s}.caller_clock(numbers[3], false) ELSE ${s}.server_now() END;
  held ${s}.counts_row[] := ${s}.rows_of(scopes, models);
  moment bigint := ${s}.latest(raw, held);
BEGIN
  RETURN to_json(ARRAY[moment, raw] || ${s}.readings(held, sizes, fields, shape, numbers, moment));
END $fn$;
`;
}
