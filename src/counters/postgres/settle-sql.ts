/** A settle over rows that are locked, in schema `s`. For the form of a call see `callSql`. */
export function settleSql(s: string): string {
  return `
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

-- Counters.settle of a reservation, but for reading and writing its rows of counts, and for closing it; raw is the clock. Never refuses.
CREATE FUNCTION ${s}.settle(
  held ${s}.counts_row[], raw bigint, o ${s}.reservation, sizes integer[], fields text[], shape bigint[], numbers bigint[], wanted_tags text
) RETURNS ${s}.outcome LANGUAGE plpgsql AS $fn$
DECLARE
  moment bigint := ${s}.latest(raw, held);
  h ${s}.counts_row;
  corrected ${s}.one_count[];
  c ${s}.one_count;
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
  status := ${s}.closed_as(o, moment);
  IF status IS NOT NULL THEN RETURN ROW(format('[%s]', -status), NULL, NULL)::${s}.outcome; END IF;
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
      IF moment < c.latest_until AND (delta >= 0 OR part.at >= c.latest_until - kind AND c.latest + delta >= 0) THEN
        c.latest := c.latest + delta;
        c.used := c.used + delta;
        used[i] := c.used;
      ELSIF kind <> -3 THEN
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
  RETURN ROW(format('[%s]', array_to_string(used, ',')), held, NULL)::${s}.outcome;
END $fn$;
`;
}
