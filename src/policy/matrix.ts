import { inCell } from "../model/markdown.js";
import { ID_MAX } from "../model/text.js";
import type { Conditions } from "./condition.js";
import type { Policy } from "./policy.js";
import type { Principal, Resource } from "./principal.js";
import type { Ask, Row } from "./spec.js";

/** What a column may do in a row. `own` means only with what is theirs, such as the projects they were added to. */
export type MatrixCell = "yes" | "own" | "no";

/** A policy as a table for people: columns are roles, rows are permissions. */
export interface Matrix {
  readonly columns: readonly string[];
  readonly rows: readonly { readonly label: string; readonly cells: readonly MatrixCell[] }[];
}

/**
 * An id longer than any real one, so that no cap on a particular org or project shows in a table meant for all of them.
 */
const unnamed = (word: string): string => word.padEnd(ID_MAX + 1, "-");

const principalId = "principal";
const org = { orgId: unnamed("org") };
const here = { ...org, projectId: unnamed("here") };
const elsewhere = { ...org, projectId: unnamed("elsewhere") };
const mine = { ...here, userId: principalId };
const theirs = { ...here, userId: "other" };
const theirsElsewhere = { ...elsewhere, userId: "other" };

type Can = (resource: Resource) => boolean;

const part = (whole: boolean, own = whole): MatrixCell => (whole ? "yes" : own ? "own" : "no");

/** The question that each way of asking puts to the policy. */
const questions: Readonly<Record<Ask, (can: Can) => MatrixCell>> = {
  org: (can) => part(can(org)),
  project: (can) => part(can(here)),
  anyProject: (can) => part(can(here) && can(elsewhere), can(here)),
  own: (can) => part(can(mine)),
  others: (can) => part(can(theirs)),
  othersElsewhere: (can) => part(can(theirsElsewhere)),
  owned: (can) => part(can(theirs) && can(mine), can(mine)),
};

/** How to ask about a permission that is in no row. */
const defaultAsk = { org: "org", project: "anyProject", owned: "owned" } as const;

/**
 * Shows a policy as a table, by asking `authorize` for one principal of each column.
 *
 * The columns are each org role but the base one, alone; each project role on top of the base org role; and the base
 * org role in no project. Other combinations are not shown, since roles add up. If the permissions of a row have
 * different answers, the row is split, and a permission in no row gets one of its own. So nothing is hidden.
 *
 * @param conditions the conditions that hold. Default: none.
 */
export function matrix(policy: Policy, conditions: Conditions = {}): Matrix {
  const columns = columnsOf(policy.spec);
  const cellsOf = (permission: string, ask: Ask) =>
    columns.map(({ principal }) =>
      questions[ask]((resource) => policy.authorize(principal, permission, resource, conditions).allowed),
    );
  const rows = rowsOf(policy.spec).flatMap(({ label, ask, permissions }) => {
    const answers = new Map<string, { cells: MatrixCell[]; permissions: string[] }>();
    for (const permission of permissions) {
      const cells = cellsOf(permission, ask);
      const same = answers.get(cells.join());
      if (same) same.permissions.push(permission);
      else answers.set(cells.join(), { cells, permissions: [permission] });
    }
    return [...answers.values()].map((answer) => ({
      label: answers.size === 1 ? label : `${label} (${answer.permissions.join(", ")})`,
      cells: answer.cells,
    }));
  });
  return { columns: columns.map(({ name }) => name), rows };
}

/** Renders a matrix as a Markdown table. */
export function toMarkdown({ columns, rows }: Matrix): string {
  const lines = rows.map(({ label, cells }) => `| ${[inCell(label), ...cells].join(" | ")} |`);
  return [`| | ${columns.map(inCell).join(" | ")} |`, `|---|${"---|".repeat(columns.length)}`, ...lines].join(
    "\n",
  );
}

type Spec = Policy["spec"];

function columnsOf({ orgRoles, projectRoles, baseOrgRole }: Spec): { name: string; principal: Principal }[] {
  const inOrg = (orgRole: string, roles: Record<string, string> = {}): Principal => ({
    userId: principalId,
    orgId: org.orgId,
    orgRole,
    projectRoles: roles,
  });
  const higher = Object.keys(orgRoles).filter((role) => role !== baseOrgRole);
  const inProject = Object.keys(projectRoles);
  const taken = (name: string, others: readonly string[]) => name === "none" || others.includes(name);
  return [
    ...higher.map((role) => ({
      name: taken(role, inProject) ? `org ${role}` : role,
      principal: inOrg(role),
    })),
    ...inProject.map((role) => ({
      name: taken(role, higher) ? `project ${role}` : role,
      principal: inOrg(baseOrgRole, { [here.projectId]: role }),
    })),
    { name: "none", principal: inOrg(baseOrgRole) },
  ];
}

function rowsOf({ permissions, rows }: Spec): Row[] {
  const governed = new Set<string>(rows.flatMap((row) => row.permissions));
  const others = Object.entries(permissions)
    .filter(([permission]) => !governed.has(permission))
    .map(([permission, kind]) => ({ label: permission, ask: defaultAsk[kind], permissions: [permission] }));
  return [...rows, ...others];
}
