import fc from "fast-check";
import { expect, it } from "vitest";
import {
  type Conditions,
  definePolicy,
  type Policy,
  type Principal,
  type Resource,
} from "../../src/policy/index.js";
import { anyPolicy, anyQuestion, principalOf, raisedPolicy } from "./arbitraries.js";
import { cells, resources, situations, unknownName } from "./domain.js";

interface Allowed {
  readonly permission: string;
  readonly resource: Resource;
  readonly conditions: Conditions;
  readonly by: string;
}

/** All that a policy allows a principal, always in the same order. */
function reachOf(policy: Policy, principal: Principal): Allowed[] {
  return Object.keys(policy.spec.permissions).flatMap((permission) =>
    resources().flatMap((resource) =>
      situations(policy.spec).flatMap((conditions) => {
        const verdict = policy.authorize(principal, permission, resource, conditions);
        return verdict.allowed ? [{ permission, resource, conditions, by: verdict.by }] : [];
      }),
    ),
  );
}

/** What was allowed, whichever rule granted it. */
function questions(allowed: readonly Allowed[]): string[] {
  return allowed.map(({ permission, resource, conditions }) =>
    JSON.stringify([permission, resource, conditions]),
  );
}

const anyPrincipal = anyPolicy.chain((policy) =>
  fc.record({ policy: fc.constant(policy), principal: principalOf(policy) }),
);
const anyProject = fc.constantFrom("here", "elsewhere");
const manyRuns = { numRuns: 500 };

it("nothing crosses an org", () => {
  fc.assert(
    fc.property(anyPrincipal, ({ policy, principal }) => {
      const orgs = reachOf(policy, principal).map(({ resource }) => resource.orgId);
      expect(orgs.filter((orgId) => orgId !== principal.orgId)).toEqual([]);
    }),
    manyRuns,
  );
});

it("losing a role never gains anything", () => {
  fc.assert(
    fc.property(anyPrincipal, anyProject, fc.boolean(), ({ policy, principal }, project, leavesOrg) => {
      const { orgRole, ...rest } = principal;
      const { [project]: _, ...others } = principal.projectRoles;
      const less: Principal = {
        ...rest,
        ...(leavesOrg || orgRole === undefined ? {} : { orgRole }),
        projectRoles: others,
      };
      const before = new Set(questions(reachOf(policy, principal)));
      expect(questions(reachOf(policy, less)).filter((question) => !before.has(question))).toEqual([]);
    }),
    manyRuns,
  );
});

it("adding a grant never removes anything", () => {
  fc.assert(
    fc.property(raisedPolicy, ({ before, after }) => {
      for (const { principal, permission, resource, conditions } of cells(before.spec)) {
        if (!before.authorize(principal, permission, resource, conditions).allowed) continue;
        const verdict = after.authorize(principal, permission, resource, conditions);
        if (!verdict.allowed)
          expect({ principal, permission, resource, conditions, verdict }).toBe("still allowed");
      }
    }),
    { numRuns: 40 },
  );
});

it("adding a cap never allows anything, and denies nothing but what it names", () => {
  fc.assert(
    fc.property(anyPrincipal, ({ policy, principal }) => {
      const [permission = ""] = Object.keys(policy.spec.permissions);
      const capped: Policy = policy.extend({ caps: { fresh: { at: "org", permissions: [permission] } } });
      const before = reachOf(policy, principal);
      const others = before.filter((one) => one.permission !== permission);
      expect(reachOf(capped, principal)).toEqual(others);
    }),
  );
});

it("a condition that holds never takes anything away", () => {
  fc.assert(
    fc.property(anyPolicy, (policy) => {
      for (const { principal, permission, resource, conditions } of cells(policy.spec)) {
        if (!policy.authorize(principal, permission, resource, conditions).allowed) continue;
        for (const name of Object.keys(policy.spec.conditions)) {
          const more = { ...conditions, [name]: true };
          const verdict = policy.authorize(principal, permission, resource, more);
          if (!verdict.allowed)
            expect({ principal, permission, resource, more, verdict }).toBe("still allowed");
        }
      }
    }),
    { numRuns: 40 },
  );
});

it("a condition that no policy has, or that is not simply true, is as if nothing had been said", () => {
  fc.assert(
    fc.property(anyQuestion, fc.constantFrom<unknown>(false, undefined, 1, "true", {}), (asked, value) => {
      const { policy, principal, permission, resource } = asked;
      const said: Record<string, never> = { [unknownName]: true as never }; // Sound: plain JavaScript may say it.
      for (const name of Object.keys(policy.spec.conditions)) said[name] = value as never; // As above.
      const verdict = policy.authorize(principal, permission, resource, said);
      expect(verdict).toEqual(policy.authorize(principal, permission, resource));
      expect(policy.authorize(principal, permission, resource, Object.create({ mfa: true }))).toEqual(
        verdict,
      );
    }),
    manyRuns,
  );
});

it("new permissions and roles never change what was decided before", () => {
  fc.assert(
    fc.property(anyPolicy, (policy) => {
      const extended: Policy = policy.extend({
        permissions: { fresh: "owned" },
        orgRoles: { freshOrgRole: { fresh: "all" } },
        projectRoles: { freshProjectRole: { fresh: "own" } },
      });
      for (const { principal, permission, resource, conditions } of cells(policy.spec)) {
        const before = JSON.stringify(policy.authorize(principal, permission, resource, conditions));
        const after = JSON.stringify(extended.authorize(principal, permission, resource, conditions));
        if (before !== after)
          expect({ principal, permission, resource, conditions, verdict: after }).toEqual(before);
      }
    }),
    { numRuns: 40 },
  );
});

it("a key reaches what its holder reaches in its project, never more, and no permission about the org", () => {
  fc.assert(
    fc.property(anyPrincipal, anyProject, ({ policy, principal }, projectId) => {
      const { via: _, ...holder } = principal;
      const inProject = reachOf(policy, holder).filter(
        ({ permission, resource }) =>
          resource.projectId === projectId && policy.spec.permissions[permission] !== "org",
      );
      expect(reachOf(policy, { ...holder, via: { keyId: "key", projectId } })).toEqual(inProject);
    }),
    manyRuns,
  );
});

it("a project role never reaches another project, nor any permission about the org", () => {
  fc.assert(
    fc.property(anyPrincipal, anyProject, ({ policy, principal }, project) => {
      const { [project]: _, ...others } = principal.projectRoles;
      const outside = (allowed: readonly Allowed[]) =>
        allowed.filter(
          ({ permission, resource }) =>
            resource.projectId !== project || policy.spec.permissions[permission] === "org",
        );
      const without = { ...principal, projectRoles: others };
      expect(outside(reachOf(policy, principal))).toEqual(outside(reachOf(policy, without)));
    }),
    manyRuns,
  );
});

it("a project role counts only while its holder is in the org", () => {
  fc.assert(
    fc.property(anyPrincipal, ({ policy, principal }) => {
      const { orgRole: _, ...gone } = principal;
      expect(reachOf(policy, gone)).toEqual([]);
      expect(reachOf(policy, { ...gone, orgRole: "not a role of any policy" })).toEqual([]);
    }),
    manyRuns,
  );
});

it("what is somebody else's is reached only by a rule that reaches all", () => {
  fc.assert(
    fc.property(anyPrincipal, ({ policy, principal }) => {
      const { orgRoles, projectRoles } = policy.spec;
      for (const { permission, resource, by } of reachOf(policy, principal)) {
        if (resource.userId === principal.userId) continue;
        const [, scope, role = ""] = /^(org|project):(.*)\//.exec(by) ?? [];
        const grant = (scope === "org" ? orgRoles : projectRoles)[role]?.[permission];
        const reach = typeof grant === "object" ? grant.reach : grant;
        expect({ permission, by, reach }).toMatchObject({ reach: "all" });
      }
    }),
    manyRuns,
  );
});

it("a policy made of another's spec, by way of JSON, decides the same", () => {
  fc.assert(
    fc.property(anyPrincipal, ({ policy, principal }) => {
      const again: Policy = definePolicy(JSON.parse(JSON.stringify(policy.spec)));
      expect(again.spec).toEqual(policy.spec);
      expect(reachOf(again, principal)).toEqual(reachOf(policy, principal));
    }),
  );
});
