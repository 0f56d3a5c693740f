import { hash } from "node:crypto";
import type { Argument, Connection } from "./client.js";
import { LOOK } from "./lua/look.js";
import { PLANS } from "./lua/plans.js";
import { READ } from "./lua/read.js";
import { reserveScript } from "./lua/reserve.js";
import { settleScript } from "./lua/settle.js";
import { hasShortWay, straightReserve, straightSettle } from "./lua/straight.js";
import type { Shape } from "./lua/straight-rows.js";

/** A script and the name by which the server keeps it. */
export interface Script {
  readonly text: string;
  readonly sha1: string;
}

interface CallScripts {
  readonly reserve: Script;
  readonly settle: Script;
}

export const READ_SCRIPT = scriptOf(READ);
export const LOOK_SCRIPT = scriptOf(LOOK);
export const PLANS_SCRIPT = scriptOf(PLANS);
const GENERAL: CallScripts = { reserve: scriptOf(reserveScript("")), settle: scriptOf(settleScript("")) };

/** A server keeps every script it was sent until it restarts, so calls of further shapes take the long way. */
const SHAPES_MAX = 64;

const byShape = new Map<string, CallScripts>();

/** The scripts for calls of a shape. */
export function scriptsOf(shape: Shape | undefined): CallScripts {
  if (shape === undefined) return GENERAL;
  const name = JSON.stringify(shape);
  const known = byShape.get(name);
  if (known !== undefined) return known;
  if (byShape.size >= SHAPES_MAX || !hasShortWay(shape)) return GENERAL;
  const made = {
    reserve: scriptOf(reserveScript(straightReserve(shape))),
    settle: scriptOf(settleScript(straightSettle(shape))),
  };
  byShape.set(name, made);
  return made;
}

function scriptOf(text: string): Script {
  return { text, sha1: hash("sha1", text) };
}

/** Runs a script by its name or, if the server does not know it (yet, or after a restart), by its text. */
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
