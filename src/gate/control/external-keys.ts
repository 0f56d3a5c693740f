import * as z from "zod";
import { ConflictError } from "../../model/errors.js";
import { idSchema, nameSchema, text } from "../../model/text.js";
import { parse } from "../../model/validation.js";
import type { Control } from "./control.js";
import type { Draft } from "./draft.js";
import { orgField, patchOf, versionField } from "./fields.js";
import { type Listed, pageFields } from "./paging.js";
import { projectIn } from "./projects.js";
import { registryOf } from "./registry.js";
import type { View } from "./views.js";

/** A reference to a provider key of the customer's own. */
export type ExternalKey = View<"externalKey">;

const ref = { externalKeyId: idSchema, ...orgField };

export const externalKeySchemas = {
  create: z.strictObject({
    orgId: idSchema,
    id: idSchema.optional(),
    provider: nameSchema,
    /** The only project that uses it; without it, all that have none of their own for the provider. */
    projectId: idSchema.optional(),
    name: nameSchema.optional(),
    /** Where the gateway keeps the secret, such as a path in a vault. Never the secret. */
    secretRef: text(1, 1000),
  }),
  get: z.strictObject(ref),
  list: z.strictObject({
    orgId: idSchema,
    projectId: idSchema.optional(),
    provider: nameSchema.optional(),
    ...pageFields,
  }),
  update: z.strictObject({
    ...ref,
    ...versionField,
    name: nameSchema.nullable().optional(),
    secretRef: text(1, 1000).optional(),
  }),
  delete: z.strictObject({ ...ref, ...versionField }),
} as const;

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
  create(input: z.input<typeof externalKeySchemas.create>): Promise<ExternalKey>;
  /**
   * Reads a reference.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  get(input: z.input<typeof externalKeySchemas.get>): Promise<ExternalKey>;
  /** Lists the external keys of an org that match, by id. */
  list(input: z.input<typeof externalKeySchemas.list>): Promise<Listed<ExternalKey>>;
  /**
   * Changes the fields that are given. `name: null` removes the name.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  update(input: z.input<typeof externalKeySchemas.update>): Promise<ExternalKey>;
  /**
   * Deletes the reference. The secret stays wherever the gateway keeps it.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  delete(input: z.input<typeof externalKeySchemas.delete>): Promise<void>;
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
