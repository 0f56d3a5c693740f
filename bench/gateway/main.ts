import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Lane, Told } from "./lanes.js";

/**
 * Load on loopback: the Express example with and without Tollgate, side by side. Provider, gateway and load are a process
 * each; the lanes take turns, round by round. `node bench/dist/gateway/main.js [--redis] [--stream] [--paced]`
 */
const CONNECTIONS = 20;
const WARM_UP_MS = 5_000;
const ROUND_MS = 2_500;
const ROUNDS = 6;

const redis = process.argv.includes("--redis");
const stream = process.argv.includes("--stream");
/** As many calls as there is time for make gateways do several in one turn, the more the longer each waits: that hides costs. */
const perSecond = process.argv.includes("--paced") ? 300 : Number.POSITIVE_INFINITY;
const lanes: readonly Lane[] = redis ? ["none", "memory", "redis"] : ["none", "memory"];

const BODY = JSON.stringify({
  model: "gpt-4o",
  messages: [{ role: "user", content: "What is the toll?" }],
  max_tokens: 12,
  ...(stream && { stream: true, stream_options: { include_usage: true } }),
});

interface Runner extends Told {
  readonly process: ChildProcess;
}

interface Round {
  /** In order, of each call. */
  readonly latencyMs: readonly number[];
  readonly seconds: number;
  readonly gatewayCpuUs: number;
}

const provider = await start("provider");
const gateways: (readonly [Lane, Runner])[] = [];
for (const lane of lanes) gateways.push([lane, await start(lane, provider.url)]);
try {
  const rounds = new Map<Lane, Round[]>(lanes.map((lane) => [lane, []]));
  for (const [, gateway] of gateways) await load(gateway, WARM_UP_MS);
  for (let i = 0; i < ROUNDS; i++) {
    // Every round begins with another lane.
    const order = [...gateways.slice(i % lanes.length), ...gateways.slice(0, i % lanes.length)];
    for (const [lane, gateway] of order) rounds.get(lane)?.push(await load(gateway, ROUND_MS));
  }
  const pace = perSecond === Number.POSITIVE_INFINITY ? "as many as pass" : `${perSecond} a second`;
  console.log(
    `${stream ? "streams" : "whole answers"}, ${pace}, ${CONNECTIONS} connections, Node ${process.version}`,
  );
  console.table(Object.fromEntries([...rounds].map(([lane, done]) => [lane, summary(done)])));
} finally {
  for (const { process: child } of [provider, ...gateways.map(([, gateway]) => gateway)]) child.kill();
}

async function start(role: Lane | "provider", providerUrl = ""): Promise<Runner> {
  const child = fork(fileURLToPath(new URL("./serve.js", import.meta.url)), [role, providerUrl]);
  const told = await Promise.race([
    once(child, "message").then(([message]) => message as Told), // sound: the first thing that it says
    once(child, "exit").then(() => Promise.reject(new Error(`${role} did not start`))),
  ]);
  return { ...told, process: child };
}

async function load(gateway: Runner, lengthMs: number): Promise<Round> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const latencyMs: number[] = [];
  const before = await cpuUs(gateway);
  const begin = performance.now();
  let calls = 0;
  const caller = async () => {
    while (performance.now() - begin < lengthMs) {
      const dueMs = begin + (calls++ * 1_000) / perSecond - performance.now();
      if (dueMs > 0) await sleep(dueMs);
      const sent = performance.now();
      await call(gateway, agent);
      latencyMs.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, caller));
  const seconds = (performance.now() - begin) / 1_000;
  const gatewayCpuUs = (await cpuUs(gateway)) - before;
  agent.destroy();
  return { latencyMs: latencyMs.sort((a, b) => a - b), seconds, gatewayCpuUs };
}

/** Rejects for any answer but a whole one of 200. */
function call({ url, token }: Runner, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const sent = request(`${url}/v1/chat/completions`, { method: "POST", agent, headers }, (answer) => {
      answer.resume();
      answer.once("end", () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`)),
      );
    });
    sent.once("error", reject);
    sent.end(BODY);
  });
}

async function cpuUs({ process: child }: Runner): Promise<number> {
  const answer = once(child, "message");
  child.send("cpu");
  const [{ user, system }] = await answer;
  return user + system;
}

/** Of all rounds together. */
function summary(rounds: readonly Round[]) {
  const latencyMs = rounds.flatMap((round) => round.latencyMs).sort((a, b) => a - b);
  const seconds = rounds.reduce((sum, round) => sum + round.seconds, 0);
  const cpu = rounds.reduce((sum, round) => sum + round.gatewayCpuUs, 0);
  const at = (share: number) =>
    Number((latencyMs[Math.floor(latencyMs.length * share)] ?? Number.NaN).toFixed(2));
  return {
    "calls/s": Math.round(latencyMs.length / seconds),
    "p50 ms": at(0.5),
    "p99 ms": at(0.99),
    "gateway's processor time, µs/call": Math.round(cpu / latencyMs.length),
  };
}
