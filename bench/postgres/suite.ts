import type { Bar } from "../bars.js";
import type { ServedRace, ServedResult } from "../served/race.js";
import type { Durability } from "./server.js";
import { parameterOf } from "./tollgate.js";

const KEYS = 10_000;

/** More take minutes to make: `TOLLGATE_BENCH_KEYS=1000000` for as many. */
const MOST_KEYS = Number(process.env.TOLLGATE_BENCH_KEYS ?? 100_000);

/** `admit` and `settle` in Postgres beside nine counts of others, and how they grow with limits and with keys. */
export function postgresRaces(quick: boolean): readonly ServedRace[] {
  const beside = quick
    ? [besideRace("off", 64)]
    : [besideRace("off", 64), besideRace("on", 64), besideRace("off", 1)];
  return [...beside, limitsRace, keysRace(quick ? [1, KEYS] : [1, 100, KEYS, MOST_KEYS])];
}

const TIMES = 3;

/** The bars about Postgres: with many calls at once, against nine consumes. */
export function postgresBars(results: readonly ServedResult[]): Bar[] {
  return results.flatMap(({ id, title, ratio }) => {
    if (!id.startsWith("postgres-64-") || ratio === undefined) return [];
    const measured = ratio.times;
    const claim = `${title}, calls a second against 9 consumes`;
    return [{ claim, unit: "×", atLeast: TIMES, measured, reached: measured.median >= TIMES }];
  });
}

function besideRace(durability: Durability, concurrency: number): ServedRace {
  const parameter = parameterOf({ limits: 9, keys: KEYS, durability });
  return {
    id: `postgres-${concurrency}-${durability}`,
    title: `Postgres, nine limits, ${KEYS.toLocaleString("en")} keys, synchronous_commit = ${durability}`,
    contenders: [
      { name: "postgres/tollgate", parameter, label: "tollgate admit + settle", concurrency },
      {
        name: "postgres/flexible-in-turn",
        parameter,
        label: "rate-limiter-flexible, 9 consumes in turn",
        concurrency,
      },
      {
        name: "postgres/flexible-at-once",
        parameter,
        label: "rate-limiter-flexible, 9 consumes at once",
        concurrency,
      },
    ],
    compared: true,
  };
}

const limitsRace: ServedRace = {
  id: "postgres-limits",
  title: `Postgres, by limits, ${KEYS.toLocaleString("en")} keys, synchronous_commit = off`,
  contenders: [1, 3, 6, 12].map((limits) => ({
    name: "postgres/tollgate",
    parameter: parameterOf({ limits, keys: KEYS, durability: "off" }),
    label: `${limits} ${limits === 1 ? "limit" : "limits"}`,
    concurrency: 64,
  })),
  compared: false,
};

function keysRace(keys: readonly number[]): ServedRace {
  return {
    id: "postgres-keys",
    title: "Postgres, nine limits, by keys, synchronous_commit = off",
    contenders: keys.map((count) => ({
      name: "postgres/tollgate",
      parameter: parameterOf({ limits: 9, keys: count, durability: "off" }),
      label: `${count.toLocaleString("en")} ${count === 1 ? "key" : "keys"}`,
      concurrency: 64,
    })),
    compared: false,
  };
}
