import type { CallEnd, LedgerCall, UsageEvent } from "tollgate";
import { usageEventOf } from "../../src/ledger/usage-event.js";

/** Friday, 15 May 2026, noon. */
export const NOON = Date.UTC(2026, 4, 15, 12);
export const HOUR_MS = 3_600_000;

/** A call of a thousand tokens in and out at most, reserved with 0.01 USD; the rest as a test says. */
export function aCall(parts: Partial<LedgerCall> = {}): LedgerCall {
  const reservedAt = parts.reservedAt ?? NOON;
  return {
    id: "r1",
    orgId: "o1",
    projectId: "p1",
    userId: "u1",
    keyId: "k1",
    requested: "gpt-4o",
    model: "gpt-4o",
    models: ["gpt-4o"],
    reservedAt,
    expiresAt: reservedAt + HOUR_MS,
    inputTokens: 1_000,
    outputTokens: 1_000,
    costNanoUsd: 10_000_000,
    byok: false,
    ...parts,
  };
}

/** Its end a second later: 1,000 tokens in, 100 out, 0.002 USD. */
export function anEnd(parts: Partial<CallEnd> = {}): CallEnd {
  return {
    outcome: "settled",
    at: NOON + 1_000,
    inputTokens: 1_000,
    outputTokens: 100,
    costNanoUsd: 2_000_000,
    actual: {},
    ...parts,
  };
}

export function settledEvent(call: Partial<LedgerCall> = {}, end: Partial<CallEnd> = {}): UsageEvent {
  return usageEventOf(aCall(call), anEnd(end));
}

export function openEvent(call: Partial<LedgerCall> = {}): UsageEvent {
  return usageEventOf(aCall(call), undefined);
}
