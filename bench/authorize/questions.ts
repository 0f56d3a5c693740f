import type { Principal, Resource, StandardPermission } from "tollgate";
import { draws, seeded } from "../random.js";

/** Which questions are asked: those whose answer is yes, or those whose answer is no. */
export type Asked = "allow" | "deny";

/** May this person do this? The same for every contender. */
export interface Question {
  readonly person: Person;
  readonly permission: StandardPermission;
  readonly resource: Resource;
}

/** A member of an org with a role in ten of its projects. */
export interface Person {
  readonly principal: Principal;
  readonly adminOf: readonly string[];
  readonly memberOf: readonly string[];
}

const ORG = "org_9f3b2c";
const PEOPLE = 8;
const ADMIN_OF = 4;
const PROJECTS = 10;

/** A power of two, so that a loop can go round with a mask. */
export const QUESTIONS = 1024;

export const people: readonly Person[] = Array.from({ length: PEOPLE }, (_, i) => {
  const projects = Array.from({ length: PROJECTS }, (_, j) => projectId(i * PROJECTS + j));
  const adminOf = projects.slice(0, ADMIN_OF);
  const memberOf = projects.slice(ADMIN_OF);
  const roles = projects.map((project) => [project, adminOf.includes(project) ? "admin" : "member"]);
  const principal = {
    userId: `user_${i}`,
    orgId: ORG,
    orgRole: "member",
    projectRoles: Object.fromEntries(roles),
  };
  return { principal, adminOf, memberOf };
});

/** {@link QUESTIONS} questions in random order, every kind and every project among them. */
export function questions(asked: Asked): readonly Question[] {
  const kinds = asked === "allow" ? allowed : denied;
  const order = draws(QUESTIONS, kinds.length, 1);
  const random = seeded(2);
  return Array.from(order, (kind) => {
    const person = pick(people, random());
    const project = (list: readonly string[]) => pick(list, random());
    const make = kinds[kind] as Kind; // sound: drawn below the length
    return { person, ...make(person, project) };
  });
}

export function askedFrom(parameter: string): Asked {
  if (parameter === "allow" || parameter === "deny") return parameter;
  throw new Error(`asked is allow or deny, not ${parameter}`);
}

type Kind = (person: Person, project: (list: readonly string[]) => string) => Omit<Question, "person">;

const allowed: readonly Kind[] = [
  (p, of) => ({ permission: "project.view", resource: { orgId: ORG, projectId: of(p.memberOf) } }),
  (p, of) => ({ permission: "project.view", resource: { orgId: ORG, projectId: of(p.adminOf) } }),
  (p, of) => ({ permission: "project.update", resource: { orgId: ORG, projectId: of(p.adminOf) } }),
  (p, of) => ({ permission: "projectMember.add", resource: { orgId: ORG, projectId: of(p.adminOf) } }),
  (p, of) => ({
    permission: "key.create",
    resource: { orgId: ORG, projectId: of(p.memberOf), userId: me(p) },
  }),
  (p, of) => ({
    permission: "key.revoke",
    resource: { orgId: ORG, projectId: of(p.memberOf), userId: me(p) },
  }),
  (p, of) => ({
    permission: "key.rotate",
    resource: { orgId: ORG, projectId: of(p.adminOf), userId: "user_other" },
  }),
  (p, of) => ({
    permission: "usage.view",
    resource: { orgId: ORG, projectId: of(p.adminOf), userId: me(p) },
  }),
];

const denied: readonly Kind[] = [
  (p, of) => ({ permission: "project.update", resource: { orgId: ORG, projectId: of(p.memberOf) } }),
  (p, of) => ({ permission: "projectMember.add", resource: { orgId: ORG, projectId: of(p.memberOf) } }),
  (p, of) => ({
    permission: "key.revoke",
    resource: { orgId: ORG, projectId: of(p.memberOf), userId: "user_other" },
  }),
  (p, of) => ({
    permission: "usage.view",
    resource: { orgId: ORG, projectId: of(p.memberOf), userId: "user_other" },
  }),
  (p, of) => ({ permission: "project.delete", resource: { orgId: ORG, projectId: of(p.adminOf) } }),
  (p) => ({ permission: "project.view", resource: { orgId: ORG, projectId: elsewhere(p) } }),
  (p) => ({ permission: "key.create", resource: { orgId: ORG, projectId: elsewhere(p), userId: me(p) } }),
  () => ({ permission: "project.create", resource: { orgId: ORG } }),
  () => ({ permission: "billing.manage", resource: { orgId: ORG } }),
  () => ({
    permission: "project.view",
    resource: { orgId: "org_other", projectId: "project_in_another_org" },
  }),
];

function me({ principal }: Person): string {
  return principal.userId;
}

/** A project of the org that somebody else is in. */
function elsewhere(person: Person): string {
  return projectId(((people.indexOf(person) + 1) % PEOPLE) * PROJECTS);
}

function projectId(number: number): string {
  return `project_${(number * 7919).toString(36)}`;
}

/** @param share 0 up to, not including, 1 */
function pick<T>(items: readonly T[], share: number): T {
  return items[Math.floor(share * items.length)] as T; // sound: a share below 1 of a list that is never empty
}
