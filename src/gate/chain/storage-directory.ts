import type { KeyChain } from "../../model/chain.js";
import { membershipId, OWNER, type Records } from "../../model/records.js";
import type { Principal } from "../../policy/principal.js";
import type { Storage } from "../../storage/storage.js";
import type { Clock } from "../clock.js";
import type { Directory } from "./directory.js";

/** A part of a chain with every field named, so that none can be forgotten here: it would then restrict nobody. */
type Whole<Part extends keyof KeyChain> = {
  readonly [Field in keyof Required<KeyChain[Part]>]: KeyChain[Part][Field];
};

/**
 * Makes a directory that reads the records of a storage.
 *
 * @param clock tells when memberships end
 */
export function storageDirectory(storage: Storage, clock: Clock): Directory {
  return {
    async key(ref) {
      const key = "keyId" in ref ? await storage.get("key", ref.keyId) : await keyOfHash(storage, ref.hash);
      if (key === undefined) return undefined;
      const { orgId, projectId, userId } = key;
      const [org, project, holder] = await Promise.all([
        orgOf(storage, orgId),
        storage.get("project", projectId),
        holderOf(storage, orgId, projectId, userId),
      ]);
      if (org === undefined || project?.orgId !== orgId) return undefined;
      const found = { org, project: projectOf(project), holder, key: keyPart(key) };
      const isAway = !holder.active || (holder.expiresAt !== undefined && clock.now() >= holder.expiresAt);
      if (!key.revokedWithHolder || !isAway) return found;
      // The key was revoked because its holder left. While they are away the reason to give is `holder_removed`; once
      // they are back, it is `key_revoked`. `active` is false even if their membership has only just ended: whoever
      // asks may have read the clock before that, and then nothing would refuse the key.
      return { ...found, holder: { ...holder, active: false }, key: { ...found.key, status: "active" } };
    },

    async principal(userId, orgId) {
      const [member, projects] = await Promise.all([
        storage.get("orgMember", membershipId(orgId, userId)),
        storage.find("projectMember", { orgId, userId }),
      ]);
      return member && principalOf(member, projects, clock.now());
    },

    async scope({ orgId, projectId, userId }) {
      const [org, project, holder] = await Promise.all([
        orgOf(storage, orgId),
        projectId === undefined ? undefined : storage.get("project", projectId),
        projectId === undefined || userId === undefined
          ? undefined
          : holderOf(storage, orgId, projectId, userId),
      ]);
      if (org === undefined) return undefined;
      const known = project?.orgId === orgId;
      return {
        org,
        ...(known && { project: projectOf(project) }),
        ...(known && holder?.active && { holder }),
      };
    },
  };
}

/** A person in an org as their memberships make them at `now`. A membership that has ended counts for nothing. */
export function principalOf(
  { userId, orgId, role }: Records["orgMember"],
  projects: readonly Records["projectMember"][],
  now: number,
): Principal {
  const present = projects.filter(({ expiresAt }) => expiresAt === undefined || now < expiresAt);
  const projectRoles = Object.fromEntries(present.map((member) => [member.projectId, member.role]));
  return { userId, orgId, orgRole: role, projectRoles };
}

async function keyOfHash(storage: Storage, hash: string): Promise<Records["key"] | undefined> {
  // INVARIANT: in this order. A rotation in between turns the current token into the previous one, never the reverse.
  const [current] = await storage.find("key", { hash }, { limit: 1 });
  if (current !== undefined) return current;
  const [previous] = await storage.find("key", { previousHash: hash }, { limit: 1 });
  return previous;
}

async function orgOf(storage: Storage, orgId: string): Promise<Whole<"org"> | undefined> {
  const [org, virtualModels, trail] = await Promise.all([
    storage.get("org", orgId),
    storage.find("virtualModel", { orgId }),
    storage.get("trail", orgId),
  ]);
  if (org === undefined) return undefined;
  const { id, status, timeZone, limits, contentLogging } = org;
  return {
    id,
    status,
    timeZone,
    limits,
    contentLogging,
    virtualModels: Object.fromEntries(virtualModels.map(({ alias, models }) => [alias, models])),
    // Not the grants themselves: an org may have many, and every key of it asks.
    creditsNanoUsd: trail?.creditsNanoUsd,
  };
}

function projectOf({
  id,
  status,
  models,
  mcpServers,
  limits,
  contentLogging,
}: Records["project"]): Whole<"project"> {
  return { id, status, models, mcpServers, limits, contentLogging };
}

async function holderOf(
  storage: Storage,
  orgId: string,
  projectId: string,
  userId: string,
): Promise<Whole<"holder">> {
  const [member, membership] = await Promise.all([
    storage.get("orgMember", membershipId(orgId, userId)),
    storage.get("projectMember", membershipId(orgId, projectId, userId)),
  ]);
  const isOwner = member?.role === OWNER;
  return {
    userId,
    active: member !== undefined && (isOwner || membership !== undefined),
    expiresAt: isOwner ? undefined : membership?.expiresAt,
    limits: membership?.limits,
  };
}

function keyPart(key: Records["key"]): Whole<"key"> {
  const { id, status, expiresAt, models, mcpServers, limits, contentLogging } = key;
  const { previousHash, previousExpiresAt } = key;
  return {
    id,
    status,
    expiresAt,
    models: models && [...models],
    mcpServers: mcpServers && [...mcpServers],
    limits,
    contentLogging,
    previousToken:
      previousHash === undefined || previousExpiresAt === undefined
        ? undefined
        : { hash: previousHash, expiresAt: previousExpiresAt },
  };
}
