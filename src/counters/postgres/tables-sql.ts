/**
 * The tables of the counters, in schema `s`.
 *
 * Every moment is in milliseconds since 1970, every amount a whole number. `fillfactor` leaves room for the next version of a
 * count on its own page, so that counting touches no index.
 */
export function tablesSql(s: string): string {
  return `
-- One row for each count: what one limit of one scope has used.
CREATE TABLE ${s}.counts (
  scope text COLLATE "C" NOT NULL,    -- the limit's scopeKey
  field text COLLATE "C" NOT NULL,
  at bigint NOT NULL DEFAULT 0,       -- the latest moment that was counted at: time never runs backwards for a count
  used bigint NOT NULL DEFAULT 0,     -- the running total; of a calendar limit, that of its current period
  width bigint,                       -- sliding: length of a sub-bucket
  first_bucket bigint,                -- sliding: number of the first of the buckets, one after the other
  buckets bigint[],                   -- sliding: what is in each; the last one is not empty
  period bigint,                      -- calendar: index of the current period
  period_ends_at bigint,
  previous bigint,                    -- calendar: the period before it, for late settles
  previous_used bigint,
  next_expiry bigint,                 -- in-flight: no slot expires before this moment
  PRIMARY KEY (scope, field)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- The taken slots of in-flight limits, by the moment at which they free themselves.
CREATE TABLE ${s}.slot (
  scope text COLLATE "C" NOT NULL,
  field text COLLATE "C" NOT NULL,
  expires_at bigint NOT NULL,
  slots bigint NOT NULL,
  PRIMARY KEY (scope, field, expires_at)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- The reservations that are open, and for a while those that were.
CREATE TABLE ${s}.reservation (
  id text COLLATE "C" PRIMARY KEY,
  at bigint NOT NULL,                 -- when it was charged, on the clock of the counters
  expires_at bigint NOT NULL,         -- on the same clock
  reserved_at bigint NOT NULL,        -- when it was charged, as the caller is told it
  settled boolean NOT NULL DEFAULT false,
  idempotency_key text COLLATE "C",   -- while it is open
  fingerprint text,
  charges json,                       -- while it is open
  extensions json,                    -- [{at, charges}, ...], latest last
  forget_at bigint NOT NULL           -- on the clock of the server: when nobody needs to know of it any more
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX reservation_idempotency ON ${s}.reservation (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX reservation_forget ON ${s}.reservation (forget_at);

-- The clock of callers that bring their own, in one row: the latest moment that they told.
CREATE TABLE ${s}.clock (one boolean PRIMARY KEY DEFAULT true CHECK (one), at bigint NOT NULL);

-- How far the counts have been looked through for those that matter no more, in one row.
CREATE TABLE ${s}.sweep (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  scope text COLLATE "C" NOT NULL,
  field text COLLATE "C" NOT NULL
);
INSERT INTO ${s}.sweep (scope, field) VALUES ('', '');

-- An amount against one limit, as the functions take it: JSON with these names.
CREATE TYPE ${s}.charge AS (
  place integer,                      -- 1, 2, ... in the order of the call
  scope text,
  field text,
  amount bigint,
  max bigint,
  enforced boolean,
  kind text,                          -- sliding, calendar, lifetime, inFlight
  width bigint,                       -- sliding: length of a sub-bucket
  period bigint,                      -- calendar: index of the period
  period_ends_at bigint
);
`;
}
