import type { Contender } from "../contender.js";
import { askedFrom, type Person, people, QUESTIONS, questions } from "./questions.js";

/** What somebody would write by hand for just these rules: a map of projects to bits. No reasons, no keys, no policy. */
export function contender(parameter: string): Contender {
  const asked = askedFrom(parameter);
  const masks = new Map(people.map((person) => [person, masksOf(person)]));
  const all = questions(asked).map(({ person, permission, resource }) => {
    const { userId, orgId } = person.principal;
    return { masks: masks.get(person) ?? new Map<string, number>(), userId, orgId, permission, resource };
  });
  type Asked = (typeof all)[number];
  return {
    answer: asked === "allow" ? "yes" : "no",
    batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        const { masks, userId, orgId, permission, resource } = all[i & (QUESTIONS - 1)] as Asked; // sound: masked
        if (resource.orgId !== orgId || resource.projectId === undefined) continue;
        const bit = BITS.get(permission);
        const mask = masks.get(resource.projectId);
        if (bit === undefined || mask === undefined) continue;
        if (mask & bit || (mask & (bit << OWN) && resource.userId === userId)) yes++;
      }
      return yes;
    },
  };
}

const MEMBER = ["project.view"];
const OWN_KEYS = [
  "key.create",
  "key.view",
  "key.update",
  "key.disable",
  "key.rotate",
  "key.revoke",
  "usage.view",
];
const ADMIN = [
  ...MEMBER,
  ...OWN_KEYS,
  "project.update",
  "projectMember.view",
  "projectMember.add",
  "projectMember.remove",
  "projectMember.setRole",
  "projectMember.setLimits",
];

const BITS = new Map(ADMIN.map((permission, i) => [permission, 1 << i]));

/** How far the bits of what is one's own stand to the left. */
const OWN = ADMIN.length;

function masksOf({ adminOf, memberOf }: Person): Map<string, number> {
  const admin = maskOf(ADMIN);
  const member = maskOf(MEMBER) | (maskOf(OWN_KEYS) << OWN);
  return new Map([
    ...adminOf.map((id) => [id, admin] as const),
    ...memberOf.map((id) => [id, member] as const),
  ]);
}

function maskOf(permissions: readonly string[]): number {
  return permissions.reduce((mask, permission) => mask | (BITS.get(permission) ?? 0), 0);
}
