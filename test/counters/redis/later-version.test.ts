import { afterAll, expect, it } from "vitest";
import type { Counters } from "../../../src/counters/counters.js";
import { TTL_MS } from "../calls.js";
import { charge, limitsAt } from "../limits.js";
import { countersOver, describeWithRedis, ioredisClient, keysOf, ownPrefix, removeKeys } from "./server.js";

/** Makes of every row of a scope one of the next form, as a later version would write it. */
const ROW_OF_NEXT_FORM = `
local names = cmsgpack.unpack(redis.call('HGET', KEYS[1], '#='))
names[1] = names[1] + 1
local row = redis.call('HGET', KEYS[1], '=')
row = string.sub(row, 1, 16) .. 'next tag' .. string.rep('x', 40)
redis.call('HSET', KEYS[1], '#=', cmsgpack.pack(names), '=', row)
`;

/** Makes of a reservation one of another form. */
const RECORD_OF_NEXT_FORM = `
redis.call('SET', KEYS[1], 'p' .. string.sub(redis.call('GET', KEYS[1]), 2), 'KEEPTTL')
`;

await describeWithRedis("what a later version has written to Redis in a form that is not known", () => {
  const client = ioredisClient();
  const prefix = ownPrefix();
  const counters = countersOver(client, prefix);
  afterAll(async () => {
    await removeKeys(client, prefix);
    client.disconnect();
  });

  let orgs = 0;
  const [limits, otherLimits] = [8, 9].map((rpm) =>
    ["org", "key"].flatMap((scope) =>
      limitsAt(scope as "org", { rpm, tpm: 100, inFlight: 9, budget: { usd: 1, reset: "never" } }),
    ),
  );
  /** A call that is open, in an org of its own. */
  async function openCall() {
    const orgId = `o${++orgs}`;
    const own = (some = limits) =>
      (some ?? []).map((limit) =>
        charge({ ...limit, scopeKey: `${limit.scopeKey} ${orgId}` }, 1, Date.now()),
      );
    const idempotency = { key: `key of ${orgId}`, fingerprint: "f" };
    const call = { orgId, id: `of ${orgId}`, now: Date.now(), ttlMs: TTL_MS, charges: own() };
    expect(await counters.reserve({ ...call, idempotency })).toMatchObject({ outcome: "reserved" });
    const keys = await keysOf(client, `${prefix}{${orgId}}`);
    const stored = () =>
      Promise.all(
        keys.map((key) => (key.includes(":s:") ? client.hgetallBuffer(key) : client.getBuffer(key))),
      );
    const rewrite = (script: string, kind: string) =>
      Promise.all(keys.filter((key) => key.includes(kind)).map((key) => client.eval(script, 1, key)));
    const next = { ...call, id: `another of ${orgId}` };
    return { call, next, idempotency, other: own(otherLimits), stored, rewrite };
  }

  type Open = Awaited<ReturnType<typeof openCall>>;
  const asked: Record<string, (counters: Counters, open: Open) => Promise<unknown>> = {
    "a reserve": (counters, { next }) => counters.reserve(next),
    "a reserve under other limits": (counters, { next, other }) =>
      counters.reserve({ ...next, charges: other }),
    "a dry run": (counters, { next }) => counters.reserve({ ...next, dryRun: true }),
    "an extension": (counters, { call }) => counters.reserve({ ...call, extend: true }),
    "a replay": (counters, { next, idempotency }) => counters.reserve({ ...next, idempotency }),
    "a settle": (counters, { call }) => counters.settle({ ...call, amounts: call.charges }),
    "a settle under other limits": (counters, { call, other }) =>
      counters.settle({ ...call, amounts: other }),
    "a read": (counters, { call }) => counters.read(call),
  };

  it.each(Object.keys(asked))(
    "fails %s with an error that says what to do, and stays as it is: counts",
    async (what) => {
      const open = await openCall();
      await open.rewrite(ROW_OF_NEXT_FORM, ":s:");
      const before = await open.stored();
      await expect(asked[what]?.(counters, open)).rejects.toThrow(
        "another version of tollgate stores counts in another form: let every process run the later version",
      );
      expect(await open.stored()).toEqual(before);
    },
  );

  it.each(["an extension", "a replay", "a settle", "a settle under other limits"])(
    "fails %s, and stays as it is: a reservation",
    async (what) => {
      const open = await openCall();
      await open.rewrite(RECORD_OF_NEXT_FORM, ":r:");
      const before = await open.stored();
      await expect(asked[what]?.(counters, open)).rejects.toThrow("stores reservations in another form");
      expect(await open.stored()).toEqual(before);
    },
  );
});
