import { controlSchemas } from "tollgate";
import { expect, test } from "vitest";
import { GRANT_FIELDS } from "../../../src/gate/control/ceiling.js";
import { projectGrantSchema } from "../../../src/model/record-schemas.js";

/** What an input says that gives nobody anything, or that another rule than the ceiling keeps within what the actor has. */
const OTHERS: Readonly<Record<string, string>> = {
  orgId: "where",
  projectId: "where",
  id: "what a new record is called",
  keyId: "which key",
  version: "guards the write",
  name: "for people",
  tags: "for people",
  userId: "whose: a holder's reach is compared with the actor's",
  role: "its reach is compared with the actor's",
  status: "whether calls pass at all: what the project gives stays as it was given",
  projects: "where: each is a row of its own below",
  membershipExpiresAt: "the `expiresAt` of the memberships that it makes",
  email: "for people",
};

const { keys, projects, projectMembers, invitations } = controlSchemas;

test.each([
  ["keys.create", keys.create],
  ["keys.update", keys.update],
  ["projects.create", projects.create],
  ["projects.update", projects.update],
  ["projectMembers.add", projectMembers.add],
  ["projectMembers.setRole", projectMembers.setRole],
  ["projectMembers.setLimits", projectMembers.setLimits],
  ["projectMembers.setExpiry", projectMembers.setExpiry],
  ["invitations.create", invitations.create],
  ["a project of an invitation", projectGrantSchema],
])("whatever %s can give is held against the ceiling", (_, { shape }) => {
  const known: readonly string[] = [...GRANT_FIELDS, ...Object.keys(OTHERS)];
  expect(Object.keys(shape).filter((field) => !known.includes(field))).toEqual([]);
});
