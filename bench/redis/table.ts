import { digits } from "../report/quantity.js";
import { table } from "../report/table.js";
import { AT_ONCE } from "./lanes.js";
import type { RedisResult } from "./suite.js";

/** Medians of the rounds, one contender to a line; then how reserve and settle grow. */
export function redisTable({ server, rounds, entrants, growth }: RedisResult): string {
  const rows = entrants.map(({ label, perSecond, p50Ms, p99Ms, clientUs, serverUs, commands }) => [
    label,
    `${digits(perSecond.median)} a second`,
    `p50 ${digits(p50Ms.median)} ms`,
    `p99 ${digits(p99Ms.median)} ms`,
    `processor: client ${digits(clientUs.median)} µs, server ${digits(serverUs.median)} µs`,
    Object.entries(commands)
      .map(([name, times]) => `${Number(times.toFixed(2))} ${name}`)
      .join(", "),
  ]);
  const grown = growth.map(({ limits, keys, perSecond, serverUs, clientUs }) => [
    `${limits} ${limits === 1 ? "limit" : "limits"}`,
    `${keys.toLocaleString("en")} ${keys === 1 ? "key" : "keys"}`,
    `${digits(perSecond.median)} a second`,
    `processor: client ${digits(clientUs.median)} µs, server ${digits(serverUs.median)} µs`,
  ]);
  return [
    `\nthrough Redis, ${AT_ONCE} calls at once on one connection (${rounds} rounds; ${server})`,
    ...table(rows),
    "\ntollgate reserve + settle, ioredis",
    ...table(grown),
  ].join("\n");
}
