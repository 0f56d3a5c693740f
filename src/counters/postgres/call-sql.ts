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

-- What a call makes of the rows that it counts in: the reply, and the rows after it where anything is counted.
CREATE TYPE ${s}.outcome AS (reply text, written ${s}.counts[]);
${reserveSql(s)}${settleSql(s)}
-- Calls that count, one after the other in one transaction; a reply to each. locks are the names of all that they touch, in the order of
-- all processes; scopes and models are their rows, each of which is read once and written once. A call is an array:
--
--   0 reserve or settle     1 which of told it is, from 0: sizes, fields and shape     2 the places of its rows in scopes and models
--   3 id                    4 numbers                                                  5 tags
--   for a reserve:          6 whether it extends     7 plan     8 idempotency key     9 fingerprint
--
-- to_forget: how many rows to look at for those that matter no more, where anything is reserved.
CREATE FUNCTION ${s}.count_calls(
  calls jsonb, told jsonb, on_caller_clock boolean, locks text[], scopes text[], models text[], to_forget integer
) RETURNS SETOF text LANGUAGE plpgsql ${PLANNING} AS $fn$
DECLARE
  call record;
  name text;
  raw bigint;
  -- What is forgotten goes by the clock that counts go by, as it is now: raw and the rows may be days ahead, where it was.
  present bigint;
  -- Counts go by the gates' clocks too, whose periods they are of: the server may be days ahead of those.
  earliest bigint;
  held ${s}.counts[];
  has_new boolean;
  mine ${s}.counts[];
  places integer[];
  at integer;
  sizes integer[];
  fields text[];
  shape bigint[];
  answer ${s}.outcome;
  has_reserved boolean := false;
  is_written boolean[];
  written ${s}.counts[] := '{}';
  done text; -- assigned to, which takes a third of the time of PERFORM
BEGIN
  IF on_caller_clock THEN done := ${s}.caller_clock(((calls -> 0 ->> 4)::bigint[])[3], true); END IF;
  FOREACH name IN ARRAY locks LOOP
    done := pg_advisory_xact_lock(${s}.lock_of(name));
  END LOOP;
  held := ${s}.rows_of(scopes, models);
  has_new := ${s}.has_new(held);
  FOR call IN
    SELECT c ->> 0 AS name, (c ->> 1)::integer AS told, (c ->> 2)::integer[] AS places, c ->> 3 AS id, (c ->> 4)::bigint[] AS numbers,
        c ->> 5 AS tags, (c ->> 6)::boolean AS extends, c ->> 7 AS plan, c ->> 8 AS key, c ->> 9 AS fingerprint
      FROM jsonb_array_elements(calls) AS c
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
      raw := ${s}.server_now();
      present := raw;
    END IF;
    earliest := least(earliest, present, call.numbers[3]);
    IF call.name = 'reserve' THEN
      answer := ${s}.reserve(mine, raw, call.id, call.extends, false, sizes, fields, shape, call.numbers, call.tags, call.plan, call.key,
        call.fingerprint);
      has_reserved := has_reserved OR answer.written IS NOT NULL;
    ELSE
      answer := ${s}.settle(mine, raw, call.id, sizes, fields, shape, call.numbers, call.tags);
    END IF;
    RETURN NEXT answer.reply;
    CONTINUE WHEN answer.written IS NULL;
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
  answer ${s}.outcome;
BEGIN
  answer := ${s}.reserve(
    ${s}.rows_of(scopes, models), raw, wanted, extends, true, sizes, fields, shape, numbers, tags, plan, wanted_key, fingerprint);
  RETURN answer.reply;
END $fn$;

-- Counters.read. The third of the numbers is the caller's moment.
CREATE FUNCTION ${s}.read(
  on_caller_clock boolean, scopes text[], models text[], sizes integer[], fields text[], shape bigint[], numbers bigint[]
) RETURNS text LANGUAGE plpgsql STABLE ${PLANNING} AS $fn$
DECLARE
  raw bigint := CASE WHEN on_caller_clock THEN ${s}.caller_clock(numbers[3], false) ELSE ${s}.server_now() END;
  held ${s}.counts[] := ${s}.rows_of(scopes, models);
  moment bigint := ${s}.latest(raw, held);
BEGIN
  RETURN to_json(ARRAY[moment, raw] || ${s}.readings(held, sizes, fields, shape, numbers, moment));
END $fn$;
`;
}
