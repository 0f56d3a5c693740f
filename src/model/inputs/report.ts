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
   * Splits each of these rows once more: `groupBy: "project", splitBy: "model"` has a row for each model of each
   * project. Anything but what `groupBy` is; a day and an hour do not go together. Default: rows are whole.
   */
  readonly splitBy?: ReportGroup | undefined;
  /**
   * The IANA time zone of days and hours. Default: UTC for `ledger.report`, the org's zone for
   * `gate.as(who).ledger.report`.
   */
  readonly timeZone?: string | undefined;
}

const groupSchema = z.enum(["model", "key", "user", "project", "tag", "day", "hour"]);

const TIMES: ReadonlySet<ReportGroup | undefined> = new Set(["day", "hour"]);

export const reportQuerySchema = schemaOf<ReportQuery>()(
  z
    .strictObject({
      org: idSchema,
      project: idSchema.optional(),
      user: idSchema.optional(),
      key: idSchema.optional(),
      from: momentSchema,
      to: momentSchema,
      groupBy: groupSchema,
      splitBy: groupSchema.optional(),
      timeZone: timeZoneSchema.optional(),
    })
    .refine(({ from, to }) => from < to, { error: "a moment before to", path: ["from"] })
    .refine(({ groupBy, splitBy }) => splitBy !== groupBy && !(TIMES.has(splitBy) && TIMES.has(groupBy)), {
      error: "something else than groupBy, and no day or hour beside the other",
      path: ["splitBy"],
    }),
);
