import { parseArgs } from "node:util";

export const USAGE = `Replays an hour of LLM calls through an org with limits at every scope, and reports.

  npm run demo -- [options]

  --trace FILE  calls to replay: lines of TIMESTAMP,ContextTokens,GeneratedTokens; made up without it
  --seed N      another hour of made-up traffic, and other calls for each key; 1 by default
  --json        one line of JSON for machines instead of the report
  --help        this text
`;

/** What the command line asks for. */
export interface Arguments {
  readonly trace: string | undefined;
  readonly seed: number;
  readonly json: boolean;
  readonly help: boolean;
}

/** The command line was wrong; the message says how. */
export class UsageError extends Error {}

/**
 * Reads the command line.
 *
 * @throws UsageError for an option that is unknown, lacks its value or has a wrong one
 */
export function argumentsFrom(args: readonly string[]): Arguments {
  const { trace, seed = "1", json, help } = valuesOf(args);
  if (!/^\d{1,15}$/.test(seed)) throw new UsageError("--seed takes a whole number");
  return { trace, seed: Number(seed), json: json === true, help: help === true };
}

function valuesOf(args: readonly string[]) {
  try {
    const options = {
      trace: { type: "string" },
      seed: { type: "string" },
      json: { type: "boolean" },
      help: { type: "boolean" },
    } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
