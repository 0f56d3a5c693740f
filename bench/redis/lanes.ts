import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Redis } from "ioredis";
import { heard } from "../heard.js";
import type { Library } from "./clients.js";
import type { Name } from "./contenders.js";
import { type ServerWork, workOf } from "./server.js";

/** What a worker is told. */
export type ToWorker =
  | { readonly kind: "prepare"; readonly calls: number }
  | { readonly kind: "run"; readonly ms: number; readonly atOnce: number; readonly most: number };

/** What a worker says. */
export type FromWorker =
  | { readonly kind: "ready" | "prepared" }
  | {
      readonly kind: "ran";
      readonly calls: number;
      readonly seconds: number;
      readonly cpuUs: number;
      readonly p50Ms: number;
      readonly p99Ms: number;
    };

/** One round of one contender. */
export interface Round {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time per call of the calling process, and of the server. */
  readonly clientUs: number;
  readonly serverUs: number;
  /** Commands of each name that the server did per call, those in scripts included. */
  readonly commands: Readonly<Record<string, number>>;
}

/** A contender in a process of its own, for as long as it is asked. */
export interface Lane {
  readonly name: Name;
  readonly library: Library;
  readonly rounds: Round[];
  run(ms: number): Promise<Round>;
  stop(): void;
}

/** Calls that are under way at once. */
export const AT_ONCE = 64;

const WORKER = fileURLToPath(new URL("./worker.js", import.meta.url));

export async function startLane(
  { name, library, keys, limits }: { name: Name; library: Library; keys: number; limits: number },
  url: string,
  admin: Redis,
): Promise<Lane> {
  // Their keys begin as those of this process do, which removes them.
  const env = { ...process.env, BENCH_REDIS_RUN: String(process.pid) };
  const child = fork(WORKER, [name, library, url, String(keys), String(limits)], { env });
  await heard<FromWorker, "ready">(child, "ready");
  let perMs = 10;
  return {
    name,
    library,
    rounds: [],
    async run(ms) {
      const most = name === "settle" ? Math.ceil(2 * perMs * ms) : Number.MAX_SAFE_INTEGER;
      tell(child, { kind: "prepare", calls: most });
      await heard<FromWorker, "prepared">(child, "prepared");
      const before = await workOf(admin);
      tell(child, { kind: "run", ms, atOnce: AT_ONCE, most });
      const { calls, seconds, cpuUs, p50Ms, p99Ms } = await heard<FromWorker, "ran">(child, "ran");
      const after = await workOf(admin);
      perMs = calls / seconds / 1000;
      return {
        perSecond: calls / seconds,
        p50Ms,
        p99Ms,
        clientUs: cpuUs / calls,
        serverUs: (after.cpuUs - before.cpuUs) / calls,
        commands: perCall(before, after, calls),
      };
    },
    stop: () => child.disconnect(),
  };
}

function perCall(before: ServerWork, after: ServerWork, calls: number): Record<string, number> {
  const counted = Object.entries(after.calls).map(([name, times]) => [
    name,
    (times - (before.calls[name] ?? 0)) / calls,
  ]);
  return Object.fromEntries(counted.filter(([, times]) => Number(times) > 0.005));
}

function tell(child: ChildProcess, message: ToWorker): void {
  child.send(message);
}
