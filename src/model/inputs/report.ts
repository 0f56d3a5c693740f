import * as z from "zod";
import { idSchema, momentSchema } from "../text.js";
import { timeZoneSchema } from "../time-zone.js";
import { schemaOf } from "../validation.js";

/** What each row of a report is about. */
export type ReportGroup = "model" | "key" | "user" | "project" | "tag" | "day" | "hour";

/** What to add up: the calls of one org, or of a part of it, that were admitted from `from` to before `to`. */
export interface ReportQuery {
  readonly org: string;
  readonly project?: string | undefined;
  readonly user?: string | undefined;
  readonly key?: string | undefined;
  /** Epoch milliseconds, inclusive. */
  readonly from: number;
  /** Epoch milliseconds, exclusive. */
  readonly to: number;
  /** What each row is about. */
  readonly groupBy: ReportGroup;
  /**
   * The IANA time zone of days and hours. Default: UTC for `ledger.report`, the org's zone for
   * `gate.as(who).ledger.report`.
   */
  readonly timeZone?: string | undefined;
}

export const reportQuerySchema = schemaOf<ReportQuery>()(
  z
    .strictObject({
      org: idSchema,
      project: idSchema.optional(),
      user: idSchema.optional(),
      key: idSchema.optional(),
      from: momentSchema,
      to: momentSchema,
      groupBy: z.enum(["model", "key", "user", "project", "tag", "day", "hour"]),
      timeZone: timeZoneSchema.optional(),
    })
    .refine(({ from, to }) => from < to, { error: "a moment before to", path: ["from"] }),
);
