import { readFileSync } from "node:fs";
import { ValidationError } from "tollgate";
import {
  Audit,
  generateTrace,
  ManualClock,
  parseTrace,
  replay,
  type TraceCall,
  trafficMix,
} from "tollgate/testing";
import { type Arguments, argumentsFrom, USAGE, UsageError } from "./arguments.js";
import { Observed } from "./observed.js";
import { openOrg } from "./open-org.js";
import { Progress } from "./progress.js";
import { report } from "./report.js";
import { painter } from "./table.js";

/** The trace cannot be replayed; the message says why. */
class TraceError extends Error {}

process.exitCode = await main(process.argv.slice(2));

/** Runs the demo and returns the exit code: 1 for a bad trace or a limit that did not hold, 2 for bad options. */
async function main(args: readonly string[]): Promise<number> {
  try {
    const given = argumentsFrom(args);
    if (given.help) process.stdout.write(USAGE);
    else return await run(given, traceOf(given));
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof TraceError)) throw error;
    process.stderr.write(`${error.message}\n`);
    if (error instanceof UsageError) process.stderr.write(`\n${USAGE}`);
    return error instanceof UsageError ? 2 : 1;
  }
  return 0;
}

async function run({ trace: file, seed, json }: Arguments, trace: readonly TraceCall[]): Promise<number> {
  const startsAt = trace[0]?.at;
  if (startsAt === undefined) throw new TraceError(`${file}: no calls`);
  const clock = new ManualClock(startsAt);
  const { gate, clients, holders, alerts } = await openOrg(clock);
  const assign = trafficMix(clients, seed);
  const audit = new Audit();
  const observed = new Observed(startsAt);
  const progress = new Progress(process.stderr, trace.length);
  const result = await replay({ gate, clock, callers: clients, assign }, trace, {
    onStep(step) {
      audit.observe(step);
      observed.observe(step);
      if (step.kind === "admission") progress.step();
    },
  });
  progress.end();
  await gate.close();
  const checked = audit.report();
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ trace: file ?? null, seed, result, audit: checked, alerts })}\n`,
    );
  } else {
    const source = file ?? `made-up traffic in the shape of a real hour (seed ${seed})`;
    const hasColour = process.stdout.isTTY === true && !process.env.NO_COLOR;
    const input = { source, result, audit: checked, observed, alerts, holders };
    process.stdout.write(report(input, painter(hasColour)));
  }
  return checked.violations.length === 0 ? 0 : 1;
}

function traceOf({ trace: file, seed }: Arguments): TraceCall[] {
  if (file === undefined) return generateTrace({ seed });
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new TraceError(`${file}: ${error instanceof Error ? error.message : "cannot be read"}`);
  }
  try {
    return parseTrace(text);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    throw new TraceError(`${file}: ${error.message}`);
  }
}
