import type { KeyQuery } from "../../model/inputs/keys.js";
import { membershipId, OWNER, type Records } from "../../model/records.js";
import type { Visible } from "../../policy/visible.js";
import type { AnyOf, Where } from "../../storage/storage.js";
import type { Acting } from "./actor.js";
import type { Control } from "./control.js";
import { fewProjectsOf, type Listed, listPage } from "./paging.js";
import { type View, viewOf } from "./views.js";

/**
 * A key without its hashes. `userId` is its holder, `issuedTo` the user who received its token, `disabledBy` the one
 * who disabled it. Until `previousExpiresAt`, the token before the last rotation works too. Moments are in epoch
 * milliseconds.
 */
export type Key = View<"key"> & {
  /** When a call on it was last admitted, in epoch milliseconds. Absent if none was. */
  readonly lastUsedAt?: number;
};

/** A key as callers see it, with the time of its last use. */
export function keyView(key: Records["key"], lastUsedAt: number | undefined): Key {
  return { ...viewOf("key", key), ...(lastUsedAt !== undefined && { lastUsedAt }) };
}

/** One page of the keys that match a query and that the actor may see. */
export async function listKeys(control: Control, query: KeyQuery): Promise<Listed<Key>> {
  const { engine, storage } = control;
  const acting = await control.acting(query.orgId, "key.view");
  const keep = async (key: Records["key"]) => {
    const { orgId, projectId, userId } = key;
    if (!control.can(acting, "key.view", { orgId, projectId, userId }) || !hasTag(key, query.tag))
      return false;
    if (query.unusedSince !== undefined) {
      const [usedAt] = (await engine.lastUsed?.of([key.id])) ?? [];
      if (Math.max(key.createdAt, usedAt ?? 0) >= query.unusedSince) return false;
    }
    return query.expiringBefore === undefined || endsBefore(control, key, query.expiringBefore);
  };
  const visible = control.policy.visible(acting.principal, "key.view", acting.conditions);
  const where = whereOf(query, acting, visible);
  const any =
    where.projectId === undefined && where.userId === undefined ? anyOf(acting, visible) : undefined;
  const { items, next } = await listPage(storage, "key", where, query, keep, undefined, any);
  const usedAt = (await engine.lastUsed?.of(items.map(({ id }) => id))) ?? [];
  return {
    items: items.map((key, i) => keyView(key, usedAt[i])),
    ...(next !== undefined && { next }),
  };
}

/**
 * What every storage can search for. For an actor who may see only their own keys, or those of one project, it searches
 * for those alone. The order of ids is the storage's, so several projects cannot be searched one by one: see `anyOf`.
 */
function whereOf(query: KeyQuery, { principal }: Acting, visible: Visible): Where<"key"> {
  const { orgId, projectId, userId, status } = query;
  const others = visible.all || visible.allBut !== undefined || visible.projectIds.length > 0;
  const holder = userId ?? (others ? undefined : principal.userId);
  const project = projectId ?? onlyProjectOf(visible);
  return {
    orgId,
    ...(project !== undefined && { projectId: project }),
    ...(holder !== undefined && { userId: holder }),
    ...(status !== undefined && { status }),
  };
}

/** The keys of a few projects, and the actor's own where they may see those. */
function anyOf({ principal }: Acting, visible: Visible): AnyOf<"key"> | undefined {
  const projectId = fewProjectsOf(visible);
  return projectId && { projectId, ...(!visible.all && visible.own && { userId: [principal.userId] }) };
}

/** The project that has everything visible, if it is one. */
function onlyProjectOf(visible: Visible): string | undefined {
  if (visible.all) return undefined;
  const { projectIds, own, ownBut } = visible;
  return projectIds.length === 1 && !own && ownBut === undefined ? projectIds[0] : undefined;
}

function hasTag({ tags }: Records["key"], tag: KeyQuery["tag"]): boolean {
  if (tag === undefined) return true;
  if (typeof tag === "string") return Object.hasOwn(tags, tag);
  return Object.hasOwn(tags, tag.name) && tags[tag.name] === tag.value;
}

/**
 * Whether a key expires, or its holder's membership ends, before a moment. It looks up no more than it needs: the list
 * asks this of every key of the org.
 */
async function endsBefore({ storage }: Control, key: Records["key"], moment: number): Promise<boolean> {
  const { orgId, projectId, userId, expiresAt = Number.POSITIVE_INFINITY } = key;
  if (expiresAt < moment) return true;
  const membership = await storage.get("projectMember", membershipId(orgId, projectId, userId));
  if (membership?.expiresAt === undefined || membership.expiresAt >= moment) return false;
  const orgMember = await storage.get("orgMember", membershipId(orgId, userId));
  return orgMember?.role !== OWNER;
}
