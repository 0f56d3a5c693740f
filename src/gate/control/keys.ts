import type * as z from "zod";
import { ConflictError, NotFoundError } from "../../model/errors.js";
import { membershipId, type Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import type { Principal } from "../../policy/principal.js";
import { OWNER, principalOf } from "../chain/storage-directory.js";
import { createToken, hashToken, previewOf } from "../chain/token.js";
import type { Acting } from "./actor.js";
import { requireReach } from "./authority.js";
import { checkKey, grantOf } from "./bounds.js";
import type { Control } from "./control.js";
import type { Draft } from "./draft.js";
import { type EffectiveKey, effectiveKey } from "./effective-key.js";
import { beginsAgain, grantedBy, patchOf, requireLater, requireSinceMade } from "./fields.js";
import { type Key, keyView, listKeys } from "./key-list.js";
import {
  keyCreateSchema,
  keyEffectiveSchema,
  keyGetSchema,
  keyListSchema,
  keyRotateSchema,
  keyStatusSchema,
  keyUpdateSchema,
} from "./key-schemas.js";
import { newId } from "./new-id.js";
import type { Listed } from "./paging.js";
import { projectIn } from "./projects.js";
import { keyContext, viewOf } from "./views.js";

/** A key with its token: the only time that it is seen. */
export interface IssuedKey {
  readonly key: Key;
  readonly token: string;
}

/** The keys of an org: made for a member of a project, who is the holder. Tokens are returned once and kept as hashes. */
export interface Keys {
  /**
   * Makes a key for oneself, or, as an admin, for another member of the project.
   *
   * @throws LimitError where it would have more than its project, its holder or the actor has, or where the holder may
   *   do more than the actor: the token would be a way to it
   * @throws NotFoundError where the holder is not in the project
   */
  create(input: z.input<typeof keyCreateSchema>): Promise<IssuedKey>;
  /** @throws NotFoundError where there is none, or none that the actor may see */
  get(input: z.input<typeof keyGetSchema>): Promise<Key>;
  /** The keys of an org that the actor may see. */
  list(input: z.input<typeof keyListSchema>): Promise<Listed<Key>>;
  /**
   * Changes what is given, `limits` as a whole; `null` takes limits, models, an end or a name away. The holder cannot be changed.
   *
   * @throws LimitError where what is given is more than its project, its holder or the actor has; of a key that begins again after
   *   its end, where anything is
   */
  update(input: z.input<typeof keyUpdateSchema>): Promise<Key>;
  /** Stops the key until it is enabled. */
  disable(input: z.input<typeof keyStatusSchema>): Promise<Key>;
  /**
   * @throws ConflictError where it is revoked: that is final
   * @throws LimitError where it has more than its project, its holder or the actor by now: update its limits or lists first
   */
  enable(input: z.input<typeof keyStatusSchema>): Promise<Key>;
  /** Stops the key for good. */
  revoke(input: z.input<typeof keyStatusSchema>): Promise<Key>;
  /**
   * Gives the key a new token; its id, limits and counts stay. The token before works for `graceMs` more; one from
   * before that ends now.
   *
   * @throws ConflictError where it is revoked
   * @throws LimitError where it has more than its project, its holder or the actor by now, or its holder may do more than the
   *   actor: update its limits or lists first, or, where a token is in the wrong hands, disable it meanwhile
   */
  rotate(input: z.input<typeof keyRotateSchema>): Promise<IssuedKey>;
  /** What the key may really do, and why. */
  effective(input: z.input<typeof keyEffectiveSchema>): Promise<EffectiveKey>;
}

export function keysOf(control: Control): Keys {
  const { policy, engine } = control;
  const { keyPrefix } = engine.settings;

  function issue() {
    const token = createToken(keyPrefix);
    return { token, hash: hashToken(token), preview: previewOf(token, keyPrefix) };
  }

  /**
   * A token acts as its holder: whoever is handed one must have all that the holder has in the project. Of those who act through
   * somebody else's token that somebody must, too, even for a key of their own: the token may be in other hands by now.
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
      const { orgId, projectId, id, userId, ...given } = parse(keyCreateSchema, input, "key");
      const keyId = id ?? newId("key", control.now());
      const subject = { kind: "key", id: keyId, projectId } as const;
      return control.transact(orgId, "key.create", subject, async (draft, acting) => {
        const holderId = userId ?? acting.principal.userId;
        control.require(acting, "key.create", { orgId, projectId, userId: holderId });
        requireLater("key.expiresAt", given.expiresAt, draft.now);
        await projectIn(draft, projectId);
        const holder = await holderIn(draft, projectId, holderId);
        requireHolderWithinReach(acting, holder, projectId);
        await checkKey(control, draft, acting, { projectId, userId: holderId }, given);
        const { token, ...issued } = issue();
        const { tags = {}, models = null, mcpServers = null, contentLogging = true, ...rest } = given;
        const base = {
          id: keyId,
          orgId,
          projectId,
          userId: holderId,
          createdAt: draft.now,
          status: "active",
        } as const;
        const scope = { tags, models, mcpServers, contentLogging };
        const key = draft.create("key", {
          ...base,
          ...rest,
          ...scope,
          ...issued,
          issuedTo: acting.handedTo,
        });
        draft.tell("keyCreated", { at: draft.now, context: keyContext(key) });
        return { key: viewOf("key", key), token };
      });
    },

    async get(input) {
      const { keyId, orgId } = parse(keyGetSchema, input, "key");
      return seen(await control.view("key", { id: keyId, orgId }));
    },

    async list(input) {
      return listKeys(control, parse(keyListSchema, input, "key"));
    },

    async update(input) {
      const { keyId, orgId, version, ...given } = parse(keyUpdateSchema, input, "key");
      const ask = { action: "key.update", permission: "key.update" } as const;
      return control.writeTo(ask, "key", { id: keyId, orgId, version }, async (key, draft, acting) => {
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
        await checkKey(control, draft, acting, key, grant, change);
        return seen(draft.replace("key", key, patch));
      });
    },

    async disable(input) {
      const { keyId, ...ref } = parse(keyStatusSchema, input, "key");
      const ask = { action: "key.disable", permission: "key.disable" } as const;
      return control.writeTo(ask, "key", { id: keyId, ...ref }, async (key, draft) => {
        refuseRevoked(key);
        return seen(draft.replace("key", key, { status: "disabled" }));
      });
    },

    async enable(input) {
      const { keyId, ...ref } = parse(keyStatusSchema, input, "key");
      const ask = { action: "key.enable", permission: "key.disable" } as const;
      return control.writeTo(ask, "key", { id: keyId, ...ref }, async (key, draft, acting) => {
        refuseRevoked(key);
        await checkKey(control, draft, acting, key, grantOf(key));
        return seen(draft.replace("key", key, { status: "active" }));
      });
    },

    async revoke(input) {
      const { keyId, ...ref } = parse(keyStatusSchema, input, "key");
      const ask = { action: "key.revoke", permission: "key.revoke" } as const;
      return control.writeTo(ask, "key", { id: keyId, ...ref }, async (key, draft) => {
        const revoked = draft.replace("key", key, {
          status: "revoked",
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
      const { keyId, graceMs = 0, ...ref } = parse(keyRotateSchema, input, "key");
      const ask = { action: "key.rotate", permission: "key.rotate" } as const;
      return control.writeTo(ask, "key", { id: keyId, ...ref }, async (key, draft, acting) => {
        refuseRevoked(key);
        requireHolderWithinReach(acting, await holderIn(draft, key.projectId, key.userId), key.projectId);
        await checkKey(control, draft, acting, key, grantOf(key));
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
      const { keyId, orgId } = parse(keyEffectiveSchema, input, "key");
      return effectiveKey(engine, await control.view("key", { id: keyId, orgId }), control.now());
    },
  };
}

const NO_PREVIOUS = { previousHash: undefined, previousIssuedTo: undefined, previousExpiresAt: undefined };

/** @throws NotFoundError where somebody is not in the project now; an org owner is in every one */
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

function refuseRevoked({ id, status }: Records["key"]): void {
  if (status === "revoked") throw new ConflictError(`key ${JSON.stringify(id)} is revoked, which is final`);
}
