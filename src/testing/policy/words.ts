import type { Verdict } from "../../policy/verdict.js";
import type { Cell } from "./cell.js";

/** Describes a cell in words: who asks for what, with what, and where. */
export function cellInWords(cell: Cell, conditions: readonly string[] = []): string {
  return `${whoInWords(cell, conditions)} asks for ${cell.permission} on ${whatInWords(cell)}`;
}

/** Who asks in a cell, and with which conditions. */
export function whoInWords(cell: Cell, conditions: readonly string[] = []): string {
  const { orgRole, projectRole, otherProjectRole, key, kind, place } = cell;
  const inOrg = orgRole === null ? "somebody who is not in the org" : `an org ${orgRole}`;
  const project = kind === "org" ? "a project" : place.projectWords;
  const roles = [
    ...(projectRole === null ? [] : [`${projectRole} of ${project}`]),
    ...(otherProjectRole === null ? [] : [`${otherProjectRole} of another project`]),
  ];
  const inProjects =
    roles.length === 0 ? "" : `${orgRole === null ? ", but" : " who is"} ${roles.join(" and ")}`;
  const through = key === null ? "" : `, through a key of ${key === "here" ? project : "another project"}`;
  const said = conditions.map((name) => `${cell.conditions[name] === true ? "with" : "without"} ${name}`);
  return `${inOrg}${inProjects}${through}${said.map((one) => `, ${one}`).join("")}`;
}

/** What a cell asks about. */
function whatInWords({ kind, own, sameOrg, place }: Cell): string {
  if (kind === "org") return sameOrg ? place.orgWords : "another org";
  const project = sameOrg ? place.projectWords : "a project of another org";
  if (kind === "project") return project;
  return `${own ? "what is their own" : "what is somebody else's"} in ${project}`;
}

/** Describes a verdict in words, with the rule or the reason. */
export function verdictInWords(verdict: Verdict): string {
  if (verdict.allowed) return `allowed by ${verdict.by}`;
  const by = verdict.by === undefined ? "" : ` by ${verdict.by}`;
  const needs = verdict.needs === undefined ? "" : `, needs ${verdict.needs}`;
  return `denied (${verdict.reason}${by}${needs})`;
}

/** An id in JSON's notation. It may be any text, and a line break in it must not look like the next counterexample. */
export function onOneLine(id: string): string {
  const escaped = JSON.stringify(id).slice(1, -1);
  // JSON leaves these as they are, but some readers treat them as the end of a line.
  return escaped.replaceAll(
    /[\u0085\u2028\u2029]/g,
    (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
