import type { FromWorker, ToWorker } from "./contender.js";
import { contenderOf } from "./contenders.js";

// One contender in a process of its own: sets it up, then runs a batch whenever it is told to.

const [name = "", parameter = ""] = process.argv.slice(2);
const { batch, answer } = await contenderOf(name, parameter);

process.on("message", async ({ times }: ToWorker) => {
  const cpuBefore = process.cpuUsage();
  const wallBefore = process.hrtime.bigint();
  const yes = await batch(times);
  const wallNs = Number(process.hrtime.bigint() - wallBefore);
  const cpu = process.cpuUsage(cpuBefore);
  const expected = answer === "yes" ? times : 0;
  if (yes !== expected)
    throw new Error(`${name}: ${yes} of ${times} were answered yes, expected ${expected}`);
  say({ kind: "ran", cpuNs: (cpu.user + cpu.system) * 1000, wallNs });
});
// Timers of a contender must not keep it alive.
process.on("disconnect", () => process.exit());
say({ kind: "ready" });

function say(message: FromWorker): void {
  process.send?.(message);
}
