import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FromWorker } from "./contender.js";
import type { ContenderName } from "./contenders.js";
import { type Figure, figureOf } from "./figure.js";
import { heard } from "./heard.js";

/** How long and how often is measured. */
export interface Effort {
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
}

export const FULL: Effort = { rounds: 31, roundMs: 80, warmUpMs: 1500 };
export const QUICK: Effort = { rounds: 5, roundMs: 20, warmUpMs: 200 };

/** Contenders that answer the same questions. */
export interface Race {
  readonly id: string;
  readonly title: string;
  readonly contenders: readonly {
    readonly name: ContenderName;
    readonly parameter: string;
    /** As a reader knows it. */
    readonly label: string;
  }[];
  /** Megabytes of heap that each contender may use, where Node's default is not enough. */
  readonly heapMb?: number | undefined;
}

export interface Entrant {
  readonly name: ContenderName;
  readonly label: string;
  /** Nanoseconds of processor time per question, garbage collection and compilation in other threads included. */
  readonly cpuNs: Figure;
  readonly wallNs: Figure;
  /** The processor time of each round, so that contenders can be compared round by round. */
  readonly cpuNsByRound: readonly number[];
}

export interface RaceResult {
  readonly id: string;
  readonly title: string;
  readonly rounds: number;
  readonly entrants: readonly Entrant[];
}

/** Lets the contenders of a race take turns, each in a process of its own, every round beginning with another. */
export async function run(race: Race, effort: Effort): Promise<RaceResult> {
  const runners = await Promise.all(
    race.contenders.map(async (contender) => ({
      ...contender,
      runner: await start(contender.name, contender.parameter, race.heapMb),
    })),
  );
  try {
    const lanes = [];
    for (const { name, label, runner } of runners) {
      lanes.push({ name, label, runner, times: await warmUp(runner, effort), cpuNs: [], wallNs: [] } as Lane);
    }
    for (let round = 0; round < effort.rounds; round++) {
      for (let turn = 0; turn < lanes.length; turn++) {
        const lane = lanes[(round + turn) % lanes.length] as Lane; // sound: a remainder is below the length
        const { cpuNs, wallNs } = await lane.runner.run(lane.times);
        lane.cpuNs.push(cpuNs / lane.times);
        lane.wallNs.push(wallNs / lane.times);
      }
    }
    const entrants = lanes.map(({ name, label, cpuNs, wallNs }) => ({
      name,
      label,
      cpuNs: figureOf(cpuNs),
      wallNs: figureOf(wallNs),
      cpuNsByRound: cpuNs,
    }));
    return { id: race.id, title: race.title, rounds: effort.rounds, entrants };
  } finally {
    for (const { runner } of runners) runner.stop();
  }
}

interface Lane {
  readonly name: ContenderName;
  readonly label: string;
  readonly runner: Runner;
  readonly times: number;
  readonly cpuNs: number[];
  readonly wallNs: number[];
}

/** Runs longer and longer batches until it is warm; tells how many questions fill a round. */
async function warmUp(runner: Runner, { roundMs, warmUpMs }: Effort): Promise<number> {
  let times = 1;
  let spentMs = 0;
  for (;;) {
    const { cpuNs } = await runner.run(times);
    const ms = cpuNs / 1e6;
    spentMs += ms;
    if (spentMs >= warmUpMs) return Math.max(1, Math.round((times * roundMs) / Math.max(ms, 0.001)));
    if (ms < roundMs) times *= 2;
  }
}

interface Runner {
  run(times: number): Promise<{ readonly cpuNs: number; readonly wallNs: number }>;
  stop(): void;
}

const WORKER = fileURLToPath(new URL("./worker.js", import.meta.url));

async function start(name: ContenderName, parameter: string, heapMb: number | undefined): Promise<Runner> {
  const execArgv = heapMb === undefined ? [] : [`--max-old-space-size=${heapMb}`];
  const child = fork(WORKER, [name, parameter], { execArgv });
  await heard<FromWorker, "ready">(child, "ready");
  return {
    async run(times) {
      child.send({ times });
      return heard<FromWorker, "ran">(child, "ran");
    },
    stop: () => child.disconnect(),
  };
}
