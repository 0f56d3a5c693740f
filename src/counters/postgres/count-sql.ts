import { SUB_BUCKETS } from "../../admission/sliding-count.js";

/**
 * The arithmetic of one count, in schema `s`: what the classes of `admission/count.ts` are in memory, answer for answer.
 *
 * A count that was never charged is NULL to `used` and `reading`; `add` and `correct` are given one that exists and is
 * locked. Only slots are written here, the changed count is given back.
 */
export function countSql(s: string): string {
  return `
-- What is used at a moment.
CREATE FUNCTION ${s}.used(c ${s}.counts, ch ${s}.charge, moment bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $fn$
DECLARE
  stale bigint;
BEGIN
  IF c.used IS NULL THEN
    RETURN 0;
  ELSIF ch.kind = 'sliding' THEN
    IF c.used = 0 THEN RETURN 0; END IF;
    stale := moment / ch.width - ${SUB_BUCKETS} - c.first_bucket;
    IF stale <= 0 THEN RETURN c.used; END IF;
    IF stale >= cardinality(c.buckets) THEN RETURN 0; END IF;
    RETURN c.used - (SELECT sum(b) FROM unnest(c.buckets[1:stale::integer]) b);
  ELSIF ch.kind = 'calendar' THEN
    IF c.period IS NULL OR ch.period > c.period THEN RETURN 0; END IF;
    IF ch.period = c.previous THEN RETURN c.previous_used; END IF;
    RETURN c.used;
  ELSIF ch.kind = 'inFlight' AND c.next_expiry <= moment THEN
    RETURN c.used - (SELECT coalesce(sum(f.slots), 0) FROM ${s}.slot f
      WHERE f.scope = ch.scope AND f.field = ch.field AND f.expires_at <= moment);
  END IF;
  RETURN c.used;
END $fn$;

-- [used, milliseconds until the charge fits, milliseconds until the count is zero by itself]; null where time does not help.
-- watched is the clock that the caller watches for windows and slots, caller_now the one that periods are of.
CREATE FUNCTION ${s}.reading(c ${s}.counts, ch ${s}.charge, moment bigint, watched bigint, caller_now bigint)
RETURNS json LANGUAGE plpgsql STABLE AS $fn$
DECLARE
  taken bigint := ${s}.used(c, ch, moment);
  fits_at bigint;
  wait bigint;
  reset bigint;
BEGIN
  IF ch.amount = 0 OR taken + ch.amount <= ch.max THEN
    wait := 0;
  ELSIF ch.amount <= ch.max THEN
    IF ch.kind = 'sliding' THEN
      -- Buckets that count no more only lower the sum; it cannot fit at the end of one of them.
      SELECT (c.first_bucket + min(b.place) + ${SUB_BUCKETS}) * ch.width INTO fits_at
        FROM (SELECT place, sum(amount) OVER (ORDER BY place) AS gone
              FROM unnest(c.buckets) WITH ORDINALITY AS u (amount, place)) b
        WHERE c.used - b.gone + ch.amount <= ch.max;
      wait := fits_at - watched;
    ELSIF ch.kind = 'calendar' THEN
      -- A period that has ended, of a call that goes on after it, gets no room any more.
      IF ch.period_ends_at > caller_now THEN wait := ch.period_ends_at - caller_now; END IF;
    ELSIF ch.kind = 'inFlight' THEN
      SELECT min(f.expires_at) INTO fits_at
        FROM (SELECT expires_at, sum(slots) OVER (ORDER BY expires_at) AS freed FROM ${s}.slot
              WHERE scope = ch.scope AND field = ch.field AND expires_at > moment) f
        WHERE f.freed >= taken + ch.amount - ch.max;
      wait := fits_at - watched;
    END IF;
  END IF;
  IF ch.kind = 'calendar' THEN
    reset := greatest(0, ch.period_ends_at - caller_now);
  ELSIF ch.kind = 'sliding' THEN
    reset := 0;
    IF taken > 0 THEN
      reset := greatest(0, (c.first_bucket + cardinality(c.buckets) + ${SUB_BUCKETS}) * ch.width - watched);
    END IF;
  END IF;
  RETURN json_build_array(taken, wait, reset);
END $fn$;

-- A sliding count without the buckets before the first that counts.
CREATE FUNCTION ${s}.without_stale(c ${s}.counts, first bigint) RETURNS ${s}.counts LANGUAGE plpgsql IMMUTABLE AS $fn$
DECLARE
  stale bigint := first - c.first_bucket;
BEGIN
  IF c.used = 0 OR stale <= 0 THEN RETURN c; END IF;
  IF stale >= cardinality(c.buckets) THEN
    c.used := 0;
    c.buckets := '{}';
    RETURN c;
  END IF;
  c.used := c.used - (SELECT sum(b) FROM unnest(c.buckets[1:stale::integer]) b);
  c.buckets := c.buckets[stale::integer + 1:];
  c.first_bucket := first;
  RETURN c;
END $fn$;

-- Counts the charge as of a moment; slots are taken until ends.
CREATE FUNCTION ${s}.add(c ${s}.counts, ch ${s}.charge, moment bigint, ends bigint) RETURNS ${s}.counts LANGUAGE plpgsql AS $fn$
DECLARE
  place integer;
  gap integer;
BEGIN
  IF ch.kind = 'sliding' THEN
    c.width := ch.width;
    c := ${s}.without_stale(c, moment / ch.width - ${SUB_BUCKETS});
    IF ch.amount > 0 THEN
      IF c.used = 0 THEN
        c.first_bucket := moment / ch.width;
        c.buckets := ARRAY[ch.amount];
      ELSE
        place := moment / ch.width - c.first_bucket + 1;
        gap := place - cardinality(c.buckets);
        IF gap > 0 THEN c.buckets := c.buckets || array_fill(0::bigint, ARRAY[gap]); END IF;
        c.buckets[place] := c.buckets[place] + ch.amount;
      END IF;
      c.used := c.used + ch.amount;
    END IF;
  ELSIF ch.kind = 'calendar' THEN
    IF c.period IS NULL OR ch.period > c.period THEN
      c.previous := c.period;
      c.previous_used := c.used;
      c.period := ch.period;
      c.period_ends_at := ch.period_ends_at;
      c.used := 0;
    END IF;
    IF ch.period = c.previous THEN c.previous_used := c.previous_used + ch.amount;
    ELSE c.used := c.used + ch.amount;
    END IF;
  ELSIF ch.kind = 'inFlight' THEN
    IF c.next_expiry <= moment THEN
      WITH freed AS (
        DELETE FROM ${s}.slot f WHERE f.scope = ch.scope AND f.field = ch.field AND f.expires_at <= moment RETURNING f.slots
      ) SELECT c.used - coalesce(sum(slots), 0) INTO c.used FROM freed;
      SELECT min(f.expires_at) INTO c.next_expiry FROM ${s}.slot f WHERE f.scope = ch.scope AND f.field = ch.field;
    END IF;
    IF ch.amount > 0 THEN
      INSERT INTO ${s}.slot AS f (scope, field, expires_at, slots) VALUES (ch.scope, ch.field, ends, ch.amount)
        ON CONFLICT (scope, field, expires_at) DO UPDATE SET slots = f.slots + ch.amount;
      c.used := c.used + ch.amount;
      c.next_expiry := least(c.next_expiry, ends);
    END IF;
  ELSE
    c.used := c.used + ch.amount;
  END IF;
  RETURN c;
END $fn$;

-- Corrects, by delta, what was charged at charged_at with slots until ends. What is more counts as of the moment; a refund goes
-- to the bucket or period that was charged while that is kept, else nowhere.
CREATE FUNCTION ${s}.correct(c ${s}.counts, ch ${s}.charge, delta bigint, charged_at bigint, ends bigint, moment bigint)
RETURNS ${s}.counts LANGUAGE plpgsql AS $fn$
DECLARE
  place integer;
  freed bigint;
BEGIN
  ch.amount := delta;
  IF ch.kind = 'lifetime' THEN
    c.used := c.used + delta;
  ELSIF ch.kind = 'calendar' THEN
    IF ch.period = c.period THEN c.used := c.used + delta;
    ELSIF ch.period = c.previous THEN c.previous_used := c.previous_used + delta;
    ELSIF delta > 0 AND (c.period IS NULL OR ch.period > c.period) THEN c := ${s}.add(c, ch, moment, ends);
    END IF;
  ELSIF delta > 0 THEN
    c := ${s}.add(c, ch, moment, ends);
  ELSIF ch.kind = 'sliding' THEN
    c := ${s}.without_stale(c, moment / ch.width - ${SUB_BUCKETS});
    place := greatest(0, least(charged_at / ch.width - c.first_bucket + 1, ${SUB_BUCKETS + 2}));
    IF delta < 0 AND place BETWEEN 1 AND cardinality(c.buckets) THEN
      c.buckets[place] := c.buckets[place] + delta;
      c.used := c.used + delta;
      WHILE c.buckets[cardinality(c.buckets)] = 0 LOOP
        c.buckets := trim_array(c.buckets, 1);
      END LOOP;
    END IF;
  ELSIF delta < 0 THEN
    SELECT least(-delta, f.slots) INTO freed FROM ${s}.slot f
      WHERE f.scope = ch.scope AND f.field = ch.field AND f.expires_at = ends;
    IF freed IS NOT NULL THEN
      DELETE FROM ${s}.slot f
        WHERE f.scope = ch.scope AND f.field = ch.field AND f.expires_at = ends AND f.slots = freed;
      UPDATE ${s}.slot f SET slots = f.slots - freed
        WHERE f.scope = ch.scope AND f.field = ch.field AND f.expires_at = ends;
      c.used := c.used - freed;
    END IF;
  END IF;
  RETURN c;
END $fn$;
`;
}
