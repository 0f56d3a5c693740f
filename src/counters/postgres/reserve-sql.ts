import { STATUS } from "../wire/reply.js";

/** A reserve over rows that are locked, in schema `s`. For the form of a call see `callSql`. */
export function reserveSql(s: string): string {
  return `
-- Counters.reserve, but for reading and writing its rows of counts, and for writing the reservation that it makes; raw is the clock.
-- The numbers begin with the TTL of the reservation and for how long to know of it. o is the reservation of that id; may_be_known says
-- whether there is one, or one that has the idempotency key.
CREATE FUNCTION ${s}.reserve(
  held ${s}.counts_row[], raw bigint, wanted text, o ${s}.reservation, may_be_known boolean, extends boolean, dry_run boolean, sizes integer[],
  fields text[], shape bigint[], numbers bigint[], tags text, plan text, wanted_key text, fingerprint text
) RETURNS ${s}.outcome LANGUAGE plpgsql AS $fn$
DECLARE
  moment bigint := ${s}.latest(raw, held);
  written ${s}.counts_row[] := '{}';
  h ${s}.counts_row;
  charged ${s}.one_count[];
  c ${s}.one_count;
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
    status := ${s}.closed_as(o, moment);
    IF status IS NOT NULL THEN RETURN ROW(format('[%s]', status), NULL, NULL)::${s}.outcome; END IF;
  ELSE
    IF may_be_known THEN
      known := ${s}.known(wanted, wanted_key, moment);
      IF known IS NOT NULL THEN RETURN ROW(known, NULL, NULL)::${s}.outcome; END IF;
    END IF;
    o.id := wanted;
    o.expires_at := moment + numbers[1];
    o.settled := false;
    o.idempotency_key := wanted_key;
    o.parts := NULL;
  END IF;
  o.parts := o.parts || ROW(moment, coalesce(fingerprint, ''), tags, numbers, plan)::${s}.part;

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
      -- Mostly it is charged in the latest sub-bucket or period; a call of charged takes three times as long.
      IF moment < c.latest_until THEN
        c.latest := c.latest + amount;
        c.used := c.used + amount;
        taken := c.used;
      ELSIF kind <> -3 THEN
        c := ${s}.charged(c, kind, amount, NULL, NULL, moment, o.expires_at);
        taken := c.used;
      ELSE
        period := numbers[shape[4 * i]];
        IF period = c.period THEN
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

  IF is_short OR in_shadow OR dry_run THEN
    before := ${s}.readings(held, sizes, fields, shape, numbers, moment);
  END IF;
  IF is_short THEN RETURN ROW(to_json(ARRAY[${STATUS.refused}, moment, raw] || before), NULL, NULL)::${s}.outcome; END IF;
  IF dry_run THEN
    reply := array_to_string(ARRAY[${STATUS.foreseen}, moment, raw] || before, ',');
  ELSE
    status := CASE WHEN in_shadow THEN ${STATUS.reservedInShadow} ELSE ${STATUS.reserved} END;
    reply := array_to_string(ARRAY[status, moment, raw] || used || empties || before, ',');
  END IF;
  IF extends THEN RETURN ROW(format('[%s,%s]', reply, ${s}.told(o.expires_at, o.parts)), written, o)::${s}.outcome; END IF;
  IF may_be_known AND NOT dry_run THEN
    -- The key is of a reservation that has expired.
    UPDATE ${s}.reservation SET idempotency_key = NULL WHERE idempotency_key = wanted_key AND expires_at <= moment;
  END IF;
  RETURN ROW('[' || reply || ']', written, o)::${s}.outcome;
END $fn$;
`;
}
