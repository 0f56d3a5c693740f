import type { Charge } from "../admission/charge.js";
import { type LimitReading, limitReading } from "../admission/limit-reading.js";
import type { Refusal, Refused } from "../admission/refusal.js";
import { SUB_BUCKETS } from "../admission/sliding-count.js";
import type { Degraded, Reservation } from "./reservation.js";

/** The answer of `admit` for a call that may pass. */
export interface Admitted {
  readonly admitted: true;
  readonly reservation: Reservation;
  readonly keyId: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly userId: string;
  /** Permitted targets in the order of fallback; empty for an MCP server. */
  readonly models: readonly string[];
  readonly contentLogging: boolean;
  /** Every limit that the call counts against, itself included. */
  readonly limits: readonly LimitReading[];
  /** What limits in shadow mode would have refused. */
  readonly shadow: readonly Refusal[];
  readonly degraded?: Degraded;
}

export type Admission = Admitted | Refused;

/** An admitted call. Its readings are made when they are asked for, of the counts as they were at the admission. */
export class AdmittedCall implements Admitted {
  readonly admitted = true;
  readonly reservation: Reservation;
  readonly keyId: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly userId: string;
  readonly models: readonly string[];
  readonly contentLogging: boolean;
  readonly shadow: readonly Refusal[];
  declare readonly degraded?: Degraded;
  readonly #charges: readonly Charge[];
  readonly #used: readonly number[];
  readonly #now: number;

  constructor(
    reservation: Reservation,
    models: readonly string[],
    contentLogging: boolean,
    shadow: readonly Refusal[],
    counted: { readonly charges: readonly Charge[]; readonly used: readonly number[]; readonly now: number },
  ) {
    this.reservation = reservation;
    this.keyId = reservation.keyId;
    this.orgId = reservation.orgId;
    this.projectId = reservation.projectId;
    this.userId = reservation.userId;
    this.models = models;
    this.contentLogging = contentLogging;
    this.shadow = shadow;
    if (reservation.degraded) this.degraded = reservation.degraded;
    this.#charges = counted.charges;
    this.#used = counted.used;
    this.#now = counted.now;
  }

  get limits(): LimitReading[] {
    return this.#charges.map((charge, i) => readingAfter(charge, this.#used[i] ?? 0, this.#now));
  }

  toJSON(): Admitted {
    const { admitted, reservation, keyId, orgId, projectId, userId, models, contentLogging, limits, shadow } =
      this;
    return {
      admitted,
      reservation,
      keyId,
      orgId,
      projectId,
      userId,
      models,
      contentLogging,
      limits,
      shadow,
      ...(this.degraded && { degraded: this.degraded }),
    };
  }
}

/** A limit as it stands right after `now`, when a charge or a settle left `used` on it. */
export function readingAfter({ limit, period }: Charge, used: number, now: number): LimitReading {
  const { window } = limit;
  let resetMs: number | undefined;
  if (period !== undefined) resetMs = period.endsAt - now;
  if (window.kind === "sliding") {
    const widthMs = window.lengthMs / SUB_BUCKETS;
    resetMs = used === 0 ? 0 : (Math.floor(now / widthMs) + SUB_BUCKETS + 1) * widthMs - now;
  }
  return limitReading(limit, { used, ...(resetMs !== undefined && { resetMs }) }, now);
}
