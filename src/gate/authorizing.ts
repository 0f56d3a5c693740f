import { z } from "zod";
import { parse } from "../model/validation.js";
import type { Conditions } from "../policy/condition.js";
import { isId, type Principal, type Resource } from "../policy/principal.js";
import type { Verdict } from "../policy/verdict.js";
import { conditionsSchema } from "./control/actor.js";
import { principalSchema } from "./directory.js";
import type { Engine } from "./engine.js";

const whoSchema = z.looseObject({ userId: z.string() });
// Ids that are missing deny; only what has no fields at all cannot be asked about.
const resourceSchema = z.looseObject({});

/** May this person do this? */
export async function authorize(
  engine: Engine,
  who: { readonly userId: string } | Principal,
  permission: string,
  resource: Resource,
  conditions: Conditions | undefined,
): Promise<Verdict> {
  parse(whoSchema, who, "who");
  parse(resourceSchema, resource, "resource");
  parse(conditionsSchema, conditions, "conditions");
  const principal = await principalOf(engine, who, resource.orgId);
  // Sound: a gate takes the permissions of its policy, whatever that adds to the standard one; any other is denied.
  return engine.settings.policy.authorize(principal, permission as "org.view", resource, conditions);
}

/** A person named by id as they are now; somebody who is not in the org has no role in it. */
async function principalOf(
  { directory }: Engine,
  who: { readonly userId: string } | Principal,
  orgId: string,
): Promise<Principal> {
  if ("orgId" in who) {
    parse(principalSchema, who, "who");
    return who;
  }
  const { userId } = who;
  const found = isId(orgId) ? await directory.principal(userId, orgId) : undefined;
  return found ?? { userId, orgId, projectRoles: {} };
}
