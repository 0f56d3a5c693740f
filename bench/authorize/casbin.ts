import type { Contender } from "../contender.js";
import { casbin } from "../peers.js";
import { askedFrom, people, QUESTIONS, type Question, questions } from "./questions.js";

/** RBAC with domains, as Casbin's manual has it: a project is a domain, and a role grants the same in each. */
const MODEL = `
[request_definition]
r = sub, dom, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.obj == p.obj && r.act == p.act && g(r.sub, p.sub, r.dom)
`;

const KEY_ACTIONS = ["create", "view", "update", "disable", "rotate", "revoke"];

export async function contender(parameter: string): Promise<Contender> {
  const { newEnforcer, newModelFromString } = await casbin();
  const asked = askedFrom(parameter);
  const enforcer = await newEnforcer(newModelFromString(MODEL));
  await enforcer.addPolicies([
    ["admin", "project", "view"],
    ["admin", "project", "update"],
    ...["view", "add", "remove", "setRole", "setLimits"].map((action) => ["admin", "projectMember", action]),
    ...KEY_ACTIONS.flatMap((action) => [
      ["admin", "key", action],
      ["admin", "ownKey", action],
      ["member", "ownKey", action],
    ]),
    ["admin", "usage", "view"],
    ["admin", "ownUsage", "view"],
    ["member", "ownUsage", "view"],
    ["member", "project", "view"],
  ]);
  for (const { principal, adminOf, memberOf } of people) {
    await enforcer.addGroupingPolicies(adminOf.map((projectId) => [principal.userId, "admin", projectId]));
    await enforcer.addGroupingPolicies(memberOf.map((projectId) => [principal.userId, "member", projectId]));
  }
  const all = questions(asked).map(requestOf);
  return {
    answer: asked === "allow" ? "yes" : "no",
    batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        const { user, domain, object, action } = all[i & (QUESTIONS - 1)] as Request; // sound: masked
        if (enforcer.enforceSync(user, domain, object, action)) yes++;
      }
      return yes;
    },
  };
}

interface Request {
  readonly user: string;
  readonly domain: string;
  readonly object: string;
  readonly action: string;
}

/** What is one's own is an object of its own, which spares Casbin a condition. */
function requestOf({ person, permission, resource }: Question): Request {
  const [type = "", action = ""] = permission.split(".");
  const user = person.principal.userId;
  const own = resource.userId === user;
  const object = own ? `own${type.charAt(0).toUpperCase()}${type.slice(1)}` : type;
  return { user, domain: resource.projectId ?? resource.orgId, object, action };
}
