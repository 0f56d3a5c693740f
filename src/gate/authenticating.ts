import * as z from "zod";
import { type KeyRefusalReason, MESSAGES } from "../admission/reasons.js";
import { parse } from "../model/validation.js";
import type { Principal } from "../policy/principal.js";
import { tokenEnded } from "./chain/key-resolver.js";
import type { Engine } from "./engine.js";

/** The holder of a token, or why there is none. A failed authentication says nothing about the org behind the token. */
export type Authentication =
  | {
      readonly authenticated: true;
      readonly keyId: string;
      readonly orgId: string;
      readonly projectId: string;
      readonly userId: string;
      /** The holder as they are now, acting through the key and so confined to its project. */
      readonly principal: Principal;
      /**
       * When the key expires or its holder's membership ends, whichever is first, in epoch milliseconds. Absent if
       * neither does.
       */
      readonly expiresAt?: number;
    }
  | { readonly authenticated: false; readonly reason: KeyRefusalReason; readonly message: string };

// Only text: an id is no secret, so it proves nothing.
const tokenSchema = z.string({ error: "a token" });

/** Finds out whom a token stands for now. */
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
