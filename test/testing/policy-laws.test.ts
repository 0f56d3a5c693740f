import { describe, expect, it } from "vitest";
import { type Conditions, definePolicy, type Principal, type Resource } from "../../src/policy/index.js";
import { counterexamples, laws, prove } from "../../src/testing.js";

const policy = definePolicy({
  permissions: { "doc.read": "owned", "doc.print": "project", "org.audit": "org" },
  orgRoles: { base: {}, boss: { "org.audit": "all", "doc.read": "all" } },
  projectRoles: { editor: { "doc.read": "all", "doc.print": { reach: "all", when: "mfa" } } },
  conditions: { mfa: "a second factor" },
  baseOrgRole: "base",
});

interface Question {
  readonly who: Principal;
  readonly permission: string;
  readonly resource: Resource;
  readonly conditions: Conditions | undefined;
}

/** The policy with some of its answers changed. No policy that can be defined breaks a law. */
function broken(answer: (question: Question, allowed: boolean) => boolean): typeof policy {
  return {
    ...policy,
    authorize(who, permission, resource, conditions) {
      const { allowed } = policy.authorize(who, permission, resource, conditions);
      const question = { who, permission, resource, conditions };
      return answer(question, allowed)
        ? { allowed: true, by: "broken" }
        : { allowed: false, reason: "not_granted" };
    },
  };
}

/** The project about which the cells ask. */
const PROJECT = "project";

const isInProject = ({ resource }: Question) => resource.projectId !== undefined;
const isOwn = ({ who, resource }: Question) => resource.userId === who.userId;
const isElsewhere = ({ who, resource }: Question) => resource.orgId !== who.orgId;
const isOutsider = ({ who }: Question) => who.orgRole === undefined;
const hasRoleIn = ({ who, resource }: Question) => Object.hasOwn(who.projectRoles, resource.projectId ?? "");
const hasRoleBeside = ({ who, resource }: Question) =>
  Object.keys(who.projectRoles).some((projectId) => projectId !== resource.projectId);
const viaAnother = ({ who, resource }: Question) =>
  who.via !== undefined && who.via.projectId !== resource.projectId;

describe("a law finds that", () => {
  it.each<[law: keyof typeof laws, what: string, answer: (question: Question, allowed: boolean) => boolean]>([
    [
      "nothing crosses an org",
      "somebody of another org is allowed",
      (q, allowed) => allowed || isElsewhere(q),
    ],
    [
      "nobody outside the org may do anything",
      "somebody without an org role is allowed",
      (q, allowed) => allowed || isOutsider(q),
    ],
    [
      "a key never reaches more than its holder",
      "a key is allowed more",
      (q, allowed) => allowed || q.who.via?.projectId === q.resource.projectId,
    ],
    [
      "a key reaches nothing outside its project, and nothing about the org",
      "a key of another project is allowed",
      (q, allowed) => allowed || (viaAnother(q) && q.permission === "doc.read"),
    ],
    [
      "a key reaches nothing outside its project, and nothing about the org",
      "a key is allowed something about the org",
      (q, allowed) => allowed || (q.who.via?.projectId === PROJECT && q.permission === "org.audit"),
    ],
    [
      "losing a role never gains",
      "an org role takes something away",
      (q, allowed) => allowed || isOutsider(q),
    ],
    [
      "losing a role never gains",
      "a role in the project takes something away",
      (q, allowed) => allowed && !hasRoleIn(q),
    ],
    [
      "losing a role never gains",
      "a role in another project takes something away",
      (q, allowed) => allowed && !(hasRoleBeside(q) && isInProject(q)),
    ],
    [
      "a project role never reaches another project, nor the org",
      "a role in another project is enough",
      (q, allowed) => allowed || hasRoleBeside(q),
    ],
    [
      "whoever reaches what is somebody else's reaches what is their own",
      "only what is somebody else's is allowed",
      (q, allowed) => allowed && !isOwn(q),
    ],
    [
      "a condition that holds never takes anything away",
      "a condition takes something away",
      (q, allowed) => allowed && q.conditions?.mfa !== true,
    ],
  ])("%s, where %s", (law, _, answer) => {
    const claims = { [law]: laws[law] };
    expect(counterexamples(policy, claims)).toEqual([]);
    expect(counterexamples(broken(answer), claims)).toMatchObject([{ claim: law }]);
  });

  it("and a policy that keeps them all passes", () => {
    expect(prove(policy, laws).cells).toBeGreaterThan(500);
  });
});
