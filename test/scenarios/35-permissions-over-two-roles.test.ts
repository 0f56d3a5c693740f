import { createGate, definePolicy, type Principal, standardPolicy } from "tollgate";
import { describe, expect, it } from "vitest";

const policy = definePolicy({
  permissions: { "report.read": "project", "report.share": "project", "key.use": "owned" },
  orgRoles: { boss: {}, auditor: { "report.read": "all" } },
  projectRoles: { sharer: { "report.share": "all" }, user: { "key.use": "own" } },
  baseOrgRole: "boss",
});

const here = { orgId: "o1", projectId: "p1" };

function ada(orgRole: string, projectRole?: string): Principal {
  return {
    userId: "ada",
    orgId: "o1",
    orgRole,
    projectRoles: projectRole === undefined ? {} : { p1: projectRole },
  };
}

describe("permissions split over two roles (better-auth#3011)", () => {
  it("are all there for whoever holds both, each by the role that grants it", () => {
    const both = ada("auditor", "sharer");
    expect(policy.authorize(both, "report.read", here)).toEqual({
      allowed: true,
      by: "org:auditor/report.read",
    });
    expect(policy.authorize(both, "report.share", here)).toEqual({
      allowed: true,
      by: "project:sharer/report.share",
    });
  });

  it("are half there for whoever holds one", () => {
    expect(policy.authorize(ada("auditor"), "report.share", here).allowed).toBe(false);
    expect(policy.authorize(ada("boss", "sharer"), "report.read", here).allowed).toBe(false);
    expect(policy.authorize(ada("boss", "sharer"), "report.share", here).allowed).toBe(true);
  });

  it("are not lost in one project because of a lesser role in another", () => {
    const principal: Principal = { ...ada("auditor"), projectRoles: { p1: "sharer", p2: "user" } };
    expect(policy.authorize(principal, "report.share", here).allowed).toBe(true);
    expect(policy.authorize(principal, "report.share", { orgId: "o1", projectId: "p2" }).allowed).toBe(false);
  });

  it("of the standard policy add up through the gate: an org owner's with a project member's", async () => {
    const gate = createGate({
      policy: standardPolicy,
      directory: {
        key: async () => undefined,
        principal: async (userId, orgId) => ({
          userId,
          orgId,
          orgRole: userId === "olga" ? "owner" : "member",
          projectRoles: { p1: "member" },
        }),
      },
    });
    const key = { ...here, userId: "somebody" };
    const may = async (userId: string) => [
      (await gate.authorize({ userId }, "billing.manage", { orgId: "o1" })).allowed,
      (await gate.authorize({ userId }, "key.revoke", key)).allowed,
      (await gate.authorize({ userId }, "key.revoke", { ...here, userId })).allowed,
    ];
    expect(await may("olga")).toEqual([true, true, true]);
    expect(await may("mel")).toEqual([false, false, true]);
    await gate.close();
  });
});
