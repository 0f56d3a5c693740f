import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Weight } from "./weigh.js";
import type { Fill } from "./worker.js";

/** Something that is held once per key. */
export interface Load {
  readonly id: string;
  readonly label: string;
  readonly fill: Fill;
  readonly keys: number;
}

export interface LoadResult extends Weight {
  readonly id: string;
  readonly label: string;
  readonly keys: number;
}

const WORKER = fileURLToPath(new URL("./worker.js", import.meta.url));

/** Weighs it in a process of its own. */
export function weighLoad({ id, label, fill, keys }: Load): Promise<LoadResult> {
  const execArgv = ["--expose-gc", "--max-old-space-size=8000"];
  const child = fork(WORKER, [fill, String(keys)], { execArgv });
  return new Promise((resolve, reject) => {
    let weight: Weight | undefined;
    child.once("message", (message) => {
      weight = message as Weight; // sound: the worker says nothing else
    });
    child.once("exit", (code) => {
      if (weight === undefined) return reject(new Error(`${fill} ended with ${code} and without a weight`));
      const { heapBytes, arrayBufferBytes, rssBytes } = weight;
      resolve({ id, label, keys, heapBytes, arrayBufferBytes, rssBytes });
    });
  });
}
