import type { ContenderName } from "./contenders.js";
import { type Figure, figureOf } from "./figure.js";
import type { LoadResult } from "./memory/weighing.js";
import { CELLS } from "./policy/proof.js";
import type { Entrant, RaceResult } from "./race.js";
import { admitRaceId, BAR_KEYS, COUNTS_LOAD, extendedRaceId, PROOF_RACE } from "./suites.js";

/** How many times as much processor time the fastest of the others takes. */
export interface Comparison {
  readonly race: string;
  readonly ours: string;
  readonly theirs: string;
  readonly ratio: Figure;
}

/** What was promised, and what was measured. */
export interface Bar {
  readonly claim: string;
  readonly unit: "ns" | "ms" | "×" | "per second" | "bytes" | "a call";
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly measured: Figure;
  readonly reached: boolean;
}

const CASL = ["authorize/casl"] as const;
const FLEXIBLE = ["admit/flexible-in-turn", "admit/flexible-at-once"] as const;

/** Ours against the fastest of a peer's ways, round by round, in every race that both were in. */
export function comparisons(races: readonly RaceResult[]): Comparison[] {
  return races.flatMap((race) => [
    ...compared(race, "authorize/tollgate", CASL),
    ...compared(race, "admit/tollgate-by-id", FLEXIBLE),
    ...compared(race, "admit/tollgate-by-token", FLEXIBLE),
  ]);
}

/** The bars of section 10 of the design, as far as they were measured. */
export function bars(races: readonly RaceResult[], loads: readonly LoadResult[]): Bar[] {
  const found: Bar[] = [];
  for (const [asked, answer] of [
    ["allow", "allowed"],
    ["deny", "denied"],
  ]) {
    const race = races.find(({ id }) => id === `authorize-${asked}`);
    if (race === undefined) continue;
    const { cpuNs } = entrant(race, "authorize/tollgate");
    found.push({
      claim: `authorize, ${answer}`,
      unit: "ns",
      atMost: 60,
      measured: cpuNs,
      reached: cpuNs.median <= 60,
    });
    found.push(...ratioBars(`authorize, ${answer}, against CASL`, race, "authorize/tollgate", CASL, 4));
  }
  found.push(...policyBars(races));
  const admit = races.find(({ id }) => id === admitRaceId(BAR_KEYS));
  if (admit !== undefined) {
    const against = "against 9 consumes of rate-limiter-flexible";
    found.push(
      ...ratioBars(`admit + settle by key id, ${against}`, admit, "admit/tollgate-by-id", FLEXIBLE, 3),
    );
    found.push(
      ...ratioBars(`admit + settle by token, ${against}`, admit, "admit/tollgate-by-token", FLEXIBLE, 2),
    );
  }
  const counts = loads.find(({ id }) => id === COUNTS_LOAD);
  if (counts !== undefined) {
    const perKey = (counts.heapBytes + counts.arrayBufferBytes) / counts.keys;
    found.push({
      claim: "counts of one key of a million (rpm, tpm, budget)",
      unit: "bytes",
      atMost: 600,
      measured: { median: perKey, p10: perKey, p90: perKey },
      reached: perKey < 600,
    });
  }
  return found;
}

/** Most milliseconds of one proof of the standard policy. */
const PROOF_MS = 20;

/** What four fifths of the rounds lie within is about a tenth: less than that is no difference. */
const AS_FAST = 0.9;

function policyBars(races: readonly RaceResult[]): Bar[] {
  const extended = ["allow", "deny"].flatMap((asked) => {
    const race = races.find(({ id }) => id === extendedRaceId(asked));
    const claim = `an extended policy against the standard one, ${asked}`;
    if (race === undefined) return [];
    return ratioBars(claim, race, "authorize/tollgate-extended", ["authorize/tollgate"], AS_FAST);
  });
  const race = races.find(({ id }) => id === PROOF_RACE);
  if (race === undefined) return extended;
  const { cpuNsByRound } = entrant(race, "policy/prove");
  const ms = figureOf(cpuNsByRound.map((ns) => ns / 1e6));
  const perSecond = figureOf(cpuNsByRound.map((ns) => (CELLS / ns) * 1e9));
  const atLeast = (CELLS / PROOF_MS) * 1000;
  return [
    ...extended,
    {
      claim: "prove the standard policy",
      unit: "ms",
      atMost: PROOF_MS,
      measured: ms,
      reached: ms.median <= PROOF_MS,
    },
    {
      claim: "cells, each under every claim",
      unit: "per second",
      atLeast,
      measured: perSecond,
      reached: perSecond.median >= atLeast,
    },
  ];
}

function ratioBars(
  claim: string,
  race: RaceResult,
  ours: ContenderName,
  theirs: readonly ContenderName[],
  atLeast: number,
): Bar[] {
  return compared(race, ours, theirs).map(({ ratio }) => ({
    claim,
    unit: "×",
    atLeast,
    measured: ratio,
    reached: ratio.median >= atLeast,
  }));
}

function compared(race: RaceResult, ours: ContenderName, theirs: readonly ContenderName[]): Comparison[] {
  const own = race.entrants.find(({ name }) => name === ours);
  const [fastest] = race.entrants
    .filter(({ name }) => theirs.includes(name))
    .sort((a, b) => a.cpuNs.median - b.cpuNs.median);
  if (own === undefined || fastest === undefined) return [];
  const ratio = figureOf(
    own.cpuNsByRound.map((ns, round) => (fastest.cpuNsByRound[round] ?? Number.NaN) / ns),
  );
  return [{ race: race.id, ours: own.label, theirs: fastest.label, ratio }];
}

function entrant(race: RaceResult, wanted: ContenderName): Entrant {
  const found = race.entrants.find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`${wanted} was not in ${race.id}`);
  return found;
}
