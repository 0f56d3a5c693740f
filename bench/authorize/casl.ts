import type { Contender } from "../contender.js";
import { type CaslRule, casl } from "../peers.js";
import { askedFrom, type Person, people, QUESTIONS, questions } from "./questions.js";

/**
 * CASL with conditions, as its guide shows it: one ability per person, rules with `$in` over the person's projects.
 *
 * Abilities and subjects are made beforehand. Project ids are unique over all orgs here, so the org need not be a
 * condition of its own.
 */
export async function contender(parameter: string): Promise<Contender> {
  const { createMongoAbility, subject } = await casl();
  const asked = askedFrom(parameter);
  const abilities = new Map(people.map((person) => [person, createMongoAbility(rulesOf(person))]));
  const all = questions(asked).map(({ person, permission, resource }) => {
    const [type = "", action = ""] = permission.split(".");
    const ability = abilities.get(person);
    if (ability === undefined) throw new Error("everybody has an ability");
    return { ability, action, subject: subject(type, { ...resource }) };
  });
  type Asked = (typeof all)[number];
  return {
    answer: asked === "allow" ? "yes" : "no",
    batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        const { ability, action, subject } = all[i & (QUESTIONS - 1)] as Asked; // sound: masked
        if (ability.can(action, subject)) yes++;
      }
      return yes;
    },
  };
}

const KEY_ACTIONS = ["create", "view", "update", "disable", "rotate", "revoke"];

function rulesOf({ principal, adminOf, memberOf }: Person): CaslRule[] {
  const asAdmin = { projectId: { $in: adminOf } };
  const own = { projectId: { $in: memberOf }, userId: principal.userId };
  return [
    { action: "view", subject: "project", conditions: { projectId: { $in: [...adminOf, ...memberOf] } } },
    { action: "update", subject: "project", conditions: asAdmin },
    {
      action: ["view", "add", "remove", "setRole", "setLimits"],
      subject: "projectMember",
      conditions: asAdmin,
    },
    { action: KEY_ACTIONS, subject: "key", conditions: asAdmin },
    { action: KEY_ACTIONS, subject: "key", conditions: own },
    { action: "view", subject: "usage", conditions: asAdmin },
    { action: "view", subject: "usage", conditions: own },
  ];
}
