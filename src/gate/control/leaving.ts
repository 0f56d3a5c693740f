import { LastOwnerError } from "../../model/errors.js";
import { OWNER, type Records } from "../../model/records.js";
import type { Draft } from "./draft.js";
import { keyContext } from "./views.js";

/** @throws LastOwnerError if nobody else owns the org */
export async function requireOtherOwner(draft: Draft, userId: string): Promise<void> {
  const owners = await draft.find("orgMember", { role: OWNER });
  if (owners.every((owner) => owner.userId === userId)) throw new LastOwnerError(draft.orgId);
}

/**
 * Revokes somebody's keys in projects that they leave. If they come back, those keys do not work again, since anybody
 * may have got hold of them meanwhile.
 *
 * @param of whose keys, and of which project if it is one
 */
export async function revokeKeysLeft(
  draft: Draft,
  of: { readonly userId: string; readonly projectId?: string },
  leaves: (key: Records["key"]) => boolean = () => true,
): Promise<void> {
  for (const key of await draft.find("key", of)) {
    if (key.status === "revoked" || !leaves(key)) continue;
    draft.replace("key", key, { status: "revoked", disabledBy: undefined, revokedWithHolder: true });
    draft.tell("keyRevoked", { at: draft.now, context: keyContext(key), because: "holder_removed" });
  }
}

/** Revokes the pending invitations for somebody who leaves the org, so that they cannot return by an older one. */
export async function revokeInvitationsFor(draft: Draft, userId: string): Promise<void> {
  for (const invitation of await draft.find("invitation", { status: "pending" })) {
    if (invitation.userId === userId) draft.replace("invitation", invitation, { status: "revoked" });
  }
}
