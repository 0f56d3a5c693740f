import * as z from "zod";
import { keyRefusal } from "../../admission/key-checks.js";
import type { MESSAGES } from "../../admission/reasons.js";
import type { KeyChain } from "../../model/chain.js";
import { PermissionError } from "../../model/errors.js";
import { idSchema } from "../../model/text.js";
import { recordOf } from "../../model/validation.js";
import type { Conditions } from "../../policy/condition.js";
import type { ResourceOf } from "../../policy/permission.js";
import type { Principal, Resource } from "../../policy/principal.js";
import type { StandardPermission, StandardPolicy } from "../../policy/standard.js";
import type { Verdict } from "../../policy/verdict.js";
import type { Storage } from "../../storage/storage.js";
import { hashToken } from "../chain/token.js";
import type { Engine } from "../engine.js";

/** Who acts, and which of the policy's conditions hold for it: a user, or a token acting for its holder. */
export type Actor =
  | { readonly userId: string; readonly conditions?: Conditions | undefined }
  | { readonly token: string; readonly conditions?: Conditions | undefined };

/** The conditions that hold, as a caller passes them. Nothing passed means that none holds. */
export const conditionsSchema = recordOf(z.string(), z.boolean().optional()).optional();

/** Whether exactly one of the two fields is given. Checked first, so that the error names both. */
function isSomebody(actor: unknown): boolean {
  return Object.hasOwn(Object(actor), "userId") !== Object.hasOwn(Object(actor), "token");
}

export const actorSchema = z
  .unknown()
  .refine(isSomebody, { error: "an object with userId, or with token" })
  .pipe(
    z.union([
      z.strictObject({ userId: idSchema, conditions: conditionsSchema }),
      z.strictObject({ token: z.string({ error: "a token, as text" }), conditions: conditionsSchema }),
    ]),
  );

/** Somebody whose permissions are checked. */
export interface Asking {
  readonly principal: Principal;
  /**
   * The user who received the token, if that is not the holder. Through it they may do only what both may. Otherwise,
   * promoting the holder would also promote whoever made the token for them. A permission of reach `own` does not make
   * the holder's things theirs.
   */
  readonly issuer?: Principal;
  /** The policy's conditions that hold. */
  readonly conditions?: Conditions;
}

/** Somebody who acts in an org, as they are now. */
export interface Acting extends Asking {
  /** Who receives a token issued to the actor: the user, or whoever received the token they act with. */
  readonly handedTo: string;
  /** The chain of the key that acts for them. */
  readonly chain?: KeyChain;
}

/**
 * Finds out who acts. Nothing is taken from the cache: a write is decided by what is stored now.
 *
 * @throws PermissionError if a token does not work
 */
export async function resolveActor(
  engine: Engine,
  storage: Storage,
  actor: Actor,
  orgId: string,
  asked: string,
): Promise<Acting> {
  const { directory } = engine;
  const personIn = async (userId: string, orgId: string): Promise<Principal> =>
    (await directory.principal(userId, orgId)) ?? { userId, orgId, projectRoles: {} };
  const situation = actor.conditions === undefined ? {} : { conditions: actor.conditions };
  if ("userId" in actor)
    return { principal: await personIn(actor.userId, orgId), handedTo: actor.userId, ...situation };

  const { chain, isPrevious } = await chainOf(engine, actor.token, asked);
  const { userId } = chain.holder;
  const via = { keyId: chain.key.id, projectId: chain.project.id };
  // In another org, a key stands for its holder, and whatever it asks there is denied as `other_org`.
  const home = await directory.principal(userId, chain.org.id);
  if (home === undefined) throw refused(asked, "holder_removed");
  const record = await storage.get("key", chain.key.id);
  const hash = hashToken(actor.token);
  // The hash is neither of the two: the key was rotated between the look-ups, so check again whether the token works.
  if (record && record.hash !== hash && record.previousHash !== hash) {
    await chainOf(engine, actor.token, asked);
  }
  const isBefore = record?.hash !== hash && (record?.previousHash === hash || isPrevious);
  const handedTo = (isBefore ? record?.previousIssuedTo : record?.issuedTo) ?? userId;
  const acting: Acting = { principal: { ...home, via }, handedTo, chain, ...situation };
  if (handedTo === userId) return acting;
  return { ...acting, issuer: { ...(await personIn(handedTo, chain.org.id)), via } };
}

/**
 * The chain of a token that works now.
 *
 * @throws PermissionError if the token does not work
 */
export async function chainOf(
  { directory, keys, settings }: Engine,
  token: string,
  asked: string,
): Promise<{ readonly chain: KeyChain; readonly isPrevious: boolean }> {
  const hash = hashToken(token);
  const chain = keys.mayBeToken(token) ? await directory.key({ hash }) : undefined;
  const now = settings.clock.now();
  const previous = chain?.key.previousToken?.hash === hash ? chain.key.previousToken : undefined;
  if (chain === undefined || (previous && now >= previous.expiresAt)) throw refused(asked, "invalid_key");
  const reason = keyRefusal(chain, now);
  if (reason !== undefined) throw refused(asked, reason);
  return { chain, isPrevious: previous !== undefined };
}

function refused(asked: string, reason: keyof typeof MESSAGES): PermissionError {
  return new PermissionError(asked, reason);
}

/** Whether somebody may do something, for permissions and resources known only at run time. */
export function verdictOf(
  policy: StandardPolicy,
  { principal, issuer, conditions }: Asking,
  permission: string,
  resource: Resource,
): Verdict {
  // Sound: `authorize` accepts any text and any resource, and denies what it does not know.
  const ask = (who: Principal) =>
    policy.authorize(who, permission as StandardPermission, resource as ResourceOf<"owned">, conditions);
  const verdict = ask(principal);
  return verdict.allowed && issuer ? ask(issuer) : verdict;
}
