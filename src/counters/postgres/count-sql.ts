import { ZONES_APART_MS } from "../../admission/calendar-count.js";
import { SUB_BUCKETS } from "../../admission/sliding-count.js";

/**
 * The arithmetic of one count, in schema `s`. It answers exactly like the classes of `admission/count.ts` do in memory.
 *
 * Nothing is read or written here: a count comes in, and the changed one goes out. A count that was never charged is
 * NULL. `kind` is as in the type. `period` and `period_ends` are those of the charge, or NULL if its limit is not a
 * calendar one.
 */
export function countSql(s: string): string {
  return `
-- A count without what counts no more at a moment: sub-buckets that have left the window, slots that are free by themselves.
CREATE FUNCTION ${s}.as_of(c ${s}.one_count, kind bigint, moment bigint) RETURNS ${s}.one_count LANGUAGE plpgsql IMMUTABLE AS $fn$
DECLARE
  stale bigint := 0;
  bucket bigint;
BEGIN
  IF kind > 0 THEN
    stale := moment / kind - ${SUB_BUCKETS} - c.first_bucket;
    IF c.used IS NULL OR c.used = 0 OR stale <= 0 THEN RETURN c; END IF;
    IF stale > cardinality(c.buckets) THEN
      c.used := 0;
      c.latest := 0;
      c.buckets := '{}';
      RETURN c;
    END IF;
    FOREACH bucket IN ARRAY c.buckets[:stale::integer] LOOP
      c.used := c.used - bucket;
    END LOOP;
    c.buckets := c.buckets[stale::integer + 1:];
    c.first_bucket := c.first_bucket + stale;
  ELSIF kind = -2 AND c.ends[1] <= moment THEN
    WHILE c.ends[stale + 1] <= moment LOOP
      stale := stale + 1;
      c.used := c.used - c.slots[stale];
    END LOOP;
    c.ends := c.ends[stale::integer + 1:];
    c.slots := c.slots[stale::integer + 1:];
  END IF;
  RETURN c;
END $fn$;

-- What is used of a count as of the moment that it was brought to.
CREATE FUNCTION ${s}.used(c ${s}.one_count, kind bigint, period bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $fn$
BEGIN
  IF c.used IS NULL THEN RETURN 0; END IF;
  IF kind <> -3 OR period = c.period OR period < c.previous THEN RETURN c.used; END IF;
  RETURN CASE WHEN period = c.previous THEN c.previous_used ELSE 0 END; -- nothing was charged in any other one
END $fn$;

-- When a sliding count is zero by itself, as of the moment that it was brought to; 0 where it is.
CREATE FUNCTION ${s}.empty_at(c ${s}.one_count, kind bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $fn$
DECLARE
  last integer := cardinality(c.buckets);
BEGIN
  IF c.used IS NULL OR c.used = 0 THEN RETURN 0; END IF;
  IF c.latest > 0 THEN RETURN c.latest_until + ${SUB_BUCKETS} * kind; END IF;
  WHILE c.buckets[last] = 0 LOOP
    last := last - 1;
  END LOOP;
  RETURN (c.first_bucket + last + ${SUB_BUCKETS}) * kind;
END $fn$;

-- {used, when the charge fits, when the count is zero by itself}; 0 for now, -1 where time does not help. A calendar charge fits in so
-- many periods, by their indexes: no zone is known here.
CREATE FUNCTION ${s}.reading(
  c ${s}.one_count, kind bigint, amount bigint, max bigint, period bigint, period_ends bigint, moment bigint
) RETURNS bigint[] LANGUAGE plpgsql IMMUTABLE AS $fn$
DECLARE
  taken bigint;
  fits_at bigint := -1;
  freed bigint := 0;
BEGIN
  c := ${s}.as_of(c, kind, moment);
  taken := ${s}.used(c, kind, period);
  IF amount = 0 OR taken + amount <= max THEN
    fits_at := 0;
  ELSIF amount <= max THEN
    IF kind = -3 THEN
      -- As periodWithRoom of calendar-count.ts.
      fits_at := greatest(period, c.previous) + 1 - period;
      IF period < c.previous AND c.previous_used + amount <= max THEN fits_at := c.previous - period;
      ELSIF period + fits_at = c.period AND c.used + amount > max THEN fits_at := fits_at + 1;
      END IF;
    ELSIF kind <> -1 THEN
      -- What leaves the count first makes the room.
      FOR place IN 1..coalesce(cardinality(c.slots), cardinality(c.buckets)) LOOP
        freed := freed + CASE kind WHEN -2 THEN c.slots[place] ELSE c.buckets[place] END;
        IF taken - freed + amount <= max THEN
          fits_at := CASE kind WHEN -2 THEN c.ends[place] ELSE (c.first_bucket + place + ${SUB_BUCKETS}) * kind END;
          EXIT;
        END IF;
      END LOOP;
      IF fits_at = -1 THEN fits_at := c.latest_until + ${SUB_BUCKETS} * kind; END IF;
    END IF;
  END IF;
  RETURN ARRAY[taken, fits_at, CASE WHEN kind > 0 THEN ${s}.empty_at(c, kind) WHEN kind = -3 THEN period_ends ELSE -1 END];
END $fn$;

-- A count with the charge, as of a moment; slots are taken until expires. For a sliding count, one at which its latest sub-bucket is over:
-- callers charge that themselves.
CREATE FUNCTION ${s}.charged(
  c ${s}.one_count, kind bigint, amount bigint, period bigint, period_ends bigint, moment bigint, expires bigint
) RETURNS ${s}.one_count LANGUAGE plpgsql IMMUTABLE AS $fn$
DECLARE
  place integer;
  gap integer;
BEGIN
  IF c.used IS NULL THEN c.used := 0; END IF;
  IF kind > 0 THEN
    IF moment / kind - ${SUB_BUCKETS} > c.first_bucket THEN c := ${s}.as_of(c, kind, moment); END IF;
    IF amount = 0 THEN RETURN c; END IF;
    IF c.used = 0 THEN
      c.first_bucket := moment / kind;
      c.buckets := '{}';
    ELSE
      gap := moment / kind - c.first_bucket - cardinality(c.buckets) - 1;
      c.buckets := c.buckets || c.latest || array_fill(0::bigint, ARRAY[gap]);
    END IF;
    c.latest := amount;
    c.latest_until := (moment / kind + 1) * kind;
    IF moment <= -kind THEN c.latest_until := c.latest_until - kind + 1; END IF; -- before 1970, where division rounds up
    c.used := c.used + amount;
  ELSIF kind = -3 THEN
    IF c.period IS NULL OR period > c.period THEN
      c.previous := c.period;
      c.previous_used := c.used;
      c.period := period;
      c.period_ends_at := period_ends + greatest(0, expires - moment - ${ZONES_APART_MS});
      c.used := 0;
    ELSIF period < c.period AND (c.previous IS NULL OR period > c.previous) THEN
      c.previous := period;
      c.previous_used := 0;
    END IF;
    IF period = c.previous THEN c.previous_used := c.previous_used + amount;
    ELSE c.used := c.used + amount;
    END IF;
  ELSIF kind = -2 THEN
    c := ${s}.as_of(c, kind, moment);
    IF amount = 0 THEN RETURN c; END IF;
    place := array_position(c.ends, expires);
    IF place IS NULL THEN
      place := coalesce(cardinality(c.ends), 0) + 1;
      WHILE place > 1 AND c.ends[place - 1] > expires LOOP
        place := place - 1;
      END LOOP;
      c.ends := c.ends[:place - 1] || expires || c.ends[place:];
      c.slots := c.slots[:place - 1] || amount || c.slots[place:];
    ELSE
      c.slots[place] := c.slots[place] + amount;
    END IF;
    c.used := c.used + amount;
  ELSE
    c.used := c.used + amount;
  END IF;
  RETURN c;
END $fn$;

-- A count with what was charged at charged_at, with slots until expires, corrected by delta. What is more counts as of the moment; a
-- refund goes to the bucket or period that was charged while that is kept, else nowhere, and leaves nothing below zero.
CREATE FUNCTION ${s}.corrected(
  c ${s}.one_count, kind bigint, delta bigint, period bigint, period_ends bigint, charged_at bigint, moment bigint, expires bigint
) RETURNS ${s}.one_count LANGUAGE plpgsql IMMUTABLE AS $fn$
DECLARE
  place integer;
  freed bigint;
BEGIN
  IF delta > 0 THEN
    -- A period that has ended and is kept no more is not begun again.
    IF kind <> -3 OR c.previous IS NULL OR period >= c.previous THEN
      RETURN ${s}.charged(c, kind, delta, period, period_ends, moment, expires);
    END IF;
    RETURN c;
  END IF;
  IF c.used IS NULL THEN c.used := 0; END IF;
  IF kind > 0 THEN
    c := ${s}.as_of(c, kind, moment);
    place := greatest(0, least(charged_at / kind - c.first_bucket + 1, ${SUB_BUCKETS + 2}));
    IF delta < 0 AND place BETWEEN 1 AND cardinality(c.buckets) THEN
      freed := least(-delta, c.buckets[place]);
      c.buckets[place] := c.buckets[place] - freed;
      c.used := c.used - freed;
    ELSIF delta < 0 AND place = cardinality(c.buckets) + 1 THEN
      freed := least(-delta, c.latest);
      c.latest := c.latest - freed;
      c.used := c.used - freed;
    END IF;
  ELSIF kind = -3 THEN
    IF period = c.period THEN c.used := greatest(0, c.used + delta);
    ELSIF period = c.previous THEN c.previous_used := greatest(0, c.previous_used + delta);
    END IF;
  ELSIF kind = -2 THEN
    c := ${s}.as_of(c, kind, moment);
    place := array_position(c.ends, expires);
    IF delta < 0 AND place IS NOT NULL THEN
      freed := least(-delta, c.slots[place]);
      c.used := c.used - freed;
      c.slots[place] := c.slots[place] - freed;
      IF c.slots[place] = 0 THEN
        c.ends := c.ends[:place - 1] || c.ends[place + 1:];
        c.slots := c.slots[:place - 1] || c.slots[place + 1:];
      END IF;
    END IF;
  ELSE
    c.used := greatest(0, c.used + delta);
  END IF;
  RETURN c;
END $fn$;

-- Whether forgetting a count changes no later answer. A period not at once when it ends: in a zone further west, which the org may
-- move to, the same date goes on. Nor before the last reservation of it has ended: by the TTL of the one that began it.
CREATE FUNCTION ${s}.idle(c ${s}.one_count, moment bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $fn$
BEGIN
  IF c.period IS NOT NULL THEN RETURN c.period_ends_at + ${ZONES_APART_MS} <= moment; END IF;
  c := ${s}.as_of(c, c.kind, moment);
  RETURN c.used = 0;
END $fn$;
`;
}
