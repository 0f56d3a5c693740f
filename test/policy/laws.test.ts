import fc from "fast-check";
import { expect, it } from "vitest";
import type { Policy, Principal, Resource } from "../../src/policy/index.js";
import { anyPolicy, anyQuestion, principalOf, raisedPolicy } from "./arbitraries.js";
import { cells, resources } from "./domain.js";

const manyRuns = { numRuns: 1000 };

/** Every question of a principal that a policy allows, always in the same order. */
function reachOf(policy: Policy, principal: Principal): { permission: string; resource: Resource }[] {
  const permissions = Object.keys(policy.spec.permissions);
  return permissions
    .flatMap((permission) => resources().map((resource) => ({ permission, resource })))
    .filter(({ permission, resource }) => policy.authorize(principal, permission, resource).allowed);
}

const anyPrincipal = anyPolicy.chain((policy) =>
  fc.record({ policy: fc.constant(policy), principal: principalOf(policy) }),
);

it("nothing crosses an org", () => {
  fc.assert(
    fc.property(anyQuestion, ({ policy, principal, permission, resource }) => {
      fc.pre(principal.orgId !== resource.orgId);
      expect(policy.authorize(principal, permission, resource).allowed).toBe(false);
    }),
    manyRuns,
  );
});

it("losing a role never gains anything", () => {
  fc.assert(
    fc.property(anyPrincipal, fc.array(fc.nat({ max: 3 })), fc.boolean(), ({ policy, principal }, lost, leavesOrg) => {
      const { orgRole, projectRoles, ...rest } = principal;
      const less: Principal = {
        ...rest,
        ...(leavesOrg || orgRole === undefined ? {} : { orgRole }),
        projectRoles: Object.fromEntries(
          Object.entries(projectRoles).filter((_, index) => !lost.includes(index)),
        ),
      };
      expect(reachOf(policy, principal)).toEqual(expect.arrayContaining(reachOf(policy, less)));
    }),
  );
});

it("adding a grant never removes anything", () => {
  fc.assert(
    fc.property(raisedPolicy, ({ before, after }) => {
      for (const { principal, permission, resource } of cells(before.spec)) {
        if (before.authorize(principal, permission, resource).allowed) {
          if (!after.authorize(principal, permission, resource).allowed) {
            expect({ principal, permission, resource }).toBe("still allowed");
          }
        }
      }
    }),
    { numRuns: 40 },
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
      for (const { principal, permission, resource } of cells(policy.spec)) {
        const before = JSON.stringify(policy.authorize(principal, permission, resource));
        const after = JSON.stringify(extended.authorize(principal, permission, resource));
        if (before !== after) expect({ principal, permission, resource, verdict: after }).toEqual(before);
      }
    }),
    { numRuns: 40 },
  );
});

it("a key reaches what its holder reaches in its project, never more, and no permission about the org", () => {
  fc.assert(
    fc.property(anyPrincipal, fc.constantFrom("here", "elsewhere"), ({ policy, principal }, projectId) => {
      const { via: _, ...holder } = principal;
      const inProject = reachOf(policy, holder).filter(
        ({ permission, resource }) =>
          resource.projectId === projectId && policy.spec.permissions[permission] !== "org",
      );
      expect(reachOf(policy, { ...holder, via: { keyId: "key", projectId } })).toEqual(inProject);
    }),
  );
});

it("a project role never reaches another project, nor any permission about the org", () => {
  fc.assert(
    fc.property(anyQuestion, ({ policy, principal, permission, resource }) => {
      const { [resource.projectId ?? ""]: _, ...elsewhere } = principal.projectRoles;
      const roles = policy.spec.permissions[permission] === "org" ? principal.projectRoles : elsewhere;
      const withRoles = policy.authorize({ ...principal, projectRoles: roles }, permission, resource);
      const without = policy.authorize({ ...principal, projectRoles: {} }, permission, resource);
      expect(withRoles).toEqual(without);
    }),
    manyRuns,
  );
});

it("a project role counts only while its holder is in the org", () => {
  fc.assert(
    fc.property(anyQuestion, ({ policy, principal, permission, resource }) => {
      const { orgRole: _, ...gone } = principal;
      expect(policy.authorize(gone, permission, resource).allowed).toBe(false);
      const strange = { ...principal, orgRole: "not a role of any policy" };
      expect(policy.authorize(strange, permission, resource).allowed).toBe(false);
    }),
    manyRuns,
  );
});

it("what is granted as one's own is never somebody else's", () => {
  fc.assert(
    fc.property(anyQuestion, ({ policy, principal, permission, resource }) => {
      const { orgRoles, projectRoles } = policy.spec;
      const reaches = [...Object.values(orgRoles), ...Object.values(projectRoles)].map((grants) =>
        Object.hasOwn(grants, permission) ? grants[permission] : "none",
      );
      fc.pre(!reaches.includes("all") && resource.userId !== principal.userId);
      expect(policy.authorize(principal, permission, resource).allowed).toBe(false);
    }),
    manyRuns,
  );
});

it("a policy made of its own spec, by way of JSON, decides the same", () => {
  fc.assert(
    fc.property(anyQuestion, ({ policy, principal, permission, resource }) => {
      const again: Policy = policy.extend(JSON.parse("{}"));
      expect(again.spec).toEqual(policy.spec);
      expect(again.authorize(principal, permission, resource)).toEqual(
        policy.authorize(principal, permission, resource),
      );
    }),
  );
});
