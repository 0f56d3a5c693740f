import { inCell } from "../../model/markdown.js";
import type { Policy } from "../../policy/policy.js";
import type { Verdict } from "../../policy/verdict.js";
import { askAbout, type Cell } from "./cell.js";
import { cellsOf } from "./cells.js";
import { shapeAbout, shapeOf, union } from "./shape.js";
import { cellInWords, verdictInWords } from "./words.js";

/** Cells that changed in the same way, through the same rules. */
export interface PolicyChange {
  readonly permission: string;
  /** The first of the cells in words, with the conditions that matter to the permission. */
  readonly words: string;
  readonly cell: Cell;
  /** How many cells there are. */
  readonly cells: number;
  readonly before: Verdict;
  readonly after: Verdict;
}

/** What two policies answer differently. */
export interface PolicyDiff {
  readonly changes: readonly PolicyChange[];
  /** Cells that are allowed after but not before. */
  readonly gained: number;
  /** Cells that were allowed before but not after. */
  readonly lost: number;
}

/**
 * Compares two policies on every cell of either, with the rules that decided before and after. For each permission it
 * looks at the conditions that some rule about it names in one of the two.
 *
 * A role that only one policy has counts in the other as what its people would have without it: the base org role, or
 * no role in the project. So a new role shows what it adds, not everything its people could do anyway.
 */
export function diff(before: Policy, after: Policy): PolicyDiff {
  const shape = union(shapeOf(before), shapeOf(after));
  // A role in another project changes no verdict, so each cell without one stands for all that have one.
  const alike = shape.projectRoles.length + 1;
  const changes = new Map<string, { -readonly [K in keyof PolicyChange]: PolicyChange[K] }>();
  let gained = 0;
  let lost = 0;
  for (const permission of Object.keys(shape.permissions)) {
    const about = shapeAbout(permission, shape, [before, after]);
    for (const cell of cellsOf(about, { sameOrg: true, otherProjectRole: null })) {
      const was = verdictOf(before, cell);
      const is = verdictOf(after, cell);
      if (was.allowed === is.allowed) continue;
      if (is.allowed) gained += alike;
      else lost += alike;
      const id = JSON.stringify([permission, cell.own, was, is]);
      const known = changes.get(id);
      if (known) known.cells += alike;
      else {
        const words = cellInWords(cell, about.conditions);
        changes.set(id, { permission, words, cell, cells: alike, before: was, after: is });
      }
    }
  }
  return { changes: [...changes.values()], gained, lost };
}

function verdictOf(policy: Policy, cell: Cell): Verdict {
  const { orgRoles, projectRoles, baseOrgRole } = policy.spec;
  const has = (roles: object, role: string | null) => role === null || Object.hasOwn(roles, role);
  const { permission, orgRole, projectRole, conditions } = cell;
  if (has(orgRoles, orgRole) && has(projectRoles, projectRole)) {
    return policy.authorize(cell.principal, permission, cell.resource, conditions);
  }
  return askAbout(
    policy,
    policy.spec.permissions,
    cell,
  )({
    permission,
    orgRole: has(orgRoles, orgRole) ? orgRole : baseOrgRole,
    projectRole: has(projectRoles, projectRole) ? projectRole : null,
  });
}

/** Renders a diff as Markdown, for a pull request. */
export function diffToMarkdown({ changes, gained, lost }: PolicyDiff): string {
  if (changes.length === 0) return "No cell of the policy changes.";
  const rows = changes.map(
    ({ words, cells, before, after }) =>
      `| ${inCell(words)} | ${inCell(verdictInWords(before))} | ${inCell(verdictInWords(after))} | ${cells} |`,
  );
  return [
    `${gained} cells gained, ${lost} lost.`,
    "",
    "| for example | before | after | cells |",
    "|---|---|---|---:|",
    ...rows,
  ].join("\n");
}
