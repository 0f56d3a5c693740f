import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Figure, figureOf } from "../figure.js";
import { heard } from "../heard.js";
import type { ServedName } from "./contenders.js";
import type { FromServedWorker, Lap, ToServedWorker } from "./served.js";

/** Contenders whose calls wait for a store, and how many calls each has under way. */
export interface ServedRace {
  readonly id: string;
  readonly title: string;
  readonly contenders: readonly {
    readonly name: ServedName;
    readonly parameter: string;
    readonly label: string;
    readonly concurrency: number;
  }[];
  /** Whether the first is compared with the fastest of the others. */
  readonly compared: boolean;
}

export interface ServedEffort {
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
}

export const SERVED_FULL: ServedEffort = { rounds: 9, roundMs: 1_500, warmUpMs: 2_000 };
export const SERVED_QUICK: ServedEffort = { rounds: 3, roundMs: 300, warmUpMs: 300 };

export interface ServedEntrant {
  readonly label: string;
  readonly concurrency: number;
  readonly callsPerSecond: Figure;
  /** Of every call of every round. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly statementsPerCall: number;
  /** Processor time of the process that calls, in microseconds. */
  readonly cpuUsPerCall: number;
}

export interface ServedResult {
  readonly id: string;
  readonly title: string;
  readonly rounds: number;
  readonly entrants: readonly ServedEntrant[];
  /** How many times as many calls per second as the fastest of the others, round by round. */
  readonly ratio?: { readonly theirs: string; readonly times: Figure };
}

/** Lets the contenders take turns, each in a process of its own, every round beginning with another. */
export async function runServed(race: ServedRace, effort: ServedEffort): Promise<ServedResult> {
  const lanes = [];
  // One after the other: what they set up is in the same store.
  for (const contender of race.contenders)
    lanes.push({ ...contender, ...(await start(contender)), laps: [] as Lap[] });
  try {
    for (const { run, concurrency } of lanes) await run({ ms: effort.warmUpMs, concurrency });
    for (let round = 0; round < effort.rounds; round++) {
      for (let turn = 0; turn < lanes.length; turn++) {
        const lane = lanes[(round + turn) % lanes.length];
        if (lane) lane.laps.push(await lane.run({ ms: effort.roundMs, concurrency: lane.concurrency }));
      }
    }
  } finally {
    for (const { stop } of lanes) await stop();
  }
  const { id, title, compared } = race;
  const result = { id, title, rounds: effort.rounds, entrants: lanes.map(entrantOf) };
  return compared ? { ...result, ratio: ratioOf(lanes) } : result;
}

interface RunLane {
  readonly label: string;
  readonly concurrency: number;
  readonly laps: readonly Lap[];
}

function entrantOf({ label, concurrency, laps }: RunLane): ServedEntrant {
  const sum = (of: (lap: Lap) => number) => laps.reduce((total, lap) => total + of(lap), 0);
  const latencyMs = laps.flatMap((lap) => lap.latencyMs).sort((a, b) => a - b);
  const at = (share: number) => latencyMs[Math.floor(latencyMs.length * share)] ?? Number.NaN;
  const calls = sum((lap) => lap.calls);
  return {
    label,
    concurrency,
    callsPerSecond: figureOf(laps.map(rateOf)),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    statementsPerCall: sum((lap) => lap.statements) / calls,
    cpuUsPerCall: (sum((lap) => lap.cpuMs) / calls) * 1_000,
  };
}

function ratioOf([ours, ...others]: readonly RunLane[]) {
  const median = ({ laps }: RunLane) => figureOf(laps.map(rateOf)).median;
  const [fastest] = [...others].sort((a, b) => median(b) - median(a));
  if (ours === undefined || fastest === undefined) throw new Error("a comparison takes two");
  const times = ours.laps.map((lap, round) => rateOf(lap) / rateOf(fastest.laps[round] ?? lap));
  return { theirs: fastest.label, times: figureOf(times) };
}

function rateOf({ calls, seconds }: Lap): number {
  return calls / seconds;
}

const WORKER = fileURLToPath(new URL("./worker.js", import.meta.url));

async function start({ name, parameter }: { name: ServedName; parameter: string }) {
  const child = fork(WORKER, [name, parameter]);
  await heard<FromServedWorker, "ready">(child, "ready");
  return {
    async run(told: Exclude<ToServedWorker, "close">): Promise<Lap> {
      child.send(told);
      return (await heard<FromServedWorker, "lap">(child, "lap")).lap;
    },
    async stop(): Promise<void> {
      if (child.exitCode !== null) return;
      child.send("close");
      await heard<FromServedWorker, "closed">(child, "closed");
      child.disconnect();
    },
  };
}
