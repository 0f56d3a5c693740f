/**
 * Ten seconds of more load than fits, in real time: `npx tsx bench/queue/saturation.ts [calls a second]`.
 *
 * Fails where a call has no answer, or two, or a slot stays taken.
 */
import { createGate } from "../../src/index.js";
import { createQueue } from "../../src/queue.js";

const SECONDS = 10;
const PROJECTS = 2;
const KEYS = 50;
const callsPerSecond = Number(process.argv[2] ?? 2_000);

const gate = createGate();
const owner = gate.as({ userId: "olga" });
const { id: orgId } = await owner.orgs.create({ name: "Acme" });
const keyIds: string[] = [];
const projectIds: string[] = [];
for (let number = 0; number < PROJECTS; number++) {
  const { id: projectId } = await owner.projects.create({
    orgId,
    name: `p${number}`,
    limits: { inFlight: 20 },
  });
  projectIds.push(projectId);
  for (let key = 0; key < KEYS / PROJECTS; key++) {
    keyIds.push((await owner.keys.create({ orgId, projectId, name: `k${key}` })).key.id);
  }
}
const queue = createQueue(gate, { maxWaitMs: 2_000, maxQueued: 5_000 });
const outcomes = new Map<string, number>();
const waits: number[] = [];
queue.on("left", ({ outcome, waitedMs }) => {
  if (outcome === "admitted") waits.push(waitedMs);
});
let [sent, answered, answeredTwice, settled] = [0, 0, 0, 0];
let deepest = 0;

function send(keyId: string): void {
  let answers = 0;
  const abort = new AbortController();
  if (sent++ % 10 === 0) setTimeout(() => abort.abort(), Math.random() * 1_000);
  const count = (outcome: string) => {
    answered++;
    if (++answers > 1) answeredTwice++;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  };
  queue.admit({ keyId }, { model: "m", costUsd: 0 }, { signal: abort.signal, priority: sent % 3 }).then(
    (admission) => {
      count(admission.admitted ? "admitted" : admission.reason);
      if (!admission.admitted) return;
      setTimeout(
        async () => {
          if ((await gate.settle(admission.reservation, { costUsd: 0 })).settled) settled++;
        },
        20 + Math.random() * 20,
      );
    },
    () => count("aborted"),
  );
}

const startedAt = performance.now();
const processor = process.cpuUsage();
while (performance.now() - startedAt < SECONDS * 1000) {
  const due = ((performance.now() - startedAt) / 1000) * callsPerSecond;
  // Half of the calls come from one key.
  while (sent < due) send(keyIds[Math.random() < 0.5 ? 0 : Math.floor(Math.random() * KEYS)] ?? "");
  deepest = Math.max(deepest, queue.status().waiting);
  await new Promise((resolve) => setTimeout(resolve, 5));
}
const { user, system } = process.cpuUsage(processor);
await new Promise((resolve) => setTimeout(resolve, 3_000));
waits.sort((a, b) => a - b);
const taken = (await gate.usage({ orgId, projectId: projectIds[0] ?? "" })).map(({ used }) => used);
console.log({
  sent,
  answered,
  settled,
  ...Object.fromEntries(outcomes),
  deepest,
  medianWaitMs: Math.round(waits[waits.length >> 1] ?? 0),
  processorMsPerCall: (user + system) / 1000 / sent,
});
const isWrong =
  answered !== sent ||
  answeredTwice > 0 ||
  settled !== outcomes.get("admitted") ||
  taken.some((used) => used > 0);
if (isWrong || queue.status().waiting > 0) throw new Error("a call was lost");
await queue.close();
await gate.close();
