import { STATUS } from "../wire/reply.js";

/**
 * Plans that look every count up by its key, whatever the size of the table was when they were made, and that are made
 * once in each session. Without `jit`: what is switched off here is priced so high that it would be compiled, for half a second.
 */
const PLANNING = `SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
  SET enable_mergejoin = off SET jit = off`;

/**
 * The functions that the adapter calls, in schema `s`, one for each method of Counters. They take and answer what `wire/` says.
 *
 * How a call says its charges, row by row:
 *
 *   scopes, models   the rows of table counts
 *   sizes            how many charges there are on each row
 *   fields           of each charge, the name of its count
 *   shape            of each charge four numbers: kind, max (-1 - max in shadow mode), place of the amount, place of the period (or 0)
 *   numbers          three that each function says, the amounts, and for each period index, start and end
 *   lock_order       the places of the rows in the order in which all processes lock them
 *
 * INVARIANT: no call waits for another in a circle. Everybody locks in one order: the clock of callers, the rows in the order that
 * their names have, a reservation. A row is written only under its lock, which is an advisory one: so a refused reserve writes
 * nothing.
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

-- A reservation as callers are told it, see record.ts.
CREATE FUNCTION ${s}.told(expires_at bigint, parts ${s}.part[]) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $fn$
DECLARE
  p ${s}.part;
  told json[] := ARRAY[to_json(expires_at)];
BEGIN
  FOREACH p IN ARRAY parts LOOP
    told := told || ARRAY[to_json(p.at), to_json(p.label), to_json('[' || array_to_string(p.numbers, ',') || ']'), to_json(p.plan)];
  END LOOP;
  RETURN array_to_json(told);
END $fn$;

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
  RETURN json_build_array(${STATUS.look}, o.id, ${s}.told(o.expires_at, o.parts));
END $fn$;

-- Counters.reserve. The numbers begin with the TTL of the reservation, for how long to know of it, and the caller's moment.
CREATE FUNCTION ${s}.reserve(
  wanted text, extends boolean, dry_run boolean, on_caller_clock boolean, scopes text[], models text[], sizes integer[],
  fields text[], shape bigint[], numbers bigint[], lock_order integer[], tags text, plan text, wanted_key text, fingerprint text,
  to_forget integer
) RETURNS text LANGUAGE plpgsql ${PLANNING} AS $fn$
DECLARE
  raw bigint;
  moment bigint;
  held ${s}.counts[];
  written ${s}.counts[];
  has_new boolean := false;
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
  ends bigint;
  taken bigint;
  used bigint[];
  empties bigint[];
  before bigint[];
  is_short boolean := false;
  in_shadow boolean := false;
  status integer;
  known text;
  reply text;
  done text;
BEGIN
  IF on_caller_clock THEN raw := ${s}.caller_clock(numbers[3], NOT dry_run); END IF;
  IF dry_run THEN held := ${s}.rows_of(scopes, models); ELSE held := ${s}.locked_rows(scopes, models, lock_order); END IF;
  raw := coalesce(raw, ${s}.server_now());
  moment := ${s}.latest(raw, held);
  IF extends THEN
    IF dry_run THEN SELECT * INTO o FROM ${s}.reservation WHERE id = wanted;
    ELSE SELECT * INTO o FROM ${s}.reservation WHERE id = wanted FOR UPDATE;
    END IF;
    status := ${s}.closed_as(o, moment);
    IF status IS NOT NULL THEN RETURN format('[%s]', status); END IF;
  ELSE
    o.expires_at := moment + numbers[1];
  END IF;
  part := ROW(moment, coalesce(fingerprint, ''), tags, numbers, plan);
  o.parts := o.parts || part;

  FOR r IN 1..cardinality(sizes) LOOP
    h := held[r];
    has_new := has_new OR h.scope IS NULL;
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
      max := shape[4 * i - 2];
      amount := numbers[shape[4 * i - 1]];
      IF kind = -3 THEN
        period := numbers[shape[4 * i]];
        ends := numbers[shape[4 * i] + 2];
      END IF;
      c := ${s}.charged(c, kind, amount, period, ends, moment, o.expires_at);
      charged[k] := c;
      taken := CASE WHEN kind = -3 AND period = c.previous THEN c.previous_used ELSE c.used END;
      used[i] := taken;
      IF amount > 0 THEN
        IF max >= 0 THEN is_short := is_short OR taken > max; ELSE in_shadow := in_shadow OR taken > -1 - max; END IF;
      ELSIF kind > 0 THEN
        empties := empties || ${s}.empty_at(c, kind);
      END IF;
    END LOOP;
    h.scope := scopes[r];
    h.models := models[r];
    h.at := moment;
    h.counts := charged;
    written[r] := h;
  END LOOP;

  IF (is_short OR dry_run) AND NOT extends THEN
    known := ${s}.known(wanted, wanted_key, moment);
    IF known IS NOT NULL THEN RETURN known; END IF;
  END IF;
  IF is_short OR in_shadow OR dry_run THEN
    before := ${s}.readings(held, sizes, fields, shape, numbers, moment);
  END IF;
  IF is_short THEN RETURN to_json(ARRAY[${STATUS.refused}, moment, raw] || before); END IF;
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
        IF known IS NOT NULL THEN RETURN known; END IF;
        UPDATE ${s}.reservation SET idempotency_key = NULL WHERE idempotency_key = wanted_key AND expires_at <= moment;
      END LOOP;
    END IF;
    done := ${s}.write_rows(written, has_new);
    IF to_forget > 0 THEN PERFORM ${s}.forget(to_forget, moment); END IF;
  END IF;
  IF extends THEN RETURN format('[%s,%s]', reply, ${s}.told(o.expires_at, o.parts)); END IF;
  RETURN '[' || reply || ']';
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

-- Counters.settle. Never refuses. The third of the numbers is the caller's moment.
CREATE FUNCTION ${s}.settle(
  wanted text, on_caller_clock boolean, scopes text[], models text[], sizes integer[], fields text[], shape bigint[],
  numbers bigint[], lock_order integer[], wanted_tags text
) RETURNS text LANGUAGE plpgsql ${PLANNING} AS $fn$
DECLARE
  raw bigint;
  moment bigint;
  held ${s}.counts[];
  has_new boolean := false;
  h ${s}.counts;
  corrected ${s}.one_count[];
  c ${s}.one_count;
  o ${s}.reservation;
  part ${s}.part;
  reserved bigint[];
  status integer;
  done text;
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
  IF on_caller_clock THEN raw := ${s}.caller_clock(numbers[3], true); END IF;
  held := ${s}.locked_rows(scopes, models, lock_order);
  raw := coalesce(raw, ${s}.server_now());
  moment := ${s}.latest(raw, held);
  UPDATE ${s}.reservation n SET settled = true, idempotency_key = NULL, parts = NULL
    FROM (SELECT * FROM ${s}.reservation WHERE id = wanted AND NOT settled AND expires_at > moment FOR UPDATE) was
    WHERE n.id = was.id RETURNING was.* INTO o;
  IF NOT FOUND THEN
    SELECT * INTO o FROM ${s}.reservation WHERE id = wanted;
    status := ${s}.closed_as(o, moment);
    IF status IS NULL THEN RAISE EXCEPTION 'it was reserved just now' USING ERRCODE = 'serialization_failure'; END IF;
    RETURN format('[%s]', -status);
  END IF;
  part := o.parts[1];
  IF part.tags = wanted_tags THEN reserved := part.numbers; END IF;

  FOR r IN 1..cardinality(sizes) LOOP
    h := held[r];
    has_new := has_new OR h.scope IS NULL;
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
      IF kind = -3 THEN
        period := numbers[shape[4 * i]];
        ends := numbers[shape[4 * i] + 2];
      END IF;
      delta := numbers[shape[4 * i - 1]]
        - coalesce(reserved[shape[4 * i - 1]], ${s}.amount_in(part, scopes[r], fields[i]));
      IF cardinality(o.parts) > 1 THEN
        parts_of := '{}';
        FOR p IN 2..cardinality(o.parts) LOOP
          parts_of[p] := ${s}.amount_in(o.parts[p], scopes[r], fields[i]);
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
      c := ${s}.corrected(c, kind, delta, period, ends, part.at, moment, o.expires_at);
      corrected[k] := c;
      used[i] := CASE WHEN kind = -3 THEN ${s}.used(c, kind, period) ELSE c.used END;
    END LOOP;
    h.scope := scopes[r];
    h.models := models[r];
    h.at := moment;
    h.counts := corrected;
    held[r] := h;
  END LOOP;
  done := ${s}.write_rows(held, has_new);
  RETURN format('[%s]', array_to_string(used, ','));
END $fn$;

-- Several calls of reserve and settle, one after the other in one transaction: each has its name and its values. What they lock is
-- named in the order of all processes, for all of them together.
CREATE FUNCTION ${s}.together(calls jsonb, on_caller_clock boolean, locks text[]) RETURNS SETOF text LANGUAGE plpgsql ${PLANNING} AS $fn$
DECLARE
  v jsonb;
  name text;
  done text;
BEGIN
  IF on_caller_clock THEN done := ${s}.caller_clock(0, true); END IF;
  FOREACH name IN ARRAY locks LOOP
    done := pg_advisory_xact_lock(${s}.lock_of(name));
  END LOOP;
  FOR v IN SELECT * FROM jsonb_array_elements(calls) LOOP
    IF v ->> 0 = 'reserve' THEN
      RETURN NEXT ${s}.reserve(v ->> 1, (v ->> 2)::boolean, (v ->> 3)::boolean, (v ->> 4)::boolean, (v ->> 5)::text[],
        (v ->> 6)::text[], (v ->> 7)::integer[], (v ->> 8)::text[], (v ->> 9)::bigint[], (v ->> 10)::bigint[], '{}',
        v ->> 12, v ->> 13, v ->> 14, v ->> 15, (v ->> 16)::integer);
    ELSE
      RETURN NEXT ${s}.settle(v ->> 1, (v ->> 2)::boolean, (v ->> 3)::text[], (v ->> 4)::text[], (v ->> 5)::integer[],
        (v ->> 6)::text[], (v ->> 7)::bigint[], (v ->> 8)::bigint[], '{}', v ->> 10);
    END IF;
  END LOOP;
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
