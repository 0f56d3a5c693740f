import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";

/** The server that everything of a run goes through. */
export interface BenchServer {
  readonly url: string;
  readonly isOwn: boolean;
  /** Removes what the run has left, and the server if it was started for it. */
  stop(): Promise<void>;
}

/** What all keys of a run begin with. */
export const PREFIX = `bench-${process.env.BENCH_REDIS_RUN ?? process.pid}:`;

/** The server of `REDIS_URL`; without one a server of our own; a sentence where there is neither. */
export async function benchServer(): Promise<BenchServer | string> {
  const url = process.env.REDIS_URL;
  if (url !== undefined) {
    if (!(await answers(url))) return "nothing answers at REDIS_URL";
    return { url, isOwn: false, stop: () => removeKeys(url) };
  }
  if (spawnSync("redis-server", ["--version"]).error)
    return "no redis-server is installed, and there is no REDIS_URL";
  return startServer();
}

async function startServer(): Promise<BenchServer> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "tollgate-bench-"));
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, "--save", ""];
  const child: ChildProcess = spawn("redis-server", options, { stdio: "ignore" });
  const url = `redis://127.0.0.1:${port}`;
  while (!(await answers(url))) await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    url,
    isOwn: true,
    async stop() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  client.on("error", () => {}); // told by connect as well
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}

async function removeKeys(url: string): Promise<void> {
  const client = new Redis(url);
  for await (const keys of client.scanStream({ match: `${PREFIX}*`, count: 1_000 })) {
    if (keys.length > 0) await client.unlink(...keys);
  }
  client.disconnect();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = Number(Object(server.address()).port);
  server.close();
  return port;
}

/** What a server says of its work so far. */
export interface ServerWork {
  /** Of the thread that runs commands. */
  readonly cpuUs: number;
  /** How often each command was called, by itself or by a script. */
  readonly calls: Readonly<Record<string, number>>;
}

/** @throws where it does not tell */
export async function workOf(client: Redis): Promise<ServerWork> {
  const [cpu, stats] = [await client.info("cpu"), await client.info("commandstats")];
  const seconds = (kind: string) =>
    Number((cpu.match(`used_cpu_${kind}_main_thread:(\\S+)`) ?? cpu.match(`used_cpu_${kind}:(\\S+)`))?.[1]);
  const calls = [...stats.matchAll(/cmdstat_(\S+?):calls=(\d+)/g)];
  return {
    cpuUs: (seconds("user") + seconds("sys")) * 1e6,
    calls: Object.fromEntries(calls.map(([, name = "", times]) => [name, Number(times)])),
  };
}
