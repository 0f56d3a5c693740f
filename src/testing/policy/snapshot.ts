import type { Cap } from "../../policy/cap.js";
import type { Policy } from "../../policy/policy.js";
import type { Cell, Place } from "./cell.js";
import { cellsOf } from "./cells.js";
import { type Shape, shapeAbout, shapeOf } from "./shape.js";
import { onOneLine, whoInWords } from "./words.js";

/**
 * Describes a policy as text for a snapshot test: who may do what, at the least. A policy that allows anything else has
 * another text.
 *
 * For each permission it lists whoever may do it but could not with one role or condition less. Where a cap is on a
 * project or an org, those who still may there have lines of their own. Then come the roles that no line above
 * mentions, and each cap with what it denies and where.
 */
export function snapshot(policy: Policy): string {
  const { permissions, orgRoles, projectRoles, caps } = policy.spec;
  const shape = shapeOf(policy);
  const least = Object.keys(permissions).map((permission) =>
    leastOf(policy, shapeAbout(permission, shape, [policy])),
  );
  const counting = new Set(least.flatMap(({ cells }) => cells.map(roleOf)));
  const others = [
    ...Object.keys(orgRoles).map((role) => `org:${role}`),
    ...Object.keys(projectRoles).map((role) => `project:${role}`),
  ].filter((role) => !counting.has(role));
  return [
    ...Object.keys(permissions).map((permission, at) => [permission, ...linesOf(least[at])]),
    ...(others.length === 0 ? [] : [["roles that grant nothing, or nothing that counts", ...others]]),
    ...Object.entries<Cap>(caps).map(([id, cap]) => [`cap:${id}`, ...capLines(cap)]),
  ]
    .map((lines) => lines.join("\n  "))
    .join("\n");
}

/** The role by which a cell is allowed. If it has a project role, the org role alone is not enough. */
function roleOf({ orgRole, projectRole }: Cell): string {
  return projectRole === null ? `org:${orgRole}` : `project:${projectRole}`;
}

/**
 * Everything a cap says. Above, one project stands for all that are capped alike, and there is no line where nobody
 * may.
 */
function capLines(cap: Cap): string[] {
  const unless = cap.unless === undefined ? "" : `, unless ${cap.unless}`;
  const inOrg = (orgId: string) => `the org ${onOneLine(orgId)}`;
  const scopes =
    cap.at === "project"
      ? cap.projects.map(({ orgId, projectId }) => `the project ${onOneLine(projectId)} of ${inOrg(orgId)}`)
      : (cap.orgIds?.map(inOrg) ?? ["every org"]);
  return [...cap.permissions.map((id) => `${id}${unless}`), ...scopes.map((scope) => `in ${scope}`)];
}

/** Who may do something but could not with less. */
interface Least {
  readonly cells: readonly Cell[];
  /** The place without a cap that names a scope. */
  readonly anyPlace: Place | undefined;
}

function leastOf(policy: Policy, shape: Shape): Least {
  const allowed: Cell[] = [];
  let anyPlace: Place | undefined;
  for (const cell of cellsOf(shape, { key: null, sameOrg: true, otherProjectRole: null })) {
    anyPlace ??= cell.place;
    if (policy.authorize(cell.principal, cell.permission, cell.resource, cell.conditions).allowed)
      allowed.push(cell);
  }
  // Cells go from few conditions to many, and from no project role to one.
  const least: Cell[] = [];
  for (const cell of [...allowed.filter(({ own }) => !own), ...allowed.filter(({ own }) => own)]) {
    if (!least.some((other) => needsNoMore(other, cell, policy.spec.baseOrgRole))) least.push(cell);
  }
  const needed = new Set(least);
  return { cells: allowed.filter((cell) => needed.has(cell)), anyPlace };
}

function linesOf(least: Least | undefined): string[] {
  if (least === undefined || least.cells.length === 0) return ["nobody"];
  return least.cells.map((cell) => {
    const isSaid = cell.kind !== "org" && cell.projectRole !== null; // With the project role.
    const scope =
      cell.place === least.anyPlace || isSaid
        ? ""
        : ` in ${cell.kind === "org" ? cell.place.orgWords : cell.place.projectWords}`;
    const held = Object.keys(cell.conditions)
      .map((name) => `, with ${name}`)
      .join("");
    return `${whoInWords(cell)}${held}${cell.own ? ", their own" : ""}${scope}`;
  });
}

/**
 * Whether `a` asks for what `b` does or more, with no more roles and conditions. What a project role adds to the base
 * org role it adds to any; what the base org role allows by itself, another role need not allow.
 */
function needsNoMore(a: Cell, b: Cell, baseOrgRole: string): boolean {
  return (
    a.place === b.place &&
    (a.own === b.own || b.own) &&
    (a.orgRole === b.orgRole || (a.orgRole === baseOrgRole && a.projectRole !== null)) &&
    (a.projectRole === b.projectRole || a.projectRole === null) &&
    Object.keys(a.conditions).every((name) => b.conditions[name] === true)
  );
}
