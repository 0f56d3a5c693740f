import { ConflictError } from "../../model/errors.js";
import {
  type ExternalKeyAtVersion,
  type ExternalKeyById,
  type ExternalKeyQuery,
  type ExternalKeyUpdate,
  externalKeySchemas,
  type NewExternalKey,
} from "../../model/inputs/external-keys.js";
import { parse } from "../../model/validation.js";
import type { Control } from "./control.js";
import type { Draft } from "./draft.js";
import type { Listed } from "./paging.js";
import { patchOf } from "./patch.js";
import { projectIn } from "./projects.js";
import { registryOf } from "./registry.js";
import type { View } from "./views.js";

/** A reference to a provider key of the customer's own. */
export type ExternalKey = View<"externalKey">;

/**
 * The customer's own provider keys, as references: the gateway keeps the secrets elsewhere. A call on one is admitted
 * with `byok`, and counts only against budgets with `countByok`.
 */
export interface ExternalKeys {
  /**
   * Creates a reference.
   *
   * @throws NotFoundError if the project does not exist
   * @throws ConflictError if the project, or without one the org as a whole, has one for the provider already
   */
  create(input: NewExternalKey): Promise<ExternalKey>;
  /**
   * Reads a reference.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  get(input: ExternalKeyById): Promise<ExternalKey>;
  /** Lists the external keys of an org that match, by id. */
  list(input: ExternalKeyQuery): Promise<Listed<ExternalKey>>;
  /**
   * Changes the fields that are given.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  update(input: ExternalKeyUpdate): Promise<ExternalKey>;
  /**
   * Deletes the reference. The secret stays wherever the gateway keeps it.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  delete(input: ExternalKeyAtVersion): Promise<void>;
}

export function externalKeysOf(control: Control): ExternalKeys {
  const registry = registryOf(control, {
    kind: "externalKey",
    permission: "externalKey.manage",
    schemas: externalKeySchemas,
  });
  return {
    async create(input) {
      const { orgId, id, ...made } = parse(externalKeySchemas.create, input, "externalKey");
      return registry.create({ orgId, id }, made, async (draft) => {
        if (made.projectId === undefined) await requireFirst(draft, made.provider);
        else await projectIn(draft, made.projectId);
      });
    },

    get: registry.get,

    async list(input) {
      const { orgId, projectId, provider, ...page } = parse(externalKeySchemas.list, input, "externalKey");
      return registry.list({ orgId, ...(projectId && { projectId }), ...(provider && { provider }) }, page);
    },

    async update(input) {
      const {
        externalKeyId: id,
        orgId,
        version,
        ...given
      } = parse(externalKeySchemas.update, input, "externalKey");
      return registry.update({ id, orgId, version }, patchOf(given, ["name"]));
    },

    delete: registry.delete,
  };
}

/**
 * Storages keep the keys of a project apart by its id, which those of the whole org lack. All writes of an org are in
 * one order, so of two that are made at once the second sees the first.
 *
 * @throws ConflictError if the org as a whole has a key for the provider already
 */
async function requireFirst(draft: Draft, provider: string): Promise<void> {
  const found = await draft.find("externalKey", { provider });
  if (found.some(({ projectId }) => projectId === undefined))
    throw new ConflictError("the org has an external key for the provider already");
}
