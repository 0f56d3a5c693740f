import type { Load } from "./memory/weighing.js";
import type { Race } from "./race.js";

export const SUITES = ["authorize", "policy", "admit", "memory", "redis", "postgres", "sqlite"] as const;
export type Suite = (typeof SUITES)[number];

/** What is asked of `authorize`: questions whose answer is yes, and questions whose answer is no. */
export const authorizeRaces: readonly Race[] = [
  authorizeRace("allow", "allowed"),
  authorizeRace("deny", "denied"),
];

function authorizeRace(parameter: "allow" | "deny", answer: string): Race {
  return {
    id: `authorize-${parameter}`,
    title: `authorize, 10 projects, ${answer}`,
    contenders: [
      { name: "authorize/tollgate", parameter, label: "tollgate" },
      { name: "authorize/casl", parameter, label: "CASL, with conditions" },
      { name: "authorize/casbin", parameter, label: "Casbin, RBAC with domains" },
      { name: "authorize/bitmask", parameter, label: "Map and bitmask by hand" },
    ],
  };
}

export const PROOF_RACE = "policy-prove";

/** A policy of one's own: whether it answers as fast as the standard one, and how long its proof takes. */
export const policyRaces: readonly Race[] = [
  extendedRace("allow", "allowed"),
  extendedRace("deny", "denied"),
  {
    id: PROOF_RACE,
    title: "the standard policy, cell by cell",
    contenders: [
      { name: "policy/prove", parameter: "", label: "prove, 15 claims" },
      { name: "policy/cells", parameter: "", label: "cells" },
    ],
  },
];

export function extendedRaceId(parameter: string): string {
  return `policy-extended-${parameter}`;
}

function extendedRace(parameter: "allow" | "deny", answer: string): Race {
  return {
    id: extendedRaceId(parameter),
    title: `authorize by a policy and by its extension, ${answer}`,
    contenders: [
      { name: "authorize/tollgate", parameter, label: "the standard policy" },
      { name: "authorize/tollgate-extended", parameter, label: "extended: roles, conditions, caps" },
    ],
  };
}

/** The number of keys that the bars are about. */
export const BAR_KEYS = 10_000;

/** `admit` and `settle` under nine limits, and nine counts of others, by the number of keys that call in turn. */
export function admitRaces(quick: boolean): readonly Race[] {
  const races = (quick ? [BAR_KEYS] : [1, 100, BAR_KEYS]).map((keys) => admitRace(keys, true));
  // A token and its chain for each of a million keys would take the heap twice.
  const others = [ledgerRace, otherRace];
  return quick ? [...races, ...others] : [...races, ...others, admitRace(1_000_000, false)];
}

export function admitRaceId(keys: number): string {
  return `admit-${keys}`;
}

function admitRace(keys: number, byToken: boolean): Race {
  const parameter = String(keys);
  const tokens = [
    { name: "admit/tollgate-by-token", parameter, label: "tollgate admit + settle, by token" },
  ] as const;
  return {
    id: admitRaceId(keys),
    title: `admit + settle under nine limits, ${keys.toLocaleString("en")} ${keys === 1 ? "key" : "keys"}`,
    contenders: [
      { name: "admit/tollgate-by-id", parameter, label: "tollgate admit + settle, by key id" },
      ...(byToken ? tokens : []),
      { name: "admit/flexible-in-turn", parameter, label: "rate-limiter-flexible, 9 consumes in turn" },
      { name: "admit/flexible-at-once", parameter, label: "rate-limiter-flexible, 9 consumes at once" },
      { name: "admit/bare", parameter, label: "the same contract, nothing behind it" },
      { name: "admit/plain", parameter, label: "nine plain numbers by hand" },
    ],
    heapMb: keys < 1_000_000 ? undefined : 14_000,
  };
}

const AT_BAR_KEYS = String(BAR_KEYS);

/** What recording every call takes. */
const ledgerRace: Race = {
  id: "admit-ledger",
  title: `admit + settle under nine limits, ${BAR_KEYS.toLocaleString("en")} keys, with and without a ledger`,
  contenders: [
    { name: "admit/tollgate-by-id", parameter: AT_BAR_KEYS, label: "tollgate, without" },
    { name: "admit/tollgate-ledger", parameter: AT_BAR_KEYS, label: "tollgate, with a ledger" },
  ],
};

/** What else a gate is asked. */
const otherRace: Race = {
  id: "admit-other",
  title: `other answers, ${BAR_KEYS.toLocaleString("en")} keys`,
  contenders: [
    {
      name: "admit/tollgate-storage",
      parameter: AT_BAR_KEYS,
      label: "tollgate admit + settle, keys of its own storage",
    },
    {
      name: "admit/tollgate-headers",
      parameter: AT_BAR_KEYS,
      label: "tollgate admit + settle, with header fields",
    },
    {
      name: "admit/tollgate-request-id",
      parameter: AT_BAR_KEYS,
      label: "tollgate admit + settle, with request ids",
    },
    {
      name: "admit/tollgate-byok",
      parameter: AT_BAR_KEYS,
      label: "tollgate admit + settle, on the customer's own key",
    },
    { name: "admit/tollgate-check", parameter: AT_BAR_KEYS, label: "tollgate check" },
    { name: "admit/tollgate-refused", parameter: AT_BAR_KEYS, label: "tollgate admit, rate_limited" },
    {
      name: "admit/flexible-refused",
      parameter: AT_BAR_KEYS,
      label: "rate-limiter-flexible, 1 consume, rejected",
    },
    {
      name: "admit/tollgate-open",
      parameter: AT_BAR_KEYS,
      label: "tollgate admit + settle, 10,000 calls open",
    },
    {
      name: "admit/tollgate-first",
      parameter: AT_BAR_KEYS,
      label: "tollgate admit + settle, chain not at hand",
    },
  ],
};

export const COUNTS_LOAD = "memory-counts";

/** What is held per key: its counts, and its chain. */
export function memoryLoads(quick: boolean): readonly Load[] {
  const keys = quick ? 100_000 : 1_000_000;
  return [
    { id: COUNTS_LOAD, label: "tollgate, counts", fill: "tollgateCounts", keys },
    { id: "memory-flexible", label: "rate-limiter-flexible, records", fill: "flexibleCounts", keys },
    {
      id: "memory-chains",
      label: "tollgate, chain and counts of 9 limits",
      fill: "gateOfChains",
      keys: BAR_KEYS,
    },
  ];
}
