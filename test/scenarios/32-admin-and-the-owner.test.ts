import { createGate, type Gate, LimitError, PermissionError, standardPolicy } from "tollgate";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SharedRecords, sharedRecords } from "./shared-stores.js";

const web = { orgId: "acme", projectId: "web" };

describe.each(await sharedRecords())(
  "an admin changes no owner's role and becomes no owner (better-auth#1518), in %s",
  (_, make) => {
    let records: SharedRecords;
    let gate: Gate;
    const as = (userId: string) => gate.as({ userId });

    async function world(policy: typeof standardPolicy): Promise<void> {
      gate = createGate({ storage: records.connect(), policy });
      const olga = as("olga");
      await olga.orgs.create({ id: "acme", name: "Acme" });
      await olga.projects.create({ orgId: "acme", id: "web", name: "Web" });
      await olga.orgMembers.add({ orgId: "acme", userId: "ada", role: "member" });
      for (const userId of ["ada", "olga"]) await olga.projectMembers.add({ ...web, userId, role: "admin" });
    }

    const rolesAre = async (owners: string[]) =>
      expect(
        (await as("olga").orgMembers.list({ orgId: "acme", role: "owner" })).items.map(
          ({ userId }) => userId,
        ),
      ).toEqual(owners);

    beforeEach(async () => {
      records = await make();
    });
    afterEach(async () => {
      await gate.close();
      await records.remove();
    });

    it("not in the org", async () => {
      await world(standardPolicy);
      const { orgMembers } = as("ada");
      for (const userId of ["olga", "ada"]) {
        await expect(orgMembers.setRole({ orgId: "acme", userId, role: "owner" })).rejects.toThrow(
          PermissionError,
        );
        await expect(orgMembers.setRole({ orgId: "acme", userId, role: "member" })).rejects.toThrow(
          PermissionError,
        );
        await expect(orgMembers.remove({ orgId: "acme", userId })).rejects.toThrow(PermissionError);
      }
      await rolesAre(["olga"]);
    });

    it("not in the project: somebody with more is out of reach", async () => {
      await world(standardPolicy);
      const { projectMembers } = as("ada");
      const olga = { ...web, userId: "olga" };
      await expect(projectMembers.setRole({ ...olga, role: "member" })).rejects.toThrow(LimitError);
      await expect(projectMembers.remove(olga)).rejects.toThrow(LimitError);
      await expect(projectMembers.setLimits({ ...olga, limits: { rpm: 1 } })).rejects.toThrow(LimitError);
    });

    it("not through an invitation, a key of their own, or a key of the owner", async () => {
      await world(standardPolicy);
      await expect(as("ada").invitations.create({ orgId: "acme", role: "owner" })).rejects.toThrow(
        PermissionError,
      );
      await expect(as("ada").keys.create({ ...web, userId: "olga" })).rejects.toThrow(LimitError);
      const { token } = await as("ada").keys.create(web);
      const setRole = gate.as({ token }).orgMembers.setRole({ orgId: "acme", userId: "ada", role: "owner" });
      await expect(setRole).rejects.toThrow(PermissionError);
      const { token: owners } = await as("olga").keys.create(web);
      const byOwnersKey = gate
        .as({ token: owners })
        .orgMembers.setRole({ orgId: "acme", userId: "ada", role: "owner" });
      await expect(byOwnersKey).rejects.toThrow(PermissionError);
      await rolesAre(["olga"]);
    });

    it("not with a role of a policy of their own that manages members", async () => {
      const policy = standardPolicy.extend({
        orgRoles: {
          people: {
            "orgMember.add": "all",
            "orgMember.setRole": "all",
            "orgMember.remove": "all",
            "orgMember.view": "all",
          },
        },
      });
      // Sound: it has all that the standard policy has, and a role more.
      await world(policy as unknown as typeof standardPolicy);
      await as("olga").orgMembers.setRole({ orgId: "acme", userId: "ada", role: "people" });
      const { orgMembers } = as("ada");
      await expect(orgMembers.setRole({ orgId: "acme", userId: "ada", role: "owner" })).rejects.toThrow(
        LimitError,
      );
      await expect(orgMembers.setRole({ orgId: "acme", userId: "olga", role: "member" })).rejects.toThrow(
        LimitError,
      );
      await expect(orgMembers.remove({ orgId: "acme", userId: "olga" })).rejects.toThrow(LimitError);
      await expect(orgMembers.add({ orgId: "acme", userId: "mo", role: "owner" })).rejects.toThrow(
        LimitError,
      );
      await orgMembers.add({ orgId: "acme", userId: "mo", role: "people" });
      await orgMembers.remove({ orgId: "acme", userId: "mo" });
      await rolesAre(["olga"]);
    });
  },
);
