import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { bars, comparisons } from "./bars.js";
import { machine, versions } from "./machine.js";
import { type LoadResult, weighLoad } from "./memory/weighing.js";
import { serverInfo } from "./postgres/server.js";
import { postgresBars, postgresRaces } from "./postgres/suite.js";
import { FULL, QUICK, type RaceResult, run } from "./race.js";
import { redisBars, runRedis } from "./redis/suite.js";
import { redisTable } from "./redis/table.js";
import { plot } from "./report/plot.js";
import { barTable, headline, loadTable, raceTable } from "./report/table.js";
import type { Results } from "./results.js";
import { runServed, SERVED_FULL, SERVED_QUICK, type ServedRace, type ServedResult } from "./served/race.js";
import { servedTable } from "./served/table.js";
import { driver } from "./sqlite/file.js";
import { sqliteRace } from "./sqlite/suite.js";
import { admitRaces, authorizeRaces, memoryLoads, policyRaces, SUITES, type Suite } from "./suites.js";

const HELP = `npm run bench -- [--quick] [--only ${SUITES.join("|")}] [--write]

  --quick  fewer and shorter rounds, fewer keys: to see that it runs
  --only   one of the parts
  --write  keep the results in docs/benchmarks; takes a whole run`;

const DOCS = new URL("../../docs/benchmarks/", import.meta.url);

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (flags.help) {
  console.log(HELP);
} else {
  const only = suiteFrom(flags.only);
  if (flags.write && (flags.quick || only !== undefined))
    throw new Error("--write takes a whole run: no --quick, no --only");
  const results = await measure(flags.quick, only);
  if (flags.write) write(results);
}

async function measure(quick: boolean, only: Suite | undefined): Promise<Results> {
  const wants = (suite: Suite) => only === undefined || only === suite;
  const head = { date: new Date().toISOString(), quick, machine: machine(), versions: versions() };
  console.log(headline(head));
  const raced: RaceResult[] = [];
  for (const race of [
    ...(wants("authorize") ? authorizeRaces : []),
    ...(wants("policy") ? policyRaces : []),
    ...(wants("admit") ? admitRaces(quick) : []),
  ]) {
    const result = await run(race, quick ? QUICK : FULL);
    raced.push(result);
    console.log(raceTable(result, comparisons([result])));
  }
  const loads: LoadResult[] = [];
  for (const load of wants("memory") ? memoryLoads(quick) : []) loads.push(await weighLoad(load));
  if (loads.length > 0) console.log(loadTable(loads));
  const served: ServedResult[] = [];
  for (const race of await servedRaces(quick, wants)) {
    const result = await runServed(race, quick ? SERVED_QUICK : SERVED_FULL);
    served.push(result);
    console.log(servedTable(result));
  }
  const redis = wants("redis") ? await runRedis(quick) : undefined;
  if (typeof redis === "string") console.log(`\nredis: skipped, ${redis}`);
  else if (redis !== undefined) console.log(redisTable(redis));
  const ofRedis = typeof redis === "string" ? undefined : redis;
  const measured = [...bars(raced, loads), ...postgresBars(served), ...(ofRedis ? redisBars(ofRedis) : [])];
  if (measured.length > 0) console.log(barTable(measured));
  const races = raced.map(({ id, title, rounds, entrants }) => ({
    id,
    title,
    rounds,
    entrants: entrants.map(({ label, cpuNs, wallNs }) => ({ label, cpuNs, wallNs })),
  }));
  return { ...head, bars: measured, comparisons: comparisons(raced), races, loads, served, redis: ofRedis };
}

/** What is measured on stores that are there; each that is not is told in a line. */
async function servedRaces(quick: boolean, wants: (suite: Suite) => boolean): Promise<ServedRace[]> {
  const races: ServedRace[] = [];
  if (wants("postgres")) {
    const { version, why } = await serverInfo();
    if (version === undefined) console.log(`\npostgres: skipped, no server answers (${why})`);
    else {
      console.log(`\nPostgreSQL ${version}`);
      races.push(...postgresRaces(quick));
    }
  }
  if (wants("sqlite")) {
    console.log(`\nSQLite on ${driver()[0]}`);
    races.push(sqliteRace);
  }
  return races;
}

function write(results: Results): void {
  mkdirSync(DOCS, { recursive: true });
  writeFileSync(new URL("results.json", DOCS), `${JSON.stringify(results, rounded, 2)}\n`);
  writeFileSync(new URL("results.svg", DOCS), plot(results));
  console.log("\nWritten to docs/benchmarks: results.json, results.svg");
}

/** Four digits are more than the rounds agree on. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}

function suiteFrom(text: string | undefined): Suite | undefined {
  if (text === undefined) return undefined;
  const suite = SUITES.find((known) => known === text);
  if (suite === undefined) throw new Error(`--only is one of ${SUITES.join(", ")}, not ${text}`);
  return suite;
}
