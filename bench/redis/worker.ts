import { clientOf, type Library } from "./clients.js";
import { callerOf, type Name } from "./contenders.js";
import type { FromWorker, ToWorker } from "./lanes.js";

// One contender in a process of its own, with one connection: calls for as long as it is told to.

const [name = "", library = "", url = "", keys = "1", limits = "9"] = process.argv.slice(2);
// Sound: forked by lanes.ts alone, which knows the names.
const client = await clientOf(library as Library, url);
const caller = await callerOf(name as Name, client, Number(keys), Number(limits));

process.on("message", async (told: ToWorker) => {
  if (told.kind === "prepare") {
    await caller.prepare?.(told.calls);
    return say({ kind: "prepared" });
  }
  say(await run(told));
});
process.on("disconnect", () => process.exit());
say({ kind: "ready" });

async function run({ ms, atOnce, most }: Extract<ToWorker, { kind: "run" }>): Promise<FromWorker> {
  const latenciesMs: number[] = [];
  let left = most;
  const cpuBefore = process.cpuUsage();
  const begin = performance.now();
  const lane = async () => {
    for (let sent = begin; sent - begin < ms && left-- > 0; ) {
      await caller.call();
      const now = performance.now();
      latenciesMs.push(now - sent);
      sent = now;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  latenciesMs.sort((a, b) => a - b);
  const at = (share: number) => latenciesMs[Math.floor(latenciesMs.length * share)] ?? Number.NaN;
  const calls = latenciesMs.length;
  return { kind: "ran", calls, seconds, cpuUs: user + system, p50Ms: at(0.5), p99Ms: at(0.99) };
}

function say(message: FromWorker): void {
  process.send?.(message);
}
