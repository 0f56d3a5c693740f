import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import type { Charge } from "../../../src/admission/charge.js";
import { ValidationError } from "../../../src/model/errors.js";
import { postgresCounters } from "../../../src/postgres.js";
import { database } from "../../postgres/databases.js";
import { dropSchema, newSchema, PATIENT } from "../../postgres/server.js";
import { charge, limitOf, limitsAt } from "../limits.js";

const TTL = 3_600_000;

describe.each([database])("counters in %s", async (_, open) => {
  const { pool, end } = await open();
  const schema = newSchema();
  const counters = postgresCounters({ pool, schema, ...PATIENT });
  beforeAll(() => counters.migrate(), 60_000);
  afterAll(async () => {
    await dropSchema(pool, schema);
    await end();
  });

  let scopes = 0;
  /** A count of its own. */
  const limit = (limits: Parameters<typeof limitOf>[0]) => {
    const own = limitOf(limits);
    return { ...own, scopeKey: `${own.scopeKey} ${++scopes}` };
  };
  const reserve = (id: string, charges: readonly Charge[], more = {}) =>
    counters.reserve({ id, orgId: "o1", now: Date.now(), ttlMs: TTL, charges, ...more });
  const settle = (id: string, amounts: readonly Charge[]) =>
    counters.settle({ id, orgId: "o1", now: Date.now(), amounts });
  const used = async (charges: readonly Charge[]) =>
    (await counters.read({ orgId: "o1", now: Date.now(), charges })).map((reading) => reading.used);
  const rows = async (text: string) => (await pool.query(text)).rows;
  /** Counters in a schema of their own, for as long as the test runs. */
  const ownCounters = async (options: { clock?: "caller" } = {}) => {
    const own = newSchema();
    onTestFinished(() => dropSchema(pool, own));
    const counters = postgresCounters({ pool, schema: own, ...options, ...PATIENT });
    await counters.migrate();
    return { own, counters };
  };
  /** Sets the server's clock for a schema: so many milliseconds from the right one. */
  const steppedServer = async (own: string) => {
    await pool.query(`CREATE TABLE "${own}".step AS SELECT 0::bigint AS ms`);
    await pool.query(`
      CREATE OR REPLACE FUNCTION "${own}".server_now() RETURNS bigint LANGUAGE sql VOLATILE AS $fn$
        SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + ms FROM "${own}".step
      $fn$`);
    return (ms: number) => pool.query(`UPDATE "${own}".step SET ms = ${ms}`);
  };

  it("go on while the tables get further columns, as from a process of a later version", async () => {
    const { own, counters } = await ownCounters();
    const charges = limitsAt("org", { rpm: 9, inFlight: 9, budget: { usd: 1, reset: "monthly" } }).map(
      (one) => charge(one, 1, Date.now()),
    );
    const call = { orgId: "o1", now: Date.now(), charges, ttlMs: TTL };
    const before = await counters.reserve({ ...call, id: "before" });
    expect(before).toMatchObject({ outcome: "reserved" });
    for (const table of ["counts", "reservation", "sweep", "clock"]) {
      await pool.query(`ALTER TABLE "${own}".${table} ADD told text, ADD told_at bigint NOT NULL DEFAULT 7`);
    }
    expect(await counters.reserve({ ...call, id: "after" })).toMatchObject({ used: [2, 2, 2] });
    const other = [...charges, charge(limit({ tpm: 100 }), 5, 0)]; // a new row
    expect(await counters.reserve({ ...call, charges: other, id: "new" })).toMatchObject({
      used: [3, 3, 3, 5],
    });
    expect(await counters.reserve({ ...call, id: "before", extend: true })).toMatchObject({
      used: [4, 4, 4],
    });
    expect(await counters.reserve({ ...call, id: "dry", dryRun: true })).toMatchObject({ used: [5, 5, 5] });
    expect(await counters.reserve({ ...call, id: "after" })).toMatchObject({ outcome: "replayed" });
    for (const id of ["before", "after", "new"]) {
      const settled = await counters.settle({ ...call, id, amounts: charges });
      expect(settled).toMatchObject({ outcome: "settled" });
    }
    expect(await counters.read(call)).toMatchObject([{ used: 3 }, { used: 3 }, { used: 3 }]);
    await pool.query(`SELECT "${own}".forget(9, 9, 9)`);
    const { rows } = await pool.query(`SELECT told_at::integer FROM "${own}".reservation`);
    expect(rows).toEqual([{ told_at: 7 }, { told_at: 7 }, { told_at: 7 }]);
  });

  it("charge a call once, however often the same id is sent", async () => {
    const charges = [charge(limit({ tpm: 100 }), 60, 0)];
    const first = await reserve("same", charges);
    expect(first).toMatchObject({ outcome: "reserved", used: [60] });
    expect(await reserve("same", charges)).toMatchObject({
      outcome: "replayed",
      id: "same",
      used: [60],
      charges: [{ amount: 60, limit: { max: 100, meter: "tokens", scope: "key" } }],
    });
    const many = [charge(limit({ tpm: 1_000 }), 7, 0)];
    await Promise.all(Array.from({ length: 10 }, () => reserve("parallel", many)));
    expect(await used([...charges, ...many])).toEqual([60, 7]);
    await settle("same", charges);
    expect(await reserve("same", charges)).toEqual({ outcome: "already_settled" });
  });

  it("give back of what was emptied by hand, while calls were open, nothing below zero", async () => {
    // Of a day, since what is given back goes to the sub-bucket that was charged: a second is over too soon.
    const limits = [limit({ tpd: 1_000 }), limit({ budget: { usd: 1, reset: "never" } })];
    const charges = (amount: number) => limits.map((one) => charge(one, amount, 0));
    await reserve("emptied", charges(60));
    await pool.query(`DELETE FROM "${schema}".counts`);
    await reserve("after", charges(5));
    expect(await settle("emptied", charges(10))).toMatchObject({ outcome: "settled" });
    expect(await used(charges(0))).toEqual([0, 0]);
  });

  it("make one reservation of parallel calls with the same idempotency key", async () => {
    const charges = [charge(limit({ tpm: 1_000 }), 7, 0)];
    const idempotency = { key: "k1 request 1", fingerprint: "f" };
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, i) => reserve(`attempt ${i}`, charges, { idempotency })),
    );
    expect(outcomes.filter(({ outcome }) => outcome === "reserved")).toHaveLength(1);
    expect(outcomes.filter(({ outcome }) => outcome === "replayed")).toHaveLength(11);
    expect(new Set(outcomes.map((outcome) => "id" in outcome && outcome.id)).size).toBe(1);
    expect(await used(charges)).toEqual([7]);
    const other = await reserve("x", charges, { idempotency: { ...idempotency, fingerprint: "g" } });
    expect(other).toEqual({ outcome: "conflict" });
  });

  it("judge a call afresh whose idempotency key is of a reservation that is settled in the same statement", async () => {
    const charges = [charge(limit({ tpm: 1_000 }), 7, 0)];
    const idempotency = { key: "k1 settled together", fingerprint: "f" };
    await reserve("settled together", charges, { idempotency });
    const statements: unknown[] = [];
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const counting = {
      query: async (text: string, values?: unknown[]) => {
        statements.push(JSON.parse(String(values?.[0])).map((call: unknown[]) => call[0]));
        await begun;
        return pool.query(text, values);
      },
    };
    const slow = postgresCounters({ pool: counting, schema, ...PATIENT });
    const call = { orgId: "o1", now: Date.now(), ttlMs: TTL };
    const others = ["other 1", "other 2"].map((id) => slow.reserve({ ...call, id, charges: [] }));
    await new Promise((resolve) => setImmediate(resolve));
    const settled = slow.settle({ id: "settled together", orgId: "o1", now: Date.now(), amounts: charges });
    const reserved = slow.reserve({ ...call, id: "judged afresh", charges, idempotency });
    begin();
    await Promise.all(others);
    expect(await settled).toMatchObject({ outcome: "settled" });
    expect(await reserved).toMatchObject({ outcome: "reserved", id: "judged afresh", used: [14] });
    expect(statements.at(-1)).toEqual(["settle", "reserve"]);
  });

  it("go by the server's clock: what a caller says of the time moves no window", async () => {
    const charges = [charge(limit({ rpm: 1 }), 1, 0)];
    const far = { now: Date.now() + 10 * TTL };
    expect(await reserve("now", charges)).toMatchObject({ outcome: "reserved" });
    const refused = await reserve("later", charges, far);
    expect(refused).toMatchObject({ outcome: "refused", readings: [{ used: 1 }] });
    const waitMs = refused.outcome === "refused" ? refused.readings[0]?.waitMs : undefined;
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(61_000);
    const slot = [charge(limit({ inFlight: 1 }), 1, 0)];
    await reserve("slot", slot, { ttlMs: 3_000 });
    expect(await reserve("too early", slot, far)).toMatchObject({ outcome: "refused" });
    await expect.poll(() => used(slot), { interval: 100, timeout: 20_000 }).toEqual([0]);
  });

  it("never go back in time, as where another server whose clock is behind takes over", async () => {
    const tokens = limit({ tpm: 100 });
    expect(await reserve("ahead", [charge(tokens, 60, 0)])).toMatchObject({ outcome: "reserved" });
    // As if that had been counted by a clock an hour ahead of the present one.
    const ahead = `UPDATE "${schema}".counts SET at = at + ${TTL} WHERE scope = $1`;
    await pool.query(ahead, [tokens.scopeKey]);
    const after = await reserve("behind", [charge(tokens, 40, 0)]);
    // It is in no window any more only a minute after that hour.
    expect(after).toMatchObject({ outcome: "reserved", resetMs: [expect.any(Number)] });
    expect("resetMs" in after && after.resetMs[0]).toBeGreaterThan(TTL);
  });

  it("count exactly up to nine million dollars in nano-USD", async () => {
    const max = 9_000_000_000_000_000;
    const budget = limit({ budget: { usd: 9_000_000, reset: "never" } });
    expect(budget.max).toBe(max);
    expect(await reserve("most", [charge(budget, max - 1, 0)])).toMatchObject({ used: [max - 1] });
    expect(await reserve("more", [charge(budget, 2, 0)])).toMatchObject({ outcome: "refused" });
    expect(await reserve("last", [charge(budget, 1, 0)])).toMatchObject({ used: [max] });
  });

  it("foresee without a write, also where the idempotency key is of a reservation that has expired", async () => {
    const { own, counters: dry } = await ownCounters({ clock: "caller" });
    const call = { orgId: "o1", charges: [charge(limit({ rpd: 9 }), 1, 0)] };
    const idempotency = { key: "k1 of before", fingerprint: "f" };
    const now = Date.now();
    await dry.reserve({ ...call, id: "before", now, ttlMs: 1, idempotency });
    const before = await rows(`SELECT xmin, o.* FROM "${own}".reservation o`);
    const foreseen = await dry.reserve({
      ...call,
      id: "after",
      now: now + 1,
      ttlMs: TTL,
      idempotency,
      dryRun: true,
    });
    expect(foreseen).toMatchObject({ outcome: "reserved", id: "after" });
    expect(await rows(`SELECT xmin, o.* FROM "${own}".reservation o`)).toEqual(before);
  });

  it("refuse without a write", async () => {
    const charges = [charge(limit({ rpm: 1 }), 1, 0)];
    await reserve("only", charges);
    const state = () => rows(`SELECT ctid::text, xmax::text FROM "${schema}".counts ORDER BY scope, models`);
    const before = await state();
    expect(await reserve("refused", charges)).toMatchObject({ outcome: "refused" });
    expect(await reserve("asked", charges, { dryRun: true })).toMatchObject({ outcome: "refused" });
    expect(await state()).toEqual(before);
  });

  it("keep apart names that look alike, long ones, and text that Postgres cannot hold", async () => {
    const names = [
      "a",
      "A",
      "\u0000",
      "\\u0000",
      "\ud800",
      "\udfff",
      "\ufffd",
      "\u{10FFFE}0000",
      "a'b\"\\",
      "x".repeat(9_000),
    ];
    const limits = names.map((name) => ({
      ...limitOf({ tpm: 1_000 }),
      scopeKey: `names ${name}`,
      field: name,
    }));
    for (const [i, one] of limits.entries()) {
      expect(await reserve(`id ${names[i]}`, [charge(one, i + 1, 0)])).toMatchObject({ outcome: "reserved" });
    }
    expect(await used(limits.map((one) => charge(one, 0, 0)))).toEqual(names.map((_, i) => i + 1));
    const [first, second] = limits.slice(2) as [(typeof limits)[0], (typeof limits)[0]]; // sound: there are ten
    const replayed = await reserve("id \u0000", []);
    expect(replayed).toMatchObject({
      outcome: "replayed",
      id: "id \u0000",
      charges: [{ limit: { field: first.field } }],
    });
    expect(await settle("id \\u0000", [charge(second, 0, 0)])).toEqual({ outcome: "settled", used: [0] });
  });

  it("refuse two charges of one count in a call, which one statement cannot add up", async () => {
    const twice = charge(limit({ tpm: 10 }), 6, 0);
    await expect(reserve("twice", [twice, twice])).rejects.toThrow(ValidationError);
    expect(await used([twice])).toEqual([0]);
  });

  it("forget, on the way of reserves, reservations and counts that matter no more, and nothing else", async () => {
    const { own, counters: forgetful } = await ownCounters({ clock: "caller" });
    const start = Date.UTC(2026, 0, 1);
    const at = (i: number, id: string, now: number, charges: readonly Charge[]) =>
      forgetful.reserve({ id: `${id} ${i}`, orgId: "o1", now, ttlMs: 1_000, charges });
    for (let i = 0; i < 30; i++) {
      await at(
        i,
        "old",
        start,
        limitsAt("key", { rpm: 5, inFlight: 5 }, `key ${i}`).map((one) => charge(one, 1, start)),
      );
    }
    const lasting = charge(limitOf({ budget: { usd: 1, reset: "never" } }, "org"), 5, start);
    await at(0, "lasting", start, [lasting]);
    // Still open by the caller's clock, which may be far behind the server's.
    await forgetful.reserve({ id: "open", orgId: "o1", now: start, ttlMs: 20 * TTL, charges: [] });
    await pool.query(`UPDATE "${own}".reservation SET forget_at = 0`); // an hour later
    const later = start + 10 * TTL;
    for (let i = 0; i < 200; i++) await at(i, "new", later, [charge(limit({ rpm: 5 }), 1, later)]);
    const left = async (table: string) =>
      Number(((await rows(`SELECT count(*) AS n FROM "${own}".${table}`))[0] as { n: unknown }).n);
    expect(await left("counts")).toBe(201);
    expect(await left("reservation")).toBe(201);
    expect(await forgetful.read({ orgId: "o1", now: later, charges: [lasting] })).toMatchObject([
      { used: 5 },
    ]);
    expect(await forgetful.settle({ id: "open", orgId: "o1", now: later, amounts: [] })).toMatchObject({
      outcome: "settled",
    });
  });

  it("forget no reservation whose TTL has just passed: a late settle is told so", async () => {
    const { counters: late } = await ownCounters();
    const charges = [charge(limit({ rpd: 1e6 }), 1, 0)];
    const call = { orgId: "o1", now: Date.now(), charges };
    await late.reserve({ ...call, id: "over soon", ttlMs: 1 });
    for (let i = 0; i < 70; i++) await late.reserve({ ...call, id: `r${i}`, ttlMs: TTL });
    expect(await late.settle({ id: "over soon", orgId: "o1", now: Date.now(), amounts: charges })).toEqual({
      outcome: "expired",
    });
  });

  it("forget counts in whatever rhythm others are made", async () => {
    // So that it is known where they delete if they do it in a rhythm of their own.
    let draws = 0;
    const random = vi.spyOn(Math, "random").mockImplementation(() => (0.37 * draws++) % 1);
    onTestFinished(() => random.mockRestore());
    const { own, counters: forgetful } = await ownCounters({ clock: "caller" });
    const start = Date.UTC(2026, 0, 1);
    const later = start + 10 * TTL;
    const call = (id: string, now: number, key: string) => {
      const charges = limitsAt("key", { rpm: 1_000 }, key).map((one) => charge(one, 1, now));
      return forgetful.reserve({ id, orgId: "o1", now, ttlMs: 1_000, charges });
    };
    for (let i = 0; i < 10; i++) await call(`old ${i}`, start, `old ${i}`);
    for (let i = 0; i < 400; i++) await call(`new ${i}`, later, i % 2 === 0 ? "one" : `new ${i}`);
    expect(await rows(`SELECT scope FROM "${own}".counts WHERE scope LIKE '%old%'`)).toEqual([]);
  });

  it("forget no budget of the present day, however far ahead the server's clock is", async () => {
    const { own, counters: forgetful } = await ownCounters();
    const setServer = await steppedServer(own);
    const now = Date.now();
    const spent = charge(limitOf({ budget: { usd: "0.00000001", reset: "daily" } }), 10, now);
    const at = (id: string, charges: readonly Charge[]) =>
      forgetful.reserve({ id, orgId: "o1", now, ttlMs: TTL, charges });
    await at("spent", [spent]);
    await setServer(3 * 24 * TTL);
    for (let i = 0; i < 70; i++) await at(`ahead ${i}`, [charge(limit({ rpm: 5 }), 1, now)]);
    const again = { outcome: "refused", readings: [{ used: 10 }] };
    expect(await at("by the clock ahead", [spent])).toMatchObject(again);
    await setServer(0);
    expect(await at("by the right clock", [spent])).toMatchObject(again);
  });

  it("go on forgetting after the server's clock was days ahead for some hours", async () => {
    const { own, counters: forgetful } = await ownCounters();
    const setServer = await steppedServer(own);
    const now = Date.now();
    const many = async (name: string, ttlMs: number) => {
      for (let i = 0; i < 70; i++)
        await forgetful.reserve({ id: `${name} ${i}`, orgId: "o1", now, ttlMs, charges: [] });
    };
    const days = 3 * 24 * TTL;
    await setServer(days);
    await many("ahead", 1);
    await setServer(days + 2 * TTL); // those are forgotten
    await many("ahead for hours", TTL);
    await setServer(0);
    await many("back", 1);
    await setServer(2 * TTL);
    await many("hours later", TTL);
    expect(await rows(`SELECT id FROM "${own}".reservation WHERE id LIKE 'back %'`)).toEqual([]);
  });

  it("forget no period of which a reservation may still be extended", async () => {
    const { counters: forgetful } = await ownCounters({ clock: "caller" });
    const start = Date.UTC(2026, 0, 1);
    const spent = charge(limitOf({ budget: { usd: "0.00000001", reset: "daily" } }), 10, start);
    const more = { orgId: "o1", charges: [spent] };
    await forgetful.reserve({ id: "long", now: start, ttlMs: 4 * 24 * TTL, ...more });
    const later = start + 4 * 24 * TTL - 1;
    for (let i = 0; i < 200; i++) {
      const charges = [charge(limit({ rpm: 5 }), 1, later)];
      await forgetful.reserve({ id: `new ${i}`, orgId: "o1", now: later, ttlMs: TTL, charges });
    }
    expect(
      await forgetful.reserve({ id: "long", now: later, ttlMs: TTL, ...more, extend: true }),
    ).toMatchObject({ outcome: "refused", readings: [{ used: 10 }] });
  });

  it("look, when they forget, at nothing but what may be forgotten, however much is kept", async () => {
    const { own } = await ownCounters();
    const many = Array.from({ length: 300 }, (_, i) => `('kept ${i}', 9e15, 9e15)`);
    await pool.query(
      `INSERT INTO "${own}".reservation (id, expires_at, forget_at) VALUES ${many.join(", ")}, ('old', 1, 1)`,
    );
    // One statement, so that it counts its own reads: a reserve of nothing, which forgets up to a hundred.
    const [row] = await rows(`
      SELECT "${own}".count_calls('[["reserve", 0, "{}", 0, "new", "{1000,2000,0}", "", false, null, null]]', '[["{}", "{}", "{}"]]', '', false, '{}', '{}', '{}', 100),
        (SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables
          WHERE schemaname = '${own}' AND relname = 'reservation') AS looked_at`);
    expect(Number((row as { looked_at: unknown }).looked_at)).toBeLessThan(10);
    expect(await rows(`SELECT id FROM "${own}".reservation WHERE id = 'old'`)).toEqual([]);
  });

  it("look for what may be forgotten from where they came to last, and from the first once an hour", async () => {
    const { own } = await ownCounters();
    const keep = (id: string, forgetAt: number) =>
      pool.query(`INSERT INTO "${own}".reservation (id, expires_at, forget_at) VALUES ($1, 1, $2)`, [
        id,
        forgetAt,
      ]);
    const forget = async () => {
      await pool.query(`SELECT "${own}".forget(1, 2, NULL)`);
      return (await rows(`SELECT id FROM "${own}".reservation ORDER BY forget_at`)).map(
        (row) => (row as { id: unknown }).id,
      );
    };
    await keep("first", 10);
    await keep("second", 10);
    await keep("third", 20);
    expect(await forget()).toHaveLength(2);
    await keep("before", 5); // as one that was locked by others in its turn
    expect(await forget()).toEqual(["before", "third"]);
    expect(await forget()).toEqual(["before"]);
    expect(await forget()).toEqual(["before"]);
    await pool.query(`UPDATE "${own}".sweep SET begun_at = begun_at - 3600000`);
    expect(await forget()).toEqual([]);
  });

  it("count what a settle adds in the sub-bucket of the settle, from its first millisecond on", async () => {
    const { counters: exact } = await ownCounters({ clock: "caller" });
    const one = limit({ tpm: 1e6 });
    const call = { id: "settled at once", orgId: "o1" };
    const begin = Math.floor(Date.now() / 1_000) * 1_000;
    await exact.reserve({ ...call, now: begin, ttlMs: TTL, charges: [charge(one, 10, 0)] });
    await exact.settle({ ...call, now: begin + 1_000, amounts: [charge(one, 30, 0)] });
    const usedAt = async (now: number) =>
      (await exact.read({ orgId: "o1", now, charges: [charge(one, 0, 0)] })).map(({ used }) => used);
    expect(await usedAt(begin + 61_000)).toEqual([20]);
    expect(await usedAt(begin + 62_000)).toEqual([0]);
  });

  it("give back to the sub-bucket of the reserve, up to its last millisecond", async () => {
    const { counters: exact } = await ownCounters({ clock: "caller" });
    const one = limit({ tpm: 1e6 });
    const begin = Math.floor(Date.now() / 1_000) * 1_000;
    const at = (id: string, now: number) =>
      exact.reserve({ id, orgId: "o1", now, ttlMs: TTL, charges: [charge(one, 10, 0)] });
    await at("at its end", begin + 999);
    await at("in the next one", begin + 1_000);
    const settled = { id: "at its end", orgId: "o1", now: begin + 1_000, amounts: [charge(one, 0, 0)] };
    expect(await exact.settle(settled)).toMatchObject({ used: [10] });
    const left = await exact.read({ orgId: "o1", now: begin + 61_000, charges: [charge(one, 0, 0)] });
    expect(left).toMatchObject([{ used: 10 }]);
  });

  it("write a row as it is, also when four windows of it are full", async () => {
    const { own, counters: full } = await ownCounters({ clock: "caller" });
    const charges = limitsAt("key", { rpm: 1e6, tpm: 1e9, rpd: 1e6, tpd: 1e9 }).map((limit) =>
      charge(limit, 1, 0),
    );
    let now = Date.now();
    for (const widthMs of [1_440_000, 1_000]) {
      for (let bucket = 0; bucket < 61; bucket++) {
        now += widthMs;
        await full.reserve({ id: `at ${now}`, orgId: "o1", now, ttlMs: TTL, charges });
      }
    }
    const [row] = await rows(
      `SELECT pg_column_size(counts) AS size, pg_column_compression(counts) AS compression FROM "${own}".counts`,
    );
    expect(row).toEqual({ size: expect.any(Number), compression: null });
    expect((row as { size: number }).size).toBeGreaterThan(2_048);
  });

  it("compress a row of which a page does not take two, so that its next version needs no other page", async () => {
    const { own, counters: many } = await ownCounters({ clock: "caller" });
    const charges = [charge(limit({ inFlight: 1e6 }), 1, 0)];
    const now = Date.now();
    const reserved = Array.from({ length: 400 }, (_, i) =>
      many.reserve({ id: `slot ${i}`, orgId: "o1", now, ttlMs: TTL + i, charges }),
    );
    await Promise.all(reserved);
    const [row] = await rows(
      `SELECT pg_column_size(counts) AS size, cardinality(counts[1].slots) AS slots, pg_column_compression(counts) AS compression
        FROM "${own}".counts`,
    );
    expect(row).toEqual({ size: expect.any(Number), slots: 400, compression: expect.any(String) });
    expect((row as { size: number }).size).toBeLessThan(4_000);
  });

  it("go by the caller's clock before 1970 too", async () => {
    const { counters: early } = await ownCounters({ clock: "caller" });
    const charges = [charge(limit({ rpm: 1 }), 1, 0)];
    const at = (now: number) =>
      early
        .reserve({ id: `at ${now}`, orgId: "o1", now, ttlMs: TTL, charges })
        .then(({ outcome }) => outcome);
    expect(await at(-200_000)).toBe("reserved");
    expect(await at(-199_000)).toBe("refused");
    expect(await at(-100_000)).toBe("reserved");
  });

  it("pass no limit in any minute before 1970 either", async () => {
    const { counters: early } = await ownCounters({ clock: "caller" });
    const charges = [charge(limit({ rpm: 2 }), 1, 0)];
    const admitted: number[] = [];
    for (const now of [-100_500, -99_001, -39_999, -39_998, -39_001, -500, 500]) {
      const { outcome } = await early.reserve({ id: `at ${now}`, orgId: "o1", now, ttlMs: TTL, charges });
      if (outcome === "reserved") admitted.push(now);
    }
    const third = admitted.filter((now, i) => now - (admitted[i - 2] ?? Number.NEGATIVE_INFINITY) < 60_000);
    expect(third).toEqual([]);
    expect(admitted.length).toBeGreaterThan(3);
  });

  it("fail alone where the database cannot take a call, whatever else goes there with it", async () => {
    const charges = [charge(limit({ tpm: 1_000 }), 7, 0)];
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, (_, i) =>
        reserve(`with others ${i}`, charges, i === 20 ? { ttlMs: 1e300 } : {}),
      ),
    );
    expect(outcomes.flatMap(({ status }, i) => (status === "rejected" ? [i] : []))).toEqual([20]);
    expect(await used(charges)).toEqual([29 * 7]);
  });

  it("keep apart rows whose scope and models make the same text when they are put together", async () => {
    const one = { ...limitOf({ tpm: 100 }), scopeKey: "alike", perModel: "b =c" };
    const other = { ...limitOf({ tpm: 100 }), scopeKey: "alike =b", perModel: "c" };
    await Promise.all([
      reserve("alike 1", [charge(one, 10, 0)]),
      reserve("alike 2", [charge(other, 20, 0)]),
      reserve("alike 3", [charge(one, 1, 0), charge(other, 2, 0)]),
    ]);
    expect(await used([charge(one, 0, 0), charge(other, 0, 0)])).toEqual([11, 22]);
  });

  it.each(["EPIPE", "40003", "58000", "57014", "P1017", "XX000"])(
    "are not sent again where many fail and may have been done: %s",
    async (code) => {
      let groups = 0;
      const failing = {
        query: async (text: string, values?: unknown[]) => {
          const answer = await pool.query(text, values);
          if (JSON.parse(String(values?.[0])).length === 1) return answer;
          groups++;
          throw Object.assign(new Error("lost"), { code });
        },
      };
      const broken = postgresCounters({ pool: failing, schema, ...PATIENT });
      const charges = [charge(limit({ tpm: 1_000 }), 7, 0)];
      const id = `failing ${code}`;
      await reserve(id, charges);
      const call = { id, orgId: "o1", now: Date.now(), ttlMs: TTL, charges };
      const outcomes = await Promise.allSettled(
        Array.from({ length: 4 }, () => broken.reserve({ ...call, extend: true })),
      );
      expect(outcomes.map(({ status }) => status).sort()).toEqual(
        Array.from({ length: 4 }, () => "rejected"),
      );
      expect(groups).toBe(1);
      expect(await used(charges)).toEqual([5 * 7]);
    },
  );

  it("forget with what is reserved alone: a settle that goes where nothing is leaves the rest as it was", async () => {
    const { own, counters: settling } = await ownCounters();
    await settling.reserve({ id: "open", orgId: "o1", now: Date.now(), ttlMs: TTL, charges: [] });
    await pool.query(`INSERT INTO "${own}".reservation (id, expires_at, forget_at) VALUES ('old', 1, 1)`);
    const call = (text: string) =>
      rows(
        `SELECT "${own}".count_calls('[${text}]', '[["{}", "{}", "{}"]]', '', false, '{}', '{}', '{}', 100)`,
      );
    const old = () => rows(`SELECT id FROM "${own}".reservation WHERE id = 'old'`);
    expect(await call('["settle", 0, "{}", 0, "open", "{0,0,0}", ""]')).toHaveLength(1);
    expect(await old()).toHaveLength(1);
    await call('["reserve", 0, "{}", 0, "new", "{1000,2000,0}", "", false, null, null]');
    expect(await old()).toEqual([]);
  });

  it("make few statements of many calls at once", async () => {
    let asked = 0;
    const counting = {
      query: (text: string, values?: unknown[]) => {
        asked++;
        return pool.query(text, values);
      },
    };
    const watched = postgresCounters({ pool: counting, schema, ...PATIENT });
    const charges = [charge(limit({ tpm: 1_000 }), 1, 0)];
    const call = { orgId: "o1", now: Date.now(), charges };
    const ids = Array.from({ length: 100 }, (_, i) => `one of many ${i}`);
    const reserved = await Promise.all(ids.map((id) => watched.reserve({ id, ttlMs: TTL, ...call })));
    expect(reserved.map((one) => "used" in one && one.used[0])).toEqual(ids.map((_, i) => i + 1));
    await Promise.all(ids.map((id) => watched.settle({ id, ...call, amounts: charges })));
    expect(await used(charges)).toEqual([100]);
    expect(asked).toBe(4);
  });

  it("make one statement of a call, whatever the number of limits", async () => {
    const asked: string[] = [];
    const counting = {
      query: (text: string, values?: unknown[]) => {
        asked.push(text);
        return pool.query(text, values);
      },
    };
    const watched = postgresCounters({ pool: counting, schema, ...PATIENT });
    const charges = ["org", "project", "key"].flatMap((kind) =>
      limitsAt(kind as "org", { rpm: 9, tpm: 9, inFlight: 9 }, `statements ${kind}`).map((one) =>
        charge(one, 1, 0),
      ),
    );
    const call = { orgId: "o1", now: Date.now(), charges };
    await watched.reserve({ id: "one", ttlMs: TTL, ...call });
    await watched.reserve({ id: "one", ttlMs: TTL, ...call, extend: true });
    await watched.read(call);
    await watched.settle({ id: "one", ...call, amounts: charges });
    expect(asked).toHaveLength(4);
  });
});
