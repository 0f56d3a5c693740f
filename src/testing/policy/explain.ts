import { type Conditions, holds } from "../../policy/condition.js";
import { grantOf } from "../../policy/grant.js";
import type { Policy } from "../../policy/policy.js";
import { isSomebody, type Principal, projectRoleOf, type Resource } from "../../policy/principal.js";
import type { Verdict, VerdictReason } from "../../policy/verdict.js";
import { onOneLine, verdictInWords } from "./words.js";

/**
 * Explains a verdict: every check that was made, in words, one per line.
 *
 * The verdict comes from `authorize` and determines how far the explanation goes, so the two cannot disagree.
 */
export function explain(
  policy: Policy,
  principal: Principal,
  permission: string,
  resource: Resource,
  conditions: Conditions = {},
): string {
  const verdict = policy.authorize(principal, permission, resource, conditions);
  const reason = verdict.allowed ? undefined : verdict.reason;
  const gate = GATES.findIndex((one) => one.reason === reason);
  const passed = gate === -1 ? GATES : GATES.slice(0, gate);
  const question: Question = { policy, principal, permission, resource, conditions };
  const lines = [
    ...passed.map(({ passes }) => passes(question)),
    ...(gate === -1 ? roleLines(question) : [GATES[gate]?.fails(question) ?? ""]),
    ...(gate === -1 ? capLines(verdict) : []),
  ];
  return [...lines.filter((line) => line !== ""), `So it is ${verdictInWords(verdict)}.`].join("\n");
}

interface Question {
  readonly policy: Policy;
  readonly principal: Principal;
  readonly permission: string;
  readonly resource: Resource;
  readonly conditions: Conditions;
}

interface Gate {
  readonly reason: VerdictReason;
  readonly passes: (question: Question) => string;
  readonly fails: (question: Question) => string;
}

/**
 * An id or a role as it is shown. Plain JavaScript may pass anything, and none of it may look like a line of its own.
 */
const said = (id: unknown): string => onOneLine(String(id));

/** The checks before any role is considered, in the order in which `authorize` makes them. */
const GATES: readonly Gate[] = [
  {
    reason: "unknown_permission",
    passes: ({ policy, permission }) =>
      `${permission} is a permission of kind ${policy.spec.permissions[permission]}.`,
    fails: ({ permission }) => `The policy has no permission ${JSON.stringify(permission)}.`,
  },
  {
    reason: "invalid_resource",
    passes: () => "The resource has every id that it takes.",
    fails: ({ policy, permission }) =>
      `A resource of kind ${policy.spec.permissions[permission]} needs ${NEEDED[policy.spec.permissions[permission] ?? "org"]}; one is missing.`,
  },
  {
    reason: "other_org",
    // Who is not there has no org either. The next check denies them.
    passes: ({ principal, resource }) =>
      isSomebody(principal) ? `The resource is in ${said(resource.orgId)}, the org of the principal.` : "",
    fails: ({ principal, resource }) =>
      `The resource is in ${said(resource.orgId)}, the principal in ${said(principal.orgId)}; nothing crosses an org.`,
  },
  {
    reason: "not_in_org",
    passes: ({ principal }) =>
      `${said(principal.userId)} has the role ${said(principal.orgRole)} in the org.`,
    fails: ({ principal }) =>
      isSomebody(principal)
        ? `${said(principal.userId)} has no role in the org, so no other role counts.`
        : "There is no principal.",
  },
  {
    reason: "key_confined",
    passes: ({ principal }) =>
      principal.via === undefined
        ? ""
        : `The key ${said(principal.via.keyId)} is of the project that is asked about.`,
    fails: ({ principal }) =>
      `The key ${said(principal.via?.keyId)} is confined to the project ${said(principal.via?.projectId)}.`,
  },
];

const NEEDED = {
  org: "an orgId",
  project: "an orgId and a projectId",
  owned: "an orgId, a projectId and a userId",
};

function roleLines({ policy, principal, permission, resource, conditions }: Question): string[] {
  const { orgRoles, projectRoles, permissions } = policy.spec;
  const { orgRole = "" } = principal;
  const { projectId } = resource;
  const inProject =
    permissions[permission] === "org" || projectId === undefined
      ? undefined
      : projectRoleOf(principal, projectId);
  const line = (roles: typeof orgRoles, scope: string, role: string): string => {
    const grants = Object.hasOwn(roles, role) ? roles[role] : undefined;
    if (grants === undefined) return `The ${scope} role ${said(role)} is none of the policy's.`;
    const { reach, when, within } = grantOf(grants, permission);
    const whose =
      reach === "own" || within === "own"
        ? ` It is ${resource.userId === principal.userId ? "" : "not "}their own.`
        : "";
    if (when === undefined) return `The ${scope} role ${said(role)} grants ${reach}.${whose}`;
    const holding = holds(conditions, when) ? "it holds" : "it does not hold";
    return `The ${scope} role ${said(role)} grants ${within} when ${when}, else ${reach}; ${holding}.${whose}`;
  };
  return [
    line(orgRoles, "org", orgRole),
    // With an unknown org role, no project role counts.
    ...(permissions[permission] === "org" || !Object.hasOwn(orgRoles, orgRole)
      ? []
      : inProject === undefined
        ? [`${said(principal.userId)} has no role in the project ${said(projectId)}.`]
        : [line(projectRoles, "project", inProject)]),
  ];
}

function capLines(verdict: Verdict): string[] {
  if (verdict.allowed) return ["No cap forbids it."];
  if (verdict.reason !== "capped") return [];
  const lifted =
    verdict.needs === undefined ? "" : `, and ${verdict.needs}, which would lift it, does not hold`;
  return [`The cap ${verdict.by?.slice("cap:".length)} forbids it here${lifted}.`];
}
