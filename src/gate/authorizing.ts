import { z } from "zod";
import { parse } from "../model/validation.js";
import type { Conditions } from "../policy/condition.js";
import type { ResourceOf } from "../policy/permission.js";
import { isId, type Principal } from "../policy/principal.js";
import type { StandardPermission, StandardPermissions } from "../policy/standard.js";
import type { Verdict } from "../policy/verdict.js";
import { conditionsSchema } from "./control/actor.js";
import { principalSchema } from "./directory.js";
import type { Engine } from "./engine.js";

const whoSchema = z.looseObject({ userId: z.string() });
// Ids that are missing deny; only what has no fields at all cannot be asked about.
const resourceSchema = z.looseObject({});

/** May this person do this? */
export async function authorize<K extends StandardPermission>(
  engine: Engine,
  who: { readonly userId: string } | Principal,
  permission: K,
  resource: ResourceOf<StandardPermissions[K]>,
  conditions: Conditions | undefined,
): Promise<Verdict> {
  parse(whoSchema, who, "who");
  parse(resourceSchema, resource, "resource");
  parse(conditionsSchema, conditions, "conditions");
  const principal = await principalOf(engine, who, resource.orgId);
  return engine.settings.policy.authorize(principal, permission, resource, conditions);
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
