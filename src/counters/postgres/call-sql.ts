import { STATUS } from "../wire/reply.js";

/**
 * Plans that look every count up by its key, whatever the size of the table was when they were made, and that are made
 * once in each session. Without `jit`: Postgres gives what is switched off here a price so high that it would compile the plan
 * first, for half a second.
 */
const PLANNING = `SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
  SET enable_mergejoin = off SET jit = off`;

/**
 * What the adapter calls, in schema `s`: `count_calls` for reserves and settles, `foresee` for dry runs, `read`. They take and answer
 * what `wire/` says.
 *
 * How a call says its charges, row by row:
 *
 *   scopes, models   the rows of table counts
 *   sizes            how many charges there are on each row
 *   fields           of each charge, the name of its count
 *   shape            of each charge four numbers: kind, max (-1 - max in shadow mode), place of the amount, place of the period (or 0)
 *   numbers          three that each function says, the amounts, and for each period index, start and end
 *
 * INVARIANT: no two groups of calls wait for each other. Everybody locks in one order: first the clock of callers, then, by advisory
 * locks in the order of their names, all that its calls touch: rows of counts, ids of reservations, idempotency keys. Only who holds
 * the lock of something writes it. The one exception is an idempotency key that is taken from an expired reservation: if two do that
 * to each other's, the database finds the deadlock and one of them tries again. A refused reserve writes nothing.
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

-- Counters.reserve, but for reading and writing its rows of counts; raw is the clock. The numbers begin with the TTL of the reservation and
-- for how long to know of it.
CREATE FUNCTION ${s}.reserve(
  held ${s}.counts[], raw bigint, wanted text, extends boolean, dry_run boolean, sizes integer[], fields text[], shape bigint[],
  numbers bigint[], tags text, plan text, wanted_key text, fingerprint text
) RETURNS ${s}.outcome LANGUAGE plpgsql AS $fn$
DECLARE
  moment bigint := ${s}.latest(raw, held);
  written ${s}.counts[] := '{}';
  h ${s}.counts;
  charged ${s}.one_count[];
  c ${s}.one_count;
  o ${s}.reservation;
  part ${s}.part;
  i integer := 0;
  k integer;
  kind bigint;
  max bigint;
  amount bigint;
  period bigint;
  taken bigint;
  used bigint[];
  empties bigint[];
  before bigint[];
  is_short boolean := false;
  in_shadow boolean := false;
  status integer;
  known text;
  reply text;
BEGIN
  IF extends THEN
    IF dry_run THEN SELECT * INTO o FROM ${s}.reservation WHERE id = wanted;
    ELSE SELECT * INTO o FROM ${s}.reservation WHERE id = wanted FOR UPDATE;
    END IF;
    status := ${s}.closed_as(o, moment);
    IF status IS NOT NULL THEN RETURN ROW(format('[%s]', status), NULL)::${s}.outcome; END IF;
  ELSE
    o.expires_at := moment + numbers[1];
  END IF;
  part := ROW(moment, coalesce(fingerprint, ''), tags, numbers, plan);
  o.parts := o.parts || part;

  FOR r IN 1..cardinality(sizes) LOOP
    h := held[r];
    charged := coalesce(h.counts, '{}');
    FOR j IN 1..sizes[r] LOOP
      i := i + 1;
      k := j; -- where it is, unless calls with other limits made the row
      c := charged[k];
      kind := shape[4 * i - 3];
      IF c.field IS DISTINCT FROM fields[i] THEN
        k := ${s}.place_of(charged, fields[i]);
        c := charged[k];
        c.field := fields[i];
        c.kind := kind;
      END IF;
      amount := numbers[shape[4 * i - 1]];
      IF kind <> -3 THEN
        c := ${s}.charged(c, kind, amount, NULL, NULL, moment, o.expires_at);
        taken := c.used;
      ELSE
        period := numbers[shape[4 * i]];
        IF period = c.period THEN -- nearly always; a call of charged takes three times as long
          c.used := c.used + amount;
          taken := c.used;
        ELSE
          c := ${s}.charged(c, kind, amount, period, numbers[shape[4 * i] + 2], moment, o.expires_at);
          taken := CASE WHEN period = c.previous THEN c.previous_used ELSE c.used END;
        END IF;
      END IF;
      charged[k] := c;
      used[i] := taken;
      max := shape[4 * i - 2];
      IF amount = 0 THEN
        IF kind > 0 THEN empties := empties || ${s}.empty_at(c, kind); END IF;
      ELSIF taken > max THEN -- in shadow mode every one is
        IF max >= 0 THEN is_short := true; ELSE in_shadow := in_shadow OR taken > -1 - max; END IF;
      END IF;
    END LOOP;
    h.at := moment;
    h.counts := charged;
    written[r] := h;
  END LOOP;

  IF (is_short OR dry_run) AND NOT extends THEN
    known := ${s}.known(wanted, wanted_key, moment);
    IF known IS NOT NULL THEN RETURN ROW(known, NULL)::${s}.outcome; END IF;
  END IF;
  IF is_short OR in_shadow OR dry_run THEN
    before := ${s}.readings(held, sizes, fields, shape, numbers, moment);
  END IF;
  IF is_short THEN RETURN ROW(to_json(ARRAY[${STATUS.refused}, moment, raw] || before), NULL)::${s}.outcome; END IF;
  IF dry_run THEN
    reply := array_to_string(ARRAY[${STATUS.foreseen}, moment, raw] || before, ',');
  ELSE
    status := CASE WHEN in_shadow THEN ${STATUS.reservedInShadow} ELSE ${STATUS.reserved} END;
    reply := array_to_string(ARRAY[status, moment, raw] || used || empties || before, ',');
    IF extends THEN
      UPDATE ${s}.reservation SET parts = o.parts WHERE id = wanted;
    ELSE
      FOR attempt IN 1..2 LOOP
        INSERT INTO ${s}.reservation (id, expires_at, idempotency_key, parts, forget_at)
          VALUES (wanted, o.expires_at, wanted_key, o.parts, ${s}.server_now() + numbers[2]) ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
        IF attempt = 2 THEN RAISE EXCEPTION 'the key was taken meanwhile' USING ERRCODE = 'serialization_failure'; END IF;
        known := ${s}.known(wanted, wanted_key, moment);
        IF known IS NOT NULL THEN RETURN ROW(known, NULL)::${s}.outcome; END IF;
        UPDATE ${s}.reservation SET idempotency_key = NULL WHERE idempotency_key = wanted_key AND expires_at <= moment;
      END LOOP;
    END IF;
  END IF;
  IF extends THEN RETURN ROW(format('[%s,%s]', reply, ${s}.told(o.expires_at, o.parts)), written)::${s}.outcome; END IF;
  RETURN ROW('[' || reply || ']', written)::${s}.outcome;
END $fn$;

-- What a part of a reservation charged to a count, where it is of other limits than the call: its plan has the names, see planText.
CREATE FUNCTION ${s}.amount_in(part ${s}.part, scope text, field text) RETURNS bigint LANGUAGE plpgsql STABLE AS $fn$
BEGIN
  RETURN coalesce((
    SELECT part.numbers[(charge ->> 1)::integer]
      FROM json_array_elements(split_part(part.plan, chr(10), 1)::json) AS planned,
        json_array_elements(planned) WITH ORDINALITY AS rows (planned_row, nth),
        json_array_elements(CASE WHEN nth > 1 THEN planned_row ELSE '[]' END) WITH ORDINALITY AS charges (charge, place)
      WHERE planned ->> 0 = amount_in.scope AND place > 2 AND charge ->> 0 = amount_in.field), 0);
END $fn$;

-- Counters.settle, but for reading and writing its rows of counts; raw is the clock. Never refuses.
CREATE FUNCTION ${s}.settle(
  held ${s}.counts[], raw bigint, wanted text, sizes integer[], fields text[], shape bigint[], numbers bigint[], wanted_tags text
) RETURNS ${s}.outcome LANGUAGE plpgsql AS $fn$
DECLARE
  moment bigint := ${s}.latest(raw, held);
  h ${s}.counts;
  corrected ${s}.one_count[];
  c ${s}.one_count;
  o ${s}.reservation;
  part ${s}.part;
  extension ${s}.part;
  reserved bigint[];
  is_extended boolean;
  status integer;
  i integer := 0;
  k integer;
  kind bigint;
  period bigint;
  ends bigint;
  delta bigint;
  parts_of bigint[];
  back bigint;
  used bigint[];
BEGIN
  SELECT * INTO o FROM ${s}.reservation WHERE id = wanted FOR UPDATE;
  status := ${s}.closed_as(o, moment);
  IF status IS NOT NULL THEN RETURN ROW(format('[%s]', -status), NULL)::${s}.outcome; END IF;
  UPDATE ${s}.reservation SET settled = true, idempotency_key = NULL, parts = NULL WHERE id = wanted;
  part := o.parts[1];
  is_extended := cardinality(o.parts) > 1;
  IF part.tags = wanted_tags THEN reserved := part.numbers; END IF;

  FOR r IN 1..cardinality(sizes) LOOP
    h := held[r];
    corrected := coalesce(h.counts, '{}');
    FOR j IN 1..sizes[r] LOOP
      i := i + 1;
      k := j;
      c := corrected[k];
      kind := shape[4 * i - 3];
      IF c.field IS DISTINCT FROM fields[i] THEN
        k := ${s}.place_of(corrected, fields[i]);
        c := corrected[k];
        c.field := fields[i];
        c.kind := kind;
      END IF;
      delta := numbers[shape[4 * i - 1]]
        - coalesce(reserved[shape[4 * i - 1]], ${s}.amount_in(part, h.scope, fields[i]));
      IF kind = -3 THEN
        period := numbers[shape[4 * i]];
        ends := numbers[shape[4 * i] + 2];
      END IF;
      IF is_extended THEN
        parts_of := '{}';
        FOR p IN 2..cardinality(o.parts) LOOP
          extension := o.parts[p];
          IF extension.tags = wanted_tags THEN parts_of[p] := extension.numbers[shape[4 * i - 1]];
          ELSE parts_of[p] := ${s}.amount_in(extension, h.scope, fields[i]);
          END IF;
          delta := delta - parts_of[p];
        END LOOP;
        -- Back goes what was charged last, so that each part keeps min(estimate, actual) of its own moment.
        FOR p IN REVERSE cardinality(o.parts)..2 LOOP
          EXIT WHEN delta >= 0;
          back := greatest(delta, -parts_of[p]);
          c := ${s}.corrected(c, kind, back, period, ends, o.parts[p].at, moment, o.expires_at);
          delta := delta - back;
        END LOOP;
      END IF;
      IF kind <> -3 THEN
        c := ${s}.corrected(c, kind, delta, NULL, NULL, part.at, moment, o.expires_at);
        used[i] := c.used;
      ELSIF period = c.period THEN
        c.used := greatest(0, c.used + delta);
        used[i] := c.used;
      ELSE
        c := ${s}.corrected(c, kind, delta, period, ends, part.at, moment, o.expires_at);
        used[i] := ${s}.used(c, kind, period);
      END IF;
      corrected[k] := c;
    END LOOP;
    h.at := moment;
    h.counts := corrected;
    held[r] := h;
  END LOOP;
  RETURN ROW(format('[%s]', array_to_string(used, ',')), held)::${s}.outcome;
END $fn$;

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
    IF on_caller_clock THEN raw := ${s}.caller_clock(call.numbers[3], true); ELSE raw := ${s}.server_now(); END IF;
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
  IF to_forget > 0 AND has_reserved THEN done := ${s}.forget(to_forget, ${s}.latest(raw, held)); END IF;
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
