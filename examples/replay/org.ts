import type { Limits } from "tollgate";
import type { Client } from "tollgate/testing";

const MINUTE_MS = 60_000;

export interface ProjectSpec {
  readonly id: string;
  readonly limits: Limits;
  readonly members: readonly {
    readonly userId: string;
    readonly role: "admin" | "member";
    /** Over all the member's keys in the project. */
    readonly limits?: Limits;
  }[];
}

export interface KeySpec extends Pick<Client, "name" | "projectId" | "share" | "model" | "maxOutputTokens"> {
  readonly holder: string;
  /** Patterns of the models it may call; if left out, all models. */
  readonly models?: string[];
  /** When it ends, in milliseconds from the start of the trace. */
  readonly expiresAfterMs?: number;
  readonly limits?: Limits;
}

/** The org itself. Its limit on bursts to one provider only watches: `shadow` counts and never refuses. */
export const ORG = {
  id: "acme",
  owner: "ada",
  limits: {
    inFlight: 44,
    budget: { usd: 1_000, reset: "monthly" },
    perModel: { "anthropic/*": { rpm: 95, mode: "shadow" } },
  },
} as const;

export const PROJECTS: readonly ProjectSpec[] = [
  {
    id: "assistant",
    limits: { tpm: 600_000, budget: { usd: 400, reset: "monthly" } },
    members: [
      { userId: "ben", role: "admin" },
      { userId: "carla", role: "member", limits: { inFlight: 24 } },
    ],
  },
  {
    id: "research",
    limits: { tpm: 150_000, budget: { usd: 12, reset: "daily" } },
    members: [
      { userId: "eva", role: "admin", limits: { budget: { usd: 1.75, reset: "daily", alertAt: [0.8, 1] } } },
      { userId: "finn", role: "member" },
    ],
  },
];

/** Who calls what, their share of the traffic, and what limits them. */
export const KEYS: readonly KeySpec[] = [
  {
    name: "web-prod",
    projectId: "assistant",
    holder: "ben",
    share: 50,
    model: "openai/gpt-5.4-mini",
    maxOutputTokens: 1_000,
    limits: { rpm: 240 },
  },
  {
    name: "agent",
    projectId: "assistant",
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
    // Gives no maximum of output: the gate's estimate decides what is reserved, and settles go above it.
    name: "nightly-batch",
    projectId: "assistant",
    holder: "ben",
    share: 18,
    model: "anthropic/claude-haiku-4-5",
    limits: { tpm: 100_000 },
  },
  {
    name: "notebook",
    projectId: "research",
    holder: "eva",
    share: 10,
    model: { "google/gemini-2.5-flash": 95, "anthropic/claude-sonnet-4-6": 5 },
    models: ["google/*"],
    limits: { rpm: 60 },
  },
  {
    // Asks for far more output than it uses, under a small limit: it brings its refusals on itself.
    name: "evals",
    projectId: "research",
    holder: "eva",
    share: 4,
    model: "openai/gpt-5.4-mini",
    maxOutputTokens: 6_000,
    limits: { tpm: 10_000 },
  },
  {
    name: "contractor",
    projectId: "research",
    holder: "finn",
    share: 6,
    model: "google/gemini-2.5-flash",
    maxOutputTokens: 1_500,
    expiresAfterMs: 35 * MINUTE_MS,
    limits: { rpm: 30 },
  },
];
