import type { Limits } from "tollgate";
import type { Client } from "tollgate/testing";

/** Milliseconds into the trace after which the contractor's key ends. */
const CONTRACT_MS = 35 * 60_000;

export interface KeySpec extends Pick<Client, "share" | "model" | "maxOutputTokens"> {
  readonly name: string;
  readonly project: "assistant" | "research";
  readonly holder: string;
  /** Patterns of the models it may call; all, where there are none. */
  readonly models?: string[];
  readonly expiresAfterMs?: number;
  readonly limits?: Limits;
}

/** The org's own limits. A burst of calls to one provider is only watched: `shadow` counts and never refuses. */
export const ORG = {
  id: "acme",
  owner: "ada",
  limits: {
    inFlight: 44,
    budget: { usd: 1_000, reset: "monthly" },
    perModel: { "anthropic/*": { rpm: 95, mode: "shadow" } },
  } satisfies Limits,
};

export const PROJECTS = {
  assistant: {
    limits: { tpm: 600_000, budget: { usd: 400, reset: "monthly" } } satisfies Limits,
    members: {
      ben: { role: "admin", limits: undefined },
      carla: { role: "member", limits: { inFlight: 24 } satisfies Limits },
    },
  },
  research: {
    limits: { tpm: 150_000, budget: { usd: 12, reset: "daily" } } satisfies Limits,
    members: {
      eva: {
        role: "admin",
        limits: { budget: { usd: 1.75, reset: "daily", alertAt: [0.8, 1] } } satisfies Limits,
      },
      finn: { role: "member", limits: undefined },
    },
  },
} as const;

/** Who calls what, how much of the traffic that is, and what holds them. */
export const KEYS: readonly KeySpec[] = [
  {
    name: "web-prod",
    project: "assistant",
    holder: "ben",
    share: 50,
    model: "openai/gpt-5.4-mini",
    maxOutputTokens: 1_000,
    limits: { rpm: 240 },
  },
  {
    name: "agent",
    project: "assistant",
    holder: "carla",
    share: 12,
    model: { "openai/gpt-5.4": 70, "anthropic/claude-sonnet-4-6": 30 },
    maxOutputTokens: 2_000,
    limits: {
      budget: { usd: 12, reset: "daily", alertAt: [0.8, 1] },
      perModel: { "anthropic/*": { rpm: 16 } },
    },
  },
  {
    // Says nothing of its output: the gate's estimate decides what is reserved, and settles go above it.
    name: "nightly-batch",
    project: "assistant",
    holder: "ben",
    share: 18,
    model: "anthropic/claude-haiku-4-5",
    limits: { tpm: 100_000 },
  },
  {
    name: "notebook",
    project: "research",
    holder: "eva",
    share: 10,
    model: { "google/gemini-2.5-flash": 95, "anthropic/claude-sonnet-4-6": 5 },
    models: ["google/*"],
    limits: { rpm: 60 },
  },
  {
    // Asks for far more output than it uses, under a small limit: it refuses itself.
    name: "evals",
    project: "research",
    holder: "eva",
    share: 4,
    model: "openai/gpt-5.4-mini",
    maxOutputTokens: 6_000,
    limits: { tpm: 10_000 },
  },
  {
    name: "contractor",
    project: "research",
    holder: "finn",
    share: 6,
    model: "google/gemini-2.5-flash",
    maxOutputTokens: 1_500,
    expiresAfterMs: CONTRACT_MS,
    limits: { rpm: 30 },
  },
];
