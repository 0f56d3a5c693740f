import * as z from "zod";
import { type KeyRefusalReason, MESSAGES } from "../admission/reasons.js";
import { parse } from "../model/validation.js";
import type { Principal } from "../policy/principal.js";
import { tokenEnded } from "./chain/key-resolver.js";
import type { Engine } from "./engine.js";

/** Who a token stands for, or why it stands for nobody. Where it does not, nothing of the org behind it is told. */
export type Authentication =
  | {
      readonly authenticated: true;
      readonly keyId: string;
      readonly orgId: string;
      readonly projectId: string;
      readonly userId: string;
      /** The holder as they are now, acting through the key: confined to its project. */
      readonly principal: Principal;
      /** Epoch milliseconds at which the key ends, by itself or with its holder's membership; absent where it does not. */
      readonly expiresAt?: number;
    }
  | { readonly authenticated: false; readonly reason: KeyRefusalReason; readonly message: string };

// An id is no secret, so it proves nothing.
const tokenSchema = z.string({ error: "a token" });

/** Whom a token stands for now. */
export async function authenticate(engine: Engine, token: string): Promise<Authentication> {
  const now = engine.settings.clock.now();
  parse(tokenSchema, token, "token");
  const found = await engine.keys.find(token, now);
  if (found === undefined || tokenEnded(found, now)) return failed("invalid_key");
  const reason = found.refusalAt(now);
  if (reason !== undefined) return failed(reason);
  const { keyId, orgId, projectId, userId, endsAt } = found;
  const holder = await engine.directory.principal(userId, orgId);
  if (holder === undefined) return failed("holder_removed");
  return {
    authenticated: true,
    keyId,
    orgId,
    projectId,
    userId,
    principal: { ...holder, via: { keyId, projectId } },
    ...(endsAt !== undefined && { expiresAt: endsAt }),
  };
}

function failed(reason: KeyRefusalReason): Authentication {
  return { authenticated: false, reason, message: MESSAGES[reason] };
}
