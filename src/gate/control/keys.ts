import { ConflictError, NotFoundError } from "../../model/errors.js";
import {
  type KeyAtVersion,
  type KeyById,
  type KeyQuery,
  type KeyRotation,
  type KeyUpdate,
  keySchemas,
  type NewKey,
} from "../../model/inputs/keys.js";
import { membershipId, OWNER, type Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import type { Principal, Resource } from "../../policy/principal.js";
import { principalOf } from "../chain/storage-directory.js";
import { createToken, hashToken, previewOf } from "../chain/token.js";
import type { Acting } from "./actor.js";
import { requireReach } from "./authority.js";
import { checkKey, grantOf } from "./bounds.js";
import type { Control } from "./control.js";
import type { Draft } from "./draft.js";
import { type EffectiveKey, effectiveKey } from "./effective-key.js";
import { beginsAgain, requireLater, requireSinceMade } from "./ends.js";
import { type Key, keyView, listKeys } from "./key-list.js";
import { newId } from "./new-id.js";
import type { Listed } from "./paging.js";
import { grantedBy, patchOf } from "./patch.js";
import { projectIn } from "./projects.js";
import { keyContext, viewOf } from "./views.js";

/** A key and its token. This is the only time the token is returned. */
export interface IssuedKey {
  readonly key: Key;
  readonly token: string;
}

/**
 * The keys of an org. Each is made for a member of a project, its holder. A token is returned once and only its hash is
 * kept.
 */
export interface Keys {
  /**
   * Creates a key for the actor or, with permission, for another member of the project.
   *
   * @throws LimitError if the key would have more than its project, its holder or the actor has, or if the holder may
   *   do more than the actor: the token would give the actor that
   * @throws NotFoundError if the project does not exist, or the holder is not in it
   * @throws ConflictError if a key has the id. Ids of keys are unique across all orgs.
   */
  create(input: NewKey): Promise<IssuedKey>;
  /**
   * Reads a key.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  get(input: KeyById): Promise<Key>;
  /** Lists the keys of an org that match and that the actor may see, by id. */
  list(input: KeyQuery): Promise<Listed<Key>>;
  /**
   * Changes the fields that are given. The holder cannot be changed.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   * @throws LimitError if what is given is more than its project, its holder or the actor has. For a key that starts
   *   again after its end, everything in it counts as given.
   */
  update(input: KeyUpdate): Promise<Key>;
  /**
   * Disables the key until it is enabled again.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   * @throws ConflictError if it is revoked
   */
  disable(input: KeyAtVersion): Promise<Key>;
  /**
   * Enables a disabled key. If somebody else disabled it, the actor must be allowed to do this with that user's keys too:
   * a member does not enable what an admin disabled.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   * @throws PermissionError if somebody else disabled it whose keys the actor may not enable
   * @throws ConflictError if it is revoked, which is final
   * @throws LimitError if it now has more than its project, its holder or the actor. Update its limits or lists first.
   */
  enable(input: KeyAtVersion): Promise<Key>;
  /**
   * Revokes the key for good.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  revoke(input: KeyAtVersion): Promise<Key>;
  /**
   * Gives the key a new token. Its id, limits and counts stay. The previous token works for `graceMs` more milliseconds;
   * one from before that stops now.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   * @throws ConflictError if it is revoked
   * @throws LimitError if it now has more than its project, its holder or the actor, or its holder may do more than the
   *   actor. Update its limits or lists first or, if a token is in the wrong hands, disable it meanwhile.
   */
  rotate(input: KeyRotation): Promise<IssuedKey>;
  /**
   * Reports what the key may really do, and why.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  effective(input: KeyById): Promise<EffectiveKey>;
}

export function keysOf(control: Control): Keys {
  const { policy, engine } = control;
  const { keyPrefix } = engine.settings;

  function issue() {
    const token = createToken(keyPrefix);
    return { token, hash: hashToken(token), preview: previewOf(token, keyPrefix) };
  }

  /**
   * A token acts as its holder, so whoever receives one must have everything that the holder has in the project. Where
   * somebody acts through a token that was made for somebody else, that holder must have it too, even if the new key is
   * the actor's own: the token may have gone on to the person it stands for.
   */
  function requireHolderWithinReach(acting: Acting, holder: Principal, projectId: string): void {
    requireReach(policy, acting, holder, "userId", projectId);
  }

  async function seen(key: Records["key"]): Promise<Key> {
    const [lastUsedAt] = (await engine.lastUsed?.of([key.id])) ?? [];
    return keyView(key, lastUsedAt);
  }

  return {
    async create(input) {
      const { orgId, projectId, id, userId, ...given } = parse(keySchemas.create, input, "key");
      const keyId = id ?? newId("key", control.now());
      const subject = { kind: "key", id: keyId, projectId } as const;
      return control.transact(orgId, "key.create", subject, async (draft, acting) => {
        const holderId = userId ?? acting.principal.userId;
        control.require(acting, "key.create", { orgId, projectId, userId: holderId });
        requireLater("key.expiresAt", given.expiresAt, draft.now);
        await projectIn(draft, projectId);
        const holder = await holderIn(draft, projectId, holderId);
        requireHolderWithinReach(acting, holder, projectId);
        await checkKey({ control, draft, acting }, { projectId, userId: holderId }, given);
        const { token, ...issued } = issue();
        const { tags = {}, models = null, mcpServers = null, contentLogging = true, ...rest } = given;
        const key = draft.create("key", {
          id: keyId,
          orgId,
          projectId,
          userId: holderId,
          createdAt: draft.now,
          status: "active",
          ...rest,
          tags,
          models,
          mcpServers,
          contentLogging,
          ...issued,
          issuedTo: acting.handedTo,
        });
        draft.tell("keyCreated", { at: draft.now, context: keyContext(key) });
        return { key: viewOf("key", key), token };
      });
    },

    async get(input) {
      const { keyId, orgId } = parse(keySchemas.get, input, "key");
      return seen(await control.view("key", { id: keyId, orgId }));
    },

    async list(input) {
      return listKeys(control, parse(keySchemas.list, input, "key"));
    },

    async update(input) {
      const { keyId: id, orgId, version, ...given } = parse(keySchemas.update, input, "key");
      return control.writeTo("key.update", "key", { id, orgId, version }, async (key, draft, acting) => {
        requireSinceMade("key.expiresAt", given.expiresAt, key.createdAt);
        const patch = patchOf(given, ["limits", "expiresAt", "name"]);
        const { contentLogging } = given;
        const grant = {
          ...grantOf({ ...key, ...patch }),
          ...(contentLogging !== undefined && { contentLogging }),
        };
        const change = beginsAgain(key.expiresAt, given.expiresAt, draft.now)
          ? undefined
          : { fields: grantedBy(given), present: grantOf(key) };
        await checkKey({ control, draft, acting }, key, grant, change);
        return seen(draft.replace("key", key, patch));
      });
    },

    async disable(input) {
      const { keyId, ...ref } = parse(keySchemas.disable, input, "key");
      return control.writeTo("key.disable", "key", { id: keyId, ...ref }, async (key, draft, acting) => {
        refuseRevoked(key);
        // A key that is disabled already stays disabled by whoever the actor could not undo it for.
        const isTheirs = control.can(acting, "key.disable", disablerOf(key));
        const disabledBy = isTheirs ? acting.principal.userId : key.disabledBy;
        return seen(draft.replace("key", key, { status: "disabled", disabledBy }));
      });
    },

    async enable(input) {
      const { keyId, ...ref } = parse(keySchemas.enable, input, "key");
      const ask = { action: "key.enable", permission: "key.disable" } as const;
      return control.writeTo(ask, "key", { id: keyId, ...ref }, async (key, draft, acting) => {
        refuseRevoked(key);
        control.require(acting, "key.disable", disablerOf(key));
        await checkKey({ control, draft, acting }, key, grantOf(key));
        return seen(draft.replace("key", key, { status: "active", disabledBy: undefined }));
      });
    },

    async revoke(input) {
      const { keyId, ...ref } = parse(keySchemas.revoke, input, "key");
      return control.writeTo("key.revoke", "key", { id: keyId, ...ref }, async (key, draft) => {
        const revoked = draft.replace("key", key, {
          status: "revoked",
          disabledBy: undefined,
          revokedWithHolder: undefined,
          ...NO_PREVIOUS,
        });
        if (key.status !== "revoked") {
          draft.tell("keyRevoked", { at: draft.now, context: keyContext(key), because: "revoked" });
        }
        return seen(revoked);
      });
    },

    async rotate(input) {
      const { keyId, graceMs = 0, ...ref } = parse(keySchemas.rotate, input, "key");
      return control.writeTo("key.rotate", "key", { id: keyId, ...ref }, async (key, draft, acting) => {
        refuseRevoked(key);
        requireHolderWithinReach(acting, await holderIn(draft, key.projectId, key.userId), key.projectId);
        await checkKey({ control, draft, acting }, key, grantOf(key));
        const { token, ...issued } = issue();
        const previousExpiresAt = draft.now + graceMs;
        const previous = { previousHash: key.hash, previousIssuedTo: key.issuedTo, previousExpiresAt };
        const patch = {
          ...issued,
          ...(graceMs > 0 ? previous : NO_PREVIOUS),
          issuedTo: acting.handedTo,
        };
        const rotated = draft.replace("key", key, patch);
        const event = { at: draft.now, context: keyContext(key), ...(graceMs > 0 && { previousExpiresAt }) };
        draft.tell("keyRotated", event);
        return { key: await seen(rotated), token };
      });
    },

    async effective(input) {
      const { keyId, orgId } = parse(keySchemas.effective, input, "key");
      return effectiveKey(engine, await control.view("key", { id: keyId, orgId }), control.now());
    },
  };
}

const NO_PREVIOUS = { previousHash: undefined, previousIssuedTo: undefined, previousExpiresAt: undefined };

/** @throws NotFoundError if somebody is not in the project now. An org owner is in every project. */
async function holderIn(draft: Draft, projectId: string, userId: string): Promise<Principal> {
  const { orgId, now } = draft;
  const [orgMember, membership] = await Promise.all([
    draft.get("orgMember", membershipId(orgId, userId)),
    draft.get("projectMember", membershipId(orgId, projectId, userId)),
  ]);
  const principal = orgMember && principalOf(orgMember, membership ? [membership] : [], now);
  const isIn =
    principal?.orgRole === OWNER || (principal && Object.hasOwn(principal.projectRoles, projectId));
  if (!principal || !isIn) throw new NotFoundError("member", userId);
  return principal;
}

/** What a policy is asked about for a disabled key, besides the key itself: a thing of whoever disabled it. */
function disablerOf({ orgId, projectId, userId, disabledBy = userId }: Records["key"]): Resource {
  return { orgId, projectId, userId: disabledBy };
}

function refuseRevoked({ id, status }: Records["key"]): void {
  if (status === "revoked") throw new ConflictError(`key ${JSON.stringify(id)} is revoked, which is final`);
}
