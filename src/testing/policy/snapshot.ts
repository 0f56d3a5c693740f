import type { Policy } from "../../policy/policy.js";
import type { Cell } from "./cell.js";
import { cellsOf, shapeOf } from "./cells.js";
import { whoInWords } from "./words.js";

/**
 * Who may do what at the least, as text for a snapshot test: a policy that allows anything else has another text.
 *
 * For each permission, whoever may do it and could not with one role or one condition less. Where a cap is on a project
 * or an org, those who still may there have lines of their own.
 */
export function snapshot(policy: Policy): string {
  const { permissions } = policy.spec;
  const shape = shapeOf(policy);
  return Object.keys(permissions)
    .map((permission) => [permission, ...linesOf(policy, cellsOf(shape, permission))].join("\n  "))
    .join("\n");
}

function linesOf(policy: Policy, all: readonly Cell[]): string[] {
  const asked = all.filter(
    ({ sameOrg, key, otherProjectRole }) => sameOrg && key === null && otherProjectRole === null,
  );
  const allowed = asked.filter(
    (cell) => policy.authorize(cell.principal, cell.permission, cell.resource, cell.conditions).allowed,
  );
  // Cells come from few conditions to many, and without a project role before with one.
  const least: Cell[] = [];
  for (const cell of allowed) {
    if (!least.some((other) => needsNoMore(other, cell, policy.spec.baseOrgRole))) least.push(cell);
  }
  const lines = least.map((cell) => {
    const scope =
      cell.place === all[0]?.place
        ? ""
        : ` in ${cell.kind === "org" ? cell.place.orgWords : cell.place.projectWords}`;
    const held = Object.keys(cell.conditions)
      .map((name) => `, with ${name}`)
      .join("");
    return `${whoInWords(cell)}${held}${cell.own ? ", their own" : ""}${scope}`;
  });
  return lines.length === 0 ? ["nobody"] : lines;
}

/** Whether `a` asks for what `b` does, or more, with no more roles and conditions. */
function needsNoMore(a: Cell, b: Cell, baseOrgRole: string): boolean {
  return (
    a.place === b.place &&
    (a.own === b.own || b.own) &&
    (a.orgRole === b.orgRole || a.orgRole === baseOrgRole) &&
    (a.projectRole === b.projectRole || a.projectRole === null) &&
    Object.keys(a.conditions).every((name) => b.conditions[name] === true)
  );
}
