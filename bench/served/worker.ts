import { servedOf } from "./contenders.js";
import type { FromServedWorker, Lap, Served, ToServedWorker } from "./served.js";

// One contender in a process of its own: sets it up, then calls whenever it is told to.

const [name = "", parameter = ""] = process.argv.slice(2);
const served = await servedOf(name, parameter);

process.on("message", async (told: ToServedWorker) => {
  if (told !== "close") return say({ kind: "lap", lap: await lapOf(served, told) });
  await served.close();
  say({ kind: "closed" });
});
process.on("disconnect", () => process.exit());
say({ kind: "ready" });

/** So many callers, each with its next call as soon as the last one was answered. */
async function lapOf(contender: Served, { ms, concurrency }: Exclude<ToServedWorker, "close">): Promise<Lap> {
  const latencyMs: number[] = [];
  const before = { statements: contender.statements, cpu: process.cpuUsage() };
  const begin = performance.now();
  const caller = async () => {
    for (let sent = begin; sent - begin < ms; sent = performance.now()) {
      await contender.call();
      latencyMs.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  const seconds = (performance.now() - begin) / 1_000;
  const { user, system } = process.cpuUsage(before.cpu);
  const statements = contender.statements - before.statements;
  await contender.tidy?.();
  return { calls: latencyMs.length, seconds, statements, cpuMs: (user + system) / 1_000, latencyMs };
}

function say(message: FromServedWorker): void {
  process.send?.(message);
}
