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

/** Who acts, a person or a key for its holder, and which of the policy's conditions hold for what they do now. */
export type Actor =
  | { readonly userId: string; readonly conditions?: Conditions | undefined }
  | { readonly token: string; readonly conditions?: Conditions | undefined };

/** Which conditions hold, as a caller says it; nothing said is nothing that holds. */
export const conditionsSchema = recordOf(z.string(), z.boolean().optional()).optional();

/** Whether exactly one of the two fields is there. Asked first, so that the error names both fields and not one of them. */
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

/** Somebody whose permissions are asked about. */
export interface Asking {
  readonly principal: Principal;
  /**
   * Whom the token was handed to, where that is not the holder. Through it they may do what both of them may: when the holder is
   * promoted later, whoever made the token for them is not. A permission of reach `own` does not make the holder's things theirs.
   */
  readonly issuer?: Principal;
  /** Which of the policy's conditions hold. */
  readonly conditions?: Conditions;
}

/** Somebody who acts in an org, as they are now. */
export interface Acting extends Asking {
  /** Who gets a token that is issued to them: the user, or whoever the token that they act with was handed to. */
  readonly handedTo: string;
  /** The chain of the key that acts for them. */
  readonly chain?: KeyChain;
}

/**
 * Finds who acts. Nothing is taken from the cache: what decides about a write is as it is stored.
 *
 * @throws PermissionError where a token stands for nobody
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
  // A key of another org stands for its holder there: whatever is asked of this one is denied as `other_org`.
  const home = await directory.principal(userId, chain.org.id);
  if (home === undefined) throw refused(asked, "holder_removed");
  const record = await storage.get("key", chain.key.id);
  const hash = hashToken(actor.token);
  // Neither of the two hashes: the key was rotated between the two look-ups, so whether the token still works is asked again.
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
 * @throws PermissionError where it does not
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

/** Whether somebody may do something, for permissions and resources that are only known at run time. */
export function verdictOf(
  policy: StandardPolicy,
  { principal, issuer, conditions }: Asking,
  permission: string,
  resource: Resource,
): Verdict {
  // Sound: `authorize` answers any text and any resource, with a denial where it does not know them.
  const ask = (who: Principal) =>
    policy.authorize(who, permission as StandardPermission, resource as ResourceOf<"owned">, conditions);
  const verdict = ask(principal);
  return verdict.allowed && issuer ? ask(issuer) : verdict;
}
