import * as z from "zod";
import type { Charges } from "../../admission/charge.js";
import { haveOwnCounts } from "../../admission/limit.js";
import type { DirectReservation } from "../../counters/counters.js";
import { ValidationError } from "../../model/errors.js";
import { budgetResetSchema, meterSchema, scopeKindSchema } from "../../model/limits.js";
import { type CallParts, callPartsSchema } from "../../model/usage.js";
import { parse, schemaOf } from "../../model/validation.js";

/** How a call was counted while the counters did not answer: by this process alone, or not at all. */
export type Degraded = "local" | "uncounted";

/** The charges of one admitted call, until it is settled. It is plain JSON, so another process can settle it. */
export interface Reservation {
  readonly id: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly keyId: string;
  readonly userId: string;
  /** What the call asked for: a model, a virtual model or an MCP server. */
  readonly requested: string;
  /** The model that was reserved for: the first permitted target. Absent for an MCP server. */
  readonly model?: string | undefined;
  /** Every permitted model, in the order of fallback. Empty for an MCP server. */
  readonly models: readonly string[];
  /**
   * When it was made, in epoch milliseconds: by the gate's clock, but for counters in memory or SQLite never before
   * their latest step.
   */
  readonly reservedAt: number;
  /** When it ends by itself, in epoch milliseconds. Its estimate then stays charged. */
  readonly expiresAt: number;
  /** Input tokens reserved. 0 if the usage did not say. */
  readonly inputTokens: number;
  /** Output tokens reserved: the usage's `maxOutputTokens`, or else what the gate's `estimate` answered. */
  readonly outputTokens: number;
  /** Cost reserved, in nano-USD (1 USD is 1e9). */
  readonly costNanoUsd: number;
  /** Whether the call runs on the customer's own provider key. */
  readonly byok: boolean;
  /** The parts of the call that are priced apart, if the usage named any. */
  readonly parts?: CallParts | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly degraded?: Degraded | undefined;
  readonly charges: Charges;
}

/** A reservation made by this process. Its form need not be checked when it comes back. */
export class IssuedReservation implements Reservation {
  readonly id: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly keyId: string;
  readonly userId: string;
  readonly requested: string;
  readonly model: string | undefined;
  readonly models: readonly string[];
  readonly reservedAt: number;
  readonly expiresAt: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costNanoUsd: number;
  readonly byok: boolean;
  readonly parts: CallParts | undefined;
  readonly tags: Readonly<Record<string, string>> | undefined;
  readonly degraded: Degraded | undefined;
  readonly charges: Charges;
  /** What `DirectCounters` returned for it, if it was made that way. */
  readonly #held: DirectReservation | undefined;
  /** The reservation that has taken its place since it was extended. */
  #extended: IssuedReservation | undefined;

  // Field by field: it is made on every call, and `Object.assign` takes ten times as long.
  constructor(made: Reservation, held?: DirectReservation) {
    this.id = made.id;
    this.orgId = made.orgId;
    this.projectId = made.projectId;
    this.keyId = made.keyId;
    this.userId = made.userId;
    this.requested = made.requested;
    this.model = made.model;
    this.models = made.models;
    this.reservedAt = made.reservedAt;
    this.expiresAt = made.expiresAt;
    this.inputTokens = made.inputTokens;
    this.outputTokens = made.outputTokens;
    this.costNanoUsd = made.costNanoUsd;
    this.byok = made.byok;
    this.parts = made.parts;
    this.tags = made.tags;
    this.degraded = made.degraded;
    this.charges = made.charges;
    this.#held = held;
    this.#extended = undefined;
  }

  /**
   * Whether it was made here. A proxy of one lacks its private fields, so its form is checked like any other object's.
   */
  static is(value: unknown): value is IssuedReservation {
    return typeof value === "object" && value !== null && #extended in value;
  }

  /** The reservation including everything that extensions in this process added to it. */
  static whole(reservation: IssuedReservation): IssuedReservation {
    let whole = reservation;
    while (whole.#extended !== undefined) whole = whole.#extended;
    return whole;
  }

  /** From now on `reservation` stands for `whole`. */
  static extend(reservation: IssuedReservation, whole: IssuedReservation): void {
    reservation.#extended = whole;
  }

  /** What `DirectCounters` returned for a reservation, if this process made it that way. */
  static held(reservation: Reservation): DirectReservation | undefined {
    return IssuedReservation.is(reservation) ? reservation.#held : undefined;
  }
}

const amount = z.int().min(0);

/** The last moment of a `Date`. There is no calendar beyond it. */
const DATE_MAX = 8_640_000_000_000_000;
const moment = z.number().min(-DATE_MAX).max(DATE_MAX);

// Fields that are not known are left out, as during a deploy a process of a later version may have made the reservation:
// what its call has cost is spent, and has to be settled. Another kind of window or part of a call is an error.

const windowSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("sliding"),
    name: z.enum(["minute", "day"]),
    lengthMs: z.int().positive(),
  }),
  z.object({
    kind: z.literal("calendar"),
    name: budgetResetSchema.exclude(["never"]),
    timeZone: z.string(),
  }),
  z.object({ kind: z.literal("lifetime"), name: z.enum(["lifetime", "credits"]) }),
  z.object({ kind: z.literal("inFlight"), name: z.literal("in-flight") }),
]);

const limitSchema = z.object({
  scope: scopeKindSchema,
  scopeId: z.string(),
  scopeKey: z.string(),
  field: z.string(),
  meter: meterSchema,
  max: amount,
  window: windowSchema,
  mode: z.enum(["enforce", "shadow"]),
  perModel: z.string().optional(),
  countByok: z.literal(true).optional(),
  alertAt: z.array(z.number()).optional(),
});

/** JSON has no `undefined`, so a missing period is `null` there. */
const periodSchema = z
  .object({ index: z.int(), startsAt: z.int(), endsAt: z.int() })
  .nullish()
  .transform((period) => period ?? undefined);

const chargesSchema = z
  .object({
    limits: z.array(limitSchema),
    amounts: z.array(amount),
    periods: z.array(periodSchema),
  })
  .refine(
    ({ limits, amounts, periods }) => amounts.length === limits.length && periods.length === limits.length,
    {
      error: "an amount and a period for each limit",
    },
  )
  .refine(
    ({ limits, periods }) =>
      limits.every(({ window }, i) => (window.kind === "calendar") === (periods[i] !== undefined)),
    { error: "a period exactly where the window is a calendar one" },
  )
  // A count that appeared twice would be given back twice.
  .refine(({ limits }) => haveOwnCounts(limits), { error: "each count once" });

const reservationSchema: z.ZodType<Reservation> = schemaOf<Reservation>()(
  z.object({
    id: z.string(),
    orgId: z.string(),
    projectId: z.string(),
    keyId: z.string(),
    userId: z.string(),
    requested: z.string(),
    model: z.string().optional(),
    models: z.array(z.string()),
    reservedAt: moment,
    expiresAt: moment,
    inputTokens: amount,
    outputTokens: amount,
    costNanoUsd: amount,
    byok: z.boolean(),
    parts: callPartsSchema.optional(),
    tags: z.record(z.string(), z.string()).optional(),
    degraded: z.enum(["local", "uncounted"]).optional(),
    charges: chargesSchema,
  }),
);

/**
 * Reads a reservation from what a caller passed in: the object itself, its JSON text, or what that parses to. An object
 * from before an extension stands for the whole; JSON means what it said when it was written. It may be from a process of
 * a later version, and have fields that are not known.
 *
 * @throws ValidationError if it is not a reservation
 */
export function reservationFrom(input: unknown): Reservation {
  if (IssuedReservation.is(input)) {
    const whole = IssuedReservation.whole(input);
    if (hasLists(whole)) return whole;
  }
  const value = typeof input === "string" ? jsonOf(input) : input;
  const mistake = mistakeIn(value);
  if (mistake !== undefined) throw new ValidationError([{ field: "reservation", expected: mistake }]);
  return parse(reservationSchema, value, "reservation");
}

/** A copy for a step that waits for something, since the caller may change the reservation meanwhile. */
export function asItIs(reservation: Reservation): Reservation {
  const { models, parts, tags, charges } = reservation;
  return {
    ...reservation,
    models: [...models],
    parts: parts && { ...parts },
    tags: tags && { ...tags },
    charges: { ...charges, amounts: [...charges.amounts] },
  };
}

/** Whether it still has its lists. They are long, and a caller may have removed them to log the rest. */
function hasLists({ models, charges }: Partial<Reservation>): boolean {
  const hasCharges =
    Array.isArray(charges?.limits) && Array.isArray(charges.amounts) && Array.isArray(charges.periods);
  return hasCharges && Array.isArray(models);
}

/** What was passed in instead, if that is a common mistake. A list of fourteen missing fields would not help. */
function mistakeIn(value: unknown): string | undefined {
  try {
    const { admitted, then } = Object(value);
    if (typeof then === "function") return "a reservation, not a promise; await the admission first";
    if (admitted !== undefined) return "the admission's reservation, not the admission";
  } catch {
    return "a reservation whose fields can be read";
  }
  return typeof value === "object" && value !== null ? undefined : "a reservation, or its JSON";
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
