import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePort } from "../../free-port.js";
import { serviceAnswers } from "../../services.js";

/** What starts a server; `.ci/redis` names others. */
const COMMAND = process.env.TOLLGATE_REDIS_SERVER ?? "redis-server";

/** Whether these tests can start servers of their own. */
export function serversCanBeStarted(): Promise<boolean> {
  return serviceAnswers("redis-server command", async () => {
    const { error } = spawnSync(COMMAND, ["--version"]);
    if (error) throw error;
  });
}

/** A server on loopback that a test may kill, stop and start again. What it knows is gone with it. */
export class OwnServer {
  readonly port: number;
  readonly #directory = mkdtempSync(join(tmpdir(), "tollgate-redis-"));
  readonly #options: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, options: readonly string[]) {
    this.port = port;
    this.#options = options;
  }

  /** @throws where it ends before it answers, such as on a port that somebody else has taken by now, three times in a row */
  static async start(...options: string[]): Promise<OwnServer> {
    for (let tries = 1; ; tries++) {
      const server = new OwnServer(await freePort(), options);
      try {
        await server.start();
        return server;
      } catch (error) {
        await server.remove();
        if (tries === 3) throw error;
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Nothing if it runs. */
  async start(): Promise<void> {
    if (this.#process) return;
    const where = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.#directory];
    const started = spawn(COMMAND, [...where, ...this.#options], { stdio: "ignore" });
    this.#process = started;
    const client = new Redis(this.port, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    client.on("error", () => {}); // until it listens
    const ended = once(started, "exit").then(([code]) => {
      this.#process = undefined;
      throw new Error(`a server ended before it answered, with ${code}`);
    });
    ended.catch(() => {}); // later, whoever kills it knows
    try {
      await Promise.race([client.ping(), ended]);
    } finally {
      client.disconnect();
    }
  }

  /** As a crash: no shutdown, nothing saved that was not. */
  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined) return;
    const ended = once(running, "exit");
    running.kill("SIGKILL");
    await ended;
  }

  /** Lets it hang: connections stay open, and nothing is answered. */
  hang(): void {
    this.#process?.kill("SIGSTOP");
  }

  goOn(): void {
    this.#process?.kill("SIGCONT");
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
