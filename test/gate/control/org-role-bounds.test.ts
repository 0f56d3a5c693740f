import { beforeEach, describe, expect, it } from "vitest";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import { LimitError } from "../../../src/model/errors.js";
import { standardPolicy } from "../../../src/policy/index.js";
import { ORG, START, WEB } from "./web.js";

const LIMITS = { rpm: 2 };
const END = START + 1_000;

const ownKeys = {
  "project.view": "all",
  "key.create": "own",
  "key.view": "own",
  "key.update": "own",
  "key.disable": "own",
  "key.rotate": "own",
  "key.revoke": "own",
  "usage.view": "own",
} as const;
const members = {
  ...ownKeys,
  "projectMember.view": "all",
  "projectMember.add": "all",
  "projectMember.remove": "all",
} as const;
const people = {
  ...members,
  "orgMember.view": "all",
  "orgMember.add": "all",
  "orgMember.setRole": "all",
  "invitation.create": "all",
} as const;

/** What somebody can give in projects, or undo for somebody else. */
const GIVING = [
  "projectMember.add",
  "projectMember.remove",
  "projectMember.setRole",
  "projectMember.setLimits",
  "key.create",
  "key.update",
  "key.disable",
  "key.rotate",
] as const;

const policy = standardPolicy.extend({
  orgRoles: {
    people,
    helpers: members,
    viewers: ownKeys,
    boss: standardPolicy.spec.orgRoles.owner,
    ...Object.fromEntries(GIVING.map((permission) => [permission, { [permission]: "all" }])),
  },
  projectRoles: { runner: members },
});

describe("somebody whose org role reaches into projects and whose membership has limits or an end", () => {
  let gate: Gate;
  const as = (userId: string) => gate.as({ userId });
  const join = (userId: string, role: string, bounds: object) =>
    as("olga").projectMembers.add({ ...WEB, userId, role, ...bounds });

  beforeEach(async () => {
    gate = createGate({ policy, clock: { now: () => START } });
    await as("olga").orgs.create({ id: "acme", name: "Acme" });
    await as("olga").projects.create({ ...ORG, id: "web", name: "Web" });
    const roles = { pia: "people", vic: "viewers", bob: "member", eva: "member" };
    for (const [userId, role] of Object.entries(roles))
      await as("olga").orgMembers.add({ ...ORG, userId, role });
  });

  describe.each([
    ["limits", { limits: LIMITS }, /limits\.rpm: at most 2/],
    ["an end", { expiresAt: END }, /expiresAt: at most/],
  ])("%s", (_, bounds, said) => {
    beforeEach(() => join("pia", "member", bounds));

    it("does not get rid of it by leaving the project, neither themselves nor through a key", async () => {
      const { token } = await as("pia").keys.create({ ...WEB, ...bounds });
      for (const who of [{ userId: "pia" }, { token }])
        await expect(gate.as(who).projectMembers.remove({ ...WEB, userId: "pia" })).rejects.toThrow(said);
      await as("olga").projectMembers.remove({ ...WEB, userId: "pia" });
    });

    it("nor by somebody who is under the same", async () => {
      await as("pia").projectMembers.add({ ...WEB, userId: "bob", role: "runner", ...bounds });
      await expect(as("bob").projectMembers.remove({ ...WEB, userId: "pia" })).rejects.toThrow(said);
    });

    it("nor by giving somebody an org role who is not under it", async () => {
      const { orgMembers, invitations } = as("pia");
      for (const role of ["people", "helpers"]) {
        const refused = [
          orgMembers.add({ ...ORG, userId: "new", role }),
          orgMembers.setRole({ ...ORG, userId: "bob", role }),
          invitations.create({ ...ORG, role }),
          invitations.create({ ...ORG, role, userId: "new" }),
        ];
        for (const write of refused) await expect(write).rejects.toThrow(/^role: in project "web", /);
        for (const write of refused) await expect(write).rejects.toThrow(said);
      }
    });

    it("but may give one that gives nothing in projects, or no more than before, or to somebody under the same", async () => {
      const { orgMembers, invitations, projectMembers } = as("pia");
      await orgMembers.add({ ...ORG, userId: "new", role: "viewers" });
      await invitations.create({ ...ORG, role: "viewers" });
      await as("olga").orgMembers.setRole({ ...ORG, userId: "eva", role: "people" });
      await orgMembers.setRole({ ...ORG, userId: "eva", role: "helpers" });
      await projectMembers.add({ ...WEB, userId: "bob", role: "member", ...bounds });
      await orgMembers.setRole({ ...ORG, userId: "bob", role: "people" });
    });

    it.each(GIVING)("nor does anybody else whose org role has %s", async (role) => {
      await join("bob", "admin", bounds);
      await as("olga").orgMembers.add({ ...ORG, userId: "new", role });
      await join("new", "member", bounds);
      await expect(as("bob").projectMembers.remove({ ...WEB, userId: "new" })).rejects.toThrow(said);
    });

    it("but may remove whoever has no bounds, or gives nothing by their org role", async () => {
      await join("vic", "member", bounds);
      await as("olga").orgMembers.setRole({ ...ORG, userId: "eva", role: "helpers" });
      await join("eva", "member", {});
      for (const userId of ["vic", "eva"]) await as("pia").projectMembers.remove({ ...WEB, userId });
    });
  });

  it("gives nothing more by an invitation from before", async () => {
    const { token } = await as("pia").invitations.create({ ...ORG, role: "people" });
    await join("pia", "member", { limits: LIMITS });
    await expect(as("new").invitations.accept({ token })).rejects.toThrow(/^role: in project "web", /);
  });

  it("does not become an owner, or make one, whom no membership bounds", async () => {
    await as("olga").orgMembers.setRole({ ...ORG, userId: "bob", role: "boss" });
    await as("bob").orgMembers.setRole({ ...ORG, userId: "eva", role: "owner" });
    await join("bob", "admin", { limits: LIMITS });
    for (const userId of ["bob", "vic"])
      await expect(as("bob").orgMembers.setRole({ ...ORG, userId, role: "owner" })).rejects.toThrow(
        LimitError,
      );
    await as("bob").orgMembers.setRole({ ...ORG, userId: "eva", role: "owner" });
  });

  it("owns the org: then a key may lift their limits only as far as it has more itself, and their end is none", async () => {
    const { token } = await as("olga").keys.create({ ...WEB, limits: { rpm: 5 }, expiresAt: END });
    const through = gate.as({ token }).projectMembers;
    await join("olga", "member", { limits: LIMITS, expiresAt: END + 1 });
    await expect(through.remove({ ...WEB, userId: "olga" })).rejects.toThrow(/^limits\.rpm: at most 5/);
    await as("olga").projectMembers.setLimits({ ...WEB, userId: "olga", limits: null });
    await through.remove({ ...WEB, userId: "olga" });
  });
});
