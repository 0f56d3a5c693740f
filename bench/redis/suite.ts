import { Redis } from "ioredis";
import type { Bar } from "../bars.js";
import { type Figure, figureOf } from "../figure.js";
import { BAR_KEYS } from "../suites.js";
import type { Library } from "./clients.js";
import { NAMES, type Name } from "./contenders.js";
import { type Lane, type Round, startLane } from "./lanes.js";
import { benchServer } from "./server.js";

/** What the Redis part of a run came to. */
export interface RedisResult {
  readonly server: string;
  readonly rounds: number;
  readonly entrants: readonly RedisEntrant[];
  readonly growth: readonly RedisGrowth[];
}

export interface RedisEntrant {
  readonly name: Name;
  readonly library: Library;
  readonly label: string;
  readonly perSecond: Figure;
  readonly p50Ms: Figure;
  readonly p99Ms: Figure;
  readonly clientUs: Figure;
  readonly serverUs: Figure;
  readonly commands: Readonly<Record<string, number>>;
  /** Calls a second of each round, so that contenders can be compared round by round. */
  readonly perSecondByRound: readonly number[];
  /** Processor time per call of both sides together, in microseconds. */
  readonly cpuUsByRound: readonly number[];
}

/** Reserve and settle by the number of limits over a key, and by the number of keys. */
export interface RedisGrowth {
  readonly limits: number;
  readonly keys: number;
  readonly perSecond: Figure;
  readonly serverUs: Figure;
  readonly clientUs: Figure;
}

const LABELS: Record<Name, string> = {
  incr: "INCR",
  evalsha: "EVALSHA of an empty script",
  bare: "two bare scripts that only count",
  "at-once": "rate-limiter-flexible, 9 consumes at once",
  "in-turn": "rate-limiter-flexible, 9 consumes in turn",
  pair: "tollgate reserve + settle",
  reserve: "tollgate reserve",
  settle: "tollgate settle",
  gate: "tollgate gate.admit + gate.settle",
};

const LIBRARIES: readonly Library[] = ["ioredis", "node-redis"];
const GROWTH_LIMITS = [1, 3, 6, 12];
/** A million takes some minutes and a gigabyte of the server; `BENCH_REDIS_KEYS_MAX` asks for it. */
const GROWTH_KEYS_MAX = Number(process.env.BENCH_REDIS_KEYS_MAX ?? 100_000);
const GROWTH_KEYS = [1, 100, 10_000, 100_000, 1_000_000];

/** Everything about Redis; a sentence where there is none to measure. */
export async function runRedis(quick: boolean): Promise<RedisResult | string> {
  const server = await benchServer();
  if (typeof server === "string") return server;
  const admin = new Redis(server.url);
  const start = (name: Name, library: Library, keys: number, limits: number) =>
    startLane({ name, library, keys, limits }, server.url, admin);
  try {
    const version = (await admin.info("server")).match(/redis_version:(\S+)/)?.[1] ?? "unknown";
    const rounds = quick ? 3 : 11;
    const lanes: Lane[] = [];
    for (const library of LIBRARIES) {
      for (const name of NAMES) lanes.push(await start(name, library, quick ? 1_000 : BAR_KEYS, 9));
    }
    await takeTurns(lanes, rounds, quick ? 150 : 400);
    const growth: RedisGrowth[] = [];
    for (const limits of GROWTH_LIMITS) growth.push(await grown(start, limits, 1_000, quick));
    const most = quick ? 1_000 : GROWTH_KEYS_MAX;
    for (const keys of GROWTH_KEYS.filter((keys) => keys <= most))
      growth.push(await grown(start, 9, keys, quick));
    return {
      server: `Redis ${version}, ${server.isOwn ? "started for this run, nothing saved" : "of REDIS_URL"}`,
      rounds,
      entrants: lanes.map(entrantOf),
      growth,
    };
  } finally {
    admin.disconnect();
    await server.stop();
  }
}

/** Every round begins with another lane. */
async function takeTurns(lanes: readonly Lane[], rounds: number, ms: number): Promise<void> {
  try {
    for (const lane of lanes) await lane.run(3 * ms); // warm
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < lanes.length; turn++) {
        const lane = lanes[(round + turn) % lanes.length] as Lane; // sound: a remainder is below the length
        lane.rounds.push(await lane.run(ms));
      }
    }
  } finally {
    for (const lane of lanes) lane.stop();
  }
}

async function grown(
  start: (name: Name, library: Library, keys: number, limits: number) => Promise<Lane>,
  limits: number,
  keys: number,
  quick: boolean,
): Promise<RedisGrowth> {
  const lane = await start("pair", "ioredis", keys, limits);
  await takeTurns([lane], quick ? 3 : 7, quick ? 150 : 400);
  const { perSecond, serverUs, clientUs } = entrantOf(lane);
  return { limits, keys, perSecond, serverUs, clientUs };
}

function entrantOf({ name, library, rounds }: Lane): RedisEntrant {
  const figure = (of: (round: Round) => number) => figureOf(rounds.map(of));
  return {
    name,
    library,
    label: `${LABELS[name]}, ${library}`,
    perSecond: figure(({ perSecond }) => perSecond),
    p50Ms: figure(({ p50Ms }) => p50Ms),
    p99Ms: figure(({ p99Ms }) => p99Ms),
    clientUs: figure(({ clientUs }) => clientUs),
    serverUs: figure(({ serverUs }) => serverUs),
    commands: rounds.at(-1)?.commands ?? {},
    perSecondByRound: rounds.map(({ perSecond }) => perSecond),
    cpuUsByRound: rounds.map(({ clientUs, serverUs }) => clientUs + serverUs),
  };
}

const TIMES = 3;

/** The bars of section 10 of the design that are about Redis. */
export function redisBars({ entrants }: RedisResult): Bar[] {
  return LIBRARIES.flatMap((library) => {
    const of = (name: Name) => entrants.find((one) => one.name === name && one.library === library);
    const peers = [of("at-once"), of("in-turn")].filter((one) => one !== undefined);
    const [fastest] = peers.sort((a, b) => b.perSecond.median - a.perSecond.median);
    const calls = { reserve: 1, settle: 1, pair: 2 } as const;
    return (["pair", "reserve", "settle"] as const).flatMap((name): Bar[] => {
      const own = of(name);
      if (own === undefined || fastest === undefined) return [];
      const ratio = figureOf(
        own.perSecondByRound.map((perSecond, i) => perSecond / (fastest.perSecondByRound[i] ?? Number.NaN)),
      );
      const cpuRatio = figureOf(
        own.cpuUsByRound.map((cpuUs, i) => (fastest.cpuUsByRound[i] ?? Number.NaN) / cpuUs),
      );
      const scripts = figureOf([(own.commands.evalsha ?? 0) + (own.commands.eval ?? 0)]);
      return [
        {
          claim: `${own.label}, calls a second against 9 consumes`,
          unit: "×",
          atLeast: TIMES,
          measured: ratio,
          reached: ratio.median >= TIMES,
        },
        {
          claim: `${own.label}, processor time of both sides against 9 consumes`,
          unit: "×",
          atLeast: TIMES,
          measured: cpuRatio,
          reached: cpuRatio.median >= TIMES,
        },
        {
          claim: `${own.label}, round trips`,
          unit: "a call",
          atMost: calls[name],
          measured: scripts,
          reached: scripts.median <= calls[name] + 0.005,
        },
      ];
    });
  });
}
