import type { KeyChain } from "../model/chain.js";
import type { KeyRefusalReason } from "./reasons.js";

/**
 * The first reason why no call of this key may pass at `now`, or `undefined`.
 *
 * INVARIANT: time only adds the reasons of an end that has passed, and `CompiledChain.endsAt` knows each of those ends.
 * A compiled chain asks once for a moment before all of them, and then not again until the first.
 */
export function keyRefusal(
  { key, org, project, holder }: KeyChain,
  now: number,
): KeyRefusalReason | undefined {
  if (key.status === "revoked") return "key_revoked";
  if (key.status === "disabled") return "key_disabled";
  if (key.expiresAt !== undefined && now >= key.expiresAt) return "key_expired";
  if (org.status === "suspended") return "org_inactive";
  if (project.status === "archived") return "project_inactive";
  if (!holder.active) return "holder_removed";
  if (holder.expiresAt !== undefined && now >= holder.expiresAt) return "holder_removed";
  return undefined;
}
