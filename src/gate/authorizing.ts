import * as z from "zod";
import { parse } from "../model/validation.js";
import type { Conditions } from "../policy/condition.js";
import { isId, type Principal, type Resource } from "../policy/principal.js";
import type { Verdict } from "../policy/verdict.js";
import { principalSchema } from "./chain/directory.js";
import { conditionsSchema } from "./control/actor.js";
import type { Engine } from "./engine.js";

const whoSchema = z.looseObject({ userId: z.string() });
// A resource without some id is denied. Only something without fields cannot be asked about.
const resourceSchema = z.looseObject({});

/**
 * Decides whether somebody may do something. Arguments are read at once, since the caller may change its objects while
 * the person is looked up.
 */
export async function authorize(
  engine: Engine,
  who: { readonly userId: string } | Principal,
  permission: string,
  resource: Resource,
  conditions: Conditions | undefined,
): Promise<Verdict> {
  parse(whoSchema, who, "who");
  parse(resourceSchema, resource, "resource");
  const held = parse(conditionsSchema, conditions, "conditions");
  const { orgId, projectId, userId } = resource;
  const principal = "orgId" in who ? given(who) : await found(engine, who.userId, orgId);
  const asked = { orgId, projectId, userId };
  // Sound: a gate takes the permissions of its policy, including those beyond the standard one, and any other is
  // denied.
  return engine.settings.policy.authorize(principal, permission as "org.view", asked, held);
}

/** A principal passed in by the caller. Nothing is waited for. */
function given(who: Principal): Principal {
  parse(principalSchema, who, "who");
  return who;
}

/** A person named by id, as they are now. Somebody who is not in the org has no role in it. */
async function found({ directory }: Engine, userId: string, orgId: string): Promise<Principal> {
  const known = isId(orgId) ? await directory.principal(userId, orgId) : undefined;
  return known ?? { userId, orgId, projectRoles: {} };
}
