import { existsSync, readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";

/** What was measured on what. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly os: string;
  readonly node: string;
  readonly v8: string;
  /** Processes that were running or waiting to, over the last minute, when the run began: noise, where it is near `cores`. */
  readonly load: number;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${release()}`,
    node: process.versions.node,
    v8: process.versions.v8,
    load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

/** The versions of all that was measured. */
export function versions(): Record<string, string> {
  const names = ["tollgate", "@casl/ability", "casbin", "rate-limiter-flexible", "ioredis", "redis"];
  return Object.fromEntries(names.map((name) => [name, versionOf(name)]));
}

function versionOf(name: string): string {
  // The clients are those that the project is tested with.
  const folders = ["../node_modules", "../../node_modules"].map((folder) => `${folder}/${name}/package.json`);
  const [file] = folders.map((path) => new URL(path, import.meta.url)).filter((path) => existsSync(path));
  if (file === undefined) throw new Error(`${name} is not installed`);
  const { version }: { version: unknown } = JSON.parse(readFileSync(file, "utf8"));
  return String(version);
}
