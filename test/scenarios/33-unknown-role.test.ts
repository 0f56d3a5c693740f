import { createGate, definePolicy, standardPolicy, ValidationError } from "tollgate";
import { describe, expect, it } from "vitest";

const web = { orgId: "acme", projectId: "web" };

describe("an unknown role is refused with its name instead of answering false in silence (better-auth#6081)", () => {
  it("when a policy is loaded that names one", () => {
    const written = JSON.stringify({ ...standardPolicy.spec, baseOrgRole: "employee" });
    const spec = JSON.parse(written); // in code the compiler refuses it
    expect(() => definePolicy(spec)).toThrow(ValidationError);
    expect(() => definePolicy(spec)).toThrow(/baseOrgRole/);
    const raise = { orgRoles: { employee: { "org.view": "all" } } } as object; // as from JSON
    expect(() => standardPolicy.extend({ raise })).toThrow(/raise.orgRoles.employee/);
  });

  it("when it is given to somebody", async () => {
    const olga = createGate().as({ userId: "olga" });
    await olga.orgs.create({ id: "acme", name: "Acme" });
    await olga.projects.create({ orgId: "acme", id: "web", name: "Web" });
    await olga.orgMembers.add({ orgId: "acme", userId: "max", role: "member" });
    await olga.projectMembers.add({ ...web, userId: "max", role: "member" });
    const role = "amdin";
    const writes = [
      olga.orgMembers.add({ orgId: "acme", userId: "mia", role }),
      olga.orgMembers.setRole({ orgId: "acme", userId: "max", role }),
      olga.projectMembers.add({ ...web, userId: "olga", role }),
      olga.projectMembers.setRole({ ...web, userId: "max", role }),
      olga.invitations.create({ orgId: "acme", role }),
      olga.invitations.create({ orgId: "acme", role: "member", projects: [{ projectId: "web", role }] }),
    ];
    for (const write of writes) await expect(write).rejects.toThrow(/role: one of (owner|admin), member/);
    // A role of the other kind is as unknown, and so is what every object inherits.
    await expect(olga.orgMembers.add({ orgId: "acme", userId: "mia", role: "admin" })).rejects.toThrow(
      ValidationError,
    );
    await expect(olga.orgMembers.add({ orgId: "acme", userId: "mia", role: "constructor" })).rejects.toThrow(
      ValidationError,
    );
  });

  it("when somebody has one that the policy no longer knows, the verdict says so", () => {
    const principal = { userId: "max", orgId: "acme", orgRole: "employee", projectRoles: {} };
    expect(standardPolicy.authorize(principal, "project.create", { orgId: "acme" })).toEqual({
      allowed: false,
      reason: "unknown_role",
    });
  });
});
