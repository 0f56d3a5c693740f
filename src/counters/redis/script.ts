import { createHash } from "node:crypto";
import type { Argument, Connection } from "./client.js";

/** A script and the name the server keeps it by. */
export interface Script {
  readonly text: string;
  readonly sha1: string;
}

export function scriptOf(text: string): Script {
  return { text, sha1: createHash("sha1").update(text).digest("hex") };
}

/** Runs a script by its name; where the server does not know it (yet, or after a restart), by its text. */
export async function run(
  connection: Connection,
  { text, sha1 }: Script,
  keys: string[],
  args: Argument[],
): Promise<unknown> {
  try {
    return await connection.evalsha(sha1, keys, args);
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
    return connection.eval(text, keys, args);
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}
