import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { eventually } from "../eventually.js";
import { freePort } from "../free-port.js";
import { serviceAnswers } from "../services.js";

/** Where the commands of a server are: by `pg_config`, since Debian has them in no folder of the PATH. */
function commands(): string {
  return execFileSync("pg_config", ["--bindir"], { encoding: "utf8" }).trim();
}

/** Postgres does not run as root. */
function asNobody(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

/** Whether these tests can start servers of their own. */
export function serversCanBeStarted(): Promise<boolean> {
  return serviceAnswers("postgres command", async () => {
    for (const command of ["initdb", "postgres"]) execFileSync(join(commands(), command), ["--version"]);
  });
}

/** A server on loopback that a test may kill, stop and start again. What was committed is there again after that. */
export class OwnServer {
  readonly url: string;
  readonly #directory: string;
  readonly #port: number;
  readonly #user = asNobody();
  #process: ChildProcess | undefined;
  #stopped: readonly number[] = [];

  private constructor(port: number) {
    this.#port = port;
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`;
    this.#directory = mkdtempSync(join(tmpdir(), "tollgate-postgres-"));
    const { uid, gid } = this.#user;
    if (uid !== undefined && gid !== undefined) chownSync(this.#directory, uid, gid);
    const options = [
      "-D",
      this.#directory,
      "-U",
      "postgres",
      "-A",
      "trust",
      "-E",
      "UTF8",
      "--locale=C",
      "--no-sync",
    ];
    execFileSync(join(commands(), "initdb"), options, { ...this.#user, cwd: "/", stdio: "ignore" });
  }

  static async start(): Promise<OwnServer> {
    const server = new OwnServer(await freePort());
    await server.start();
    return server;
  }

  /**
   * Nothing if it runs.
   *
   * @throws if it ends before it answers
   */
  async start(): Promise<void> {
    if (this.#process) return;
    const settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"];
    const options = [
      "-D",
      this.#directory,
      "-p",
      String(this.#port),
      ...settings.flatMap((one) => ["-c", one]),
    ];
    const started = spawn(join(commands(), "postgres"), options, {
      ...this.#user,
      cwd: "/",
      stdio: "ignore",
    });
    this.#process = started;
    const ended = once(started, "exit").then(([code]) => {
      throw new Error(`a server ended before it answered, with ${code}`);
    });
    ended.catch(() => {}); // later, whoever kills it knows
    await Promise.race([eventually(() => this.#ask("SELECT 1")), ended]);
  }

  /** As a crash: every process of the server ends at once, with no shutdown. What it has written is looked through at the next start. */
  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined) return;
    this.goOn();
    const ended = once(running, "exit");
    running.kill("SIGQUIT");
    await ended;
  }

  /** Lets it hang: connections stay open, and nothing is answered. */
  async hang(): Promise<void> {
    // Every connection is a process of its own.
    const others = await this.#ask(
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    );
    this.#stopped = [this.#process?.pid, ...others.map(({ pid }) => pid)].map(Number);
    for (const pid of this.#stopped) process.kill(pid, "SIGSTOP");
  }

  goOn(): void {
    for (const pid of this.#stopped) process.kill(pid, "SIGCONT");
    this.#stopped = [];
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #ask(text: string): Promise<{ pid?: number }[]> {
    const client = new Client(this.url);
    client.on("error", () => {}); // told by the query as well
    try {
      await client.connect();
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }
}
