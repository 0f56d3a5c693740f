/**
 * The tables of the counters, in schema `s`.
 *
 * Every moment is in milliseconds since 1970, every amount a whole number. `fillfactor` leaves room for the next
 * version of a row on its own page, so that counting touches no index. By default a row of more than two kilobytes
 * would be compressed anew whenever it is written, which takes five times as long as writing it; four sliding windows
 * that are full have as much. With `toast_tuple_target`, only one of which a page does not take two is: with hundreds of
 * slots in flight.
 */
export function tablesSql(s: string): string {
  return `
-- What one limit has used.
CREATE TYPE ${s}.one_count AS (
  field text,
  kind bigint,                        -- the width of a sliding window's sub-buckets; -1 lifetime, -2 in-flight, -3 calendar
  used bigint,                        -- the running total; of a calendar limit, that of its current period
  latest bigint,                      -- sliding: what of it is in the latest sub-bucket
  latest_until bigint,                -- sliding: when that one ends
  first_bucket bigint,                -- sliding: number of the first of the buckets, one after the other, up to the latest
  buckets bigint[],                   -- sliding: what is in each but the latest
  period bigint,                      -- calendar: index of the current period
  period_ends_at bigint,
  previous bigint,                    -- calendar: the period before it, for late settles
  previous_used bigint,
  ends bigint[],                      -- in-flight: when slots free themselves, ascending
  slots bigint[]                      -- in-flight: how many do at each of these moments
);

-- The counts of one scope that have one pattern of models: nearly every call reads and writes one row for each scope.
CREATE TABLE ${s}.counts (
  scope text COLLATE "C" NOT NULL,    -- the limits' scopeKey
  models text COLLATE "C" NOT NULL,   -- '=', then the pattern where there is one
  at bigint NOT NULL,                 -- the latest moment that was counted at: time never runs backwards for a count
  counts ${s}.one_count[] NOT NULL,
  PRIMARY KEY (scope, models)
) WITH (fillfactor = 50, toast_tuple_target = 4080, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- A row of counts as the functions hand it on. The table may get further columns in a later version; what these functions make of a row
-- has to stay as long as they are called.
CREATE TYPE ${s}.counts_row AS (scope text, models text, at bigint, counts ${s}.one_count[]);

-- What a reservation charged at once, as the call said it (see callSql): the reservation itself, or an extension.
CREATE TYPE ${s}.part AS (at bigint, label text, tags text, numbers bigint[], plan text);

-- The reservations that are open, and for a while those that were.
CREATE TABLE ${s}.reservation (
  id text COLLATE "C" PRIMARY KEY,
  expires_at bigint NOT NULL,         -- on the clock of the counters
  settled boolean NOT NULL DEFAULT false,
  idempotency_key text COLLATE "C",   -- while it is open
  parts ${s}.part[],                  -- while it is open: the reservation, whose label is the fingerprint, then its extensions
  forget_at bigint NOT NULL           -- on the clock of the server: when nobody needs to know of it any more
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX reservation_idempotency ON ${s}.reservation (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX reservation_forget ON ${s}.reservation (forget_at);

-- The clock of callers that bring their own, in one row: the latest moment that they told.
CREATE TABLE ${s}.clock (one boolean PRIMARY KEY DEFAULT true CHECK (one), at bigint NOT NULL);

-- How far reservations and counts have been looked through for those that matter no more, in one row.
CREATE TABLE ${s}.sweep (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  scope text COLLATE "C" NOT NULL,
  models text COLLATE "C" NOT NULL,
  forgot_to bigint NOT NULL DEFAULT 0,  -- the latest forget_at that was forgotten
  begun_at bigint NOT NULL DEFAULT 0    -- when that began at the first of them
);
INSERT INTO ${s}.sweep (scope, models) VALUES ('', '');
`;
}
