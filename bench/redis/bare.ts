import { placeOf } from "../admit/traffic.js";
import type { BenchClient } from "./clients.js";
import { PREFIX } from "./server.js";

// KEYS: the hashes of org, project and key, and the record of the reservation. ARGV: requests, tokens, cost.
const RESERVE = `
redis.call('TIME')
local used = {}
for scope = 1, 3 do
  local counts = redis.call('HMGET', KEYS[scope], 'requests', 'tokens', 'cost')
  for meter = 1, 3 do
    local after = (tonumber(counts[meter]) or 0) + ARGV[meter]
    if after > 1e15 then return 0 end
    used[3 * (scope - 1) + meter] = after
  end
end
for scope = 1, 3 do
  local i = 3 * (scope - 1)
  redis.call('HSET', KEYS[scope], 'requests', used[i + 1], 'tokens', used[i + 2], 'cost', used[i + 3])
end
redis.call('SET', KEYS[4], ARGV[2] .. ' ' .. ARGV[3], 'PX', 3600000)
return table.concat(used, ' ')`;

// KEYS: the same. ARGV: tokens, cost.
const SETTLE = `
redis.call('TIME')
local record = redis.call('GET', KEYS[4])
if not record then return 0 end
redis.call('DEL', KEYS[4])
local tokens, cost = string.match(record, '(%d+) (%d+)')
for scope = 1, 3 do
  local counts = redis.call('HMGET', KEYS[scope], 'tokens', 'cost')
  redis.call('HSET', KEYS[scope], 'tokens', counts[1] + ARGV[1] - tokens, 'cost', counts[2] + ARGV[2] - cost)
end
return 1`;

/**
 * Reserve and settle with nothing behind them: two scripts, all or nothing, over nine plain counts that never end. They know no
 * windows, no expiry, no request id, no way back of a clock, and keep of a reservation no more than two amounts.
 */
export async function bareScripts(client: BenchClient) {
  const [reserve, settle] = [await client.load(RESERVE), await client.load(SETTLE)];
  let made = 0;
  return async (key: number, tokens: number, cost: number) => {
    const { orgId, projectId, keyId } = placeOf(key);
    const org = `${PREFIX}bare:{${orgId}}`;
    const keys = [org, `${org}${projectId}`, `${org}${keyId}`, `${org}:${made++}`];
    if ((await client.evalsha(reserve, keys, ["1", `${tokens}`, `${cost}`])) === 0)
      throw new Error("refused");
    if ((await client.evalsha(settle, keys, [`${tokens >> 1}`, `${cost >> 1}`])) !== 1)
      throw new Error("lost");
  };
}
