import { unreadable } from "../../ledger/ledger.js";
import type { Report } from "../../ledger/report.js";
import type { ReportScope } from "../../ledger/sink.js";
import { ValidationError } from "../../model/errors.js";
import { type ReportQuery, reportQuerySchema } from "../../model/inputs/report.js";
import { parse } from "../../model/validation.js";
import type { Acting } from "./actor.js";
import { SOMEBODY } from "./authority.js";
import { type Control, placeOf } from "./control.js";

const PERMISSION = "usage.view";

/** The ledger as one actor may read it. */
export interface LedgerReports {
  /**
   * Adds up what was spent, as far as the actor may see it: their own calls, those of projects they administer, or
   * those of the whole org.
   *
   * Days and hours are in the org's time zone unless another is given. A key is only a filter: for one that the actor
   * may not see, or that does not exist, the sums are zero.
   *
   * @throws ValidationError naming the field that is wrong, or if the gate has no ledger that can be read
   * @throws PermissionError if the actor may see nothing of what is asked for
   */
  report(query: ReportQuery): Promise<Report>;
}

export function ledgerOf(control: Control): LedgerReports {
  const { engine, storage } = control;
  return {
    async report(input) {
      const query = parse(reportQuerySchema, input, "report");
      const { org: orgId, project: projectId, user: userId } = query;
      const { ledger } = engine.settings;
      if (ledger === undefined) {
        throw new ValidationError([
          { field: "options.ledger", expected: "a ledger: without one nothing is kept" },
        ]);
      }
      if (ledger.readable === undefined) throw unreadable();
      const acting = await control.acting(orgId, PERMISSION);
      const timeZone = query.timeZone ?? (await storage.get("org", orgId))?.timeZone;
      const report = (within: readonly ReportScope[]) => ledger.report({ ...query, timeZone }, within);
      const within = await visibleScopes(control, acting, query);
      if (within.length > 0) return report(within);
      // They may see none of it. Whether that is a denial or an empty report is decided as for somebody else's usage if
      // the query names no project or user: the usage of an org as a whole is not a resource that a role could have a
      // permission for.
      const asked = { orgId, projectId: projectId ?? SOMEBODY, userId: userId ?? SOMEBODY };
      return control.read(PERMISSION, asked, () => report([]), placeOf({ orgId, projectId }));
    },
  };
}

/** The parts of what is asked for whose usage the actor may see, each by asking `authorize`. They do not overlap. */
async function visibleScopes(
  control: Control,
  acting: Acting,
  { org: orgId, project, user }: ReportQuery,
): Promise<ReportScope[]> {
  const { principal } = acting;
  const can = (projectId: string, userId: string) =>
    control.can(acting, PERMISSION, { orgId, projectId, userId });
  const places = project === undefined ? await visiblePlaces(control, acting, orgId) : [project];
  if (places === "everywhere") return [{}];
  return places.flatMap((projectId) => {
    if (can(projectId, user ?? SOMEBODY)) return [{ projectId }];
    const { userId } = principal;
    return user === undefined && can(projectId, userId) ? [{ projectId, userId }] : [];
  });
}

/** The projects in which the actor may see any usage, possibly with some in which they may not. */
async function visiblePlaces(
  { policy, storage }: Control,
  { principal, conditions }: Acting,
  orgId: string,
): Promise<readonly string[] | "everywhere"> {
  const visible = policy.visible(principal, PERMISSION, conditions);
  if (visible.all) return "everywhere"; // so it is a person of this org: a token is confined to a project
  if (visible.allBut === undefined && visible.ownBut === undefined) {
    if (visible.ownProjectIds !== undefined || !visible.own) {
      return [...visible.projectIds, ...(visible.ownProjectIds ?? [])];
    }
  }
  const projects = await storage.find("project", { orgId });
  return projects.map(({ id }) => id);
}
