import * as z from "zod";
import { idSchema, nameSchema, text } from "../../model/text.js";
import { parse } from "../../model/validation.js";
import type { Control } from "./control.js";
import { orgField, patchOf, versionField } from "./fields.js";
import { type Listed, pageFields } from "./paging.js";
import { projectIn } from "./projects.js";
import { registryOf } from "./registry.js";
import type { View } from "./views.js";

/** A reference to a provider key of the customer's own. */
export type ExternalKey = View<"externalKey">;

const ref = { externalKeyId: idSchema, ...orgField };

export const externalKeyCreateSchema = z.strictObject({
  orgId: idSchema,
  id: idSchema.optional(),
  provider: nameSchema,
  /** The only project that uses it; without it, all that have none of their own for the provider. */
  projectId: idSchema.optional(),
  name: nameSchema.optional(),
  /** Where the gateway keeps the secret, such as a path in a vault. Never the secret. */
  secretRef: text(1, 1000),
});
export const externalKeyGetSchema = z.strictObject(ref);
export const externalKeyListSchema = z.strictObject({
  orgId: idSchema,
  projectId: idSchema.optional(),
  provider: nameSchema.optional(),
  ...pageFields,
});
export const externalKeyUpdateSchema = z.strictObject({
  ...ref,
  ...versionField,
  name: nameSchema.nullable().optional(),
  secretRef: text(1, 1000).optional(),
});
export const externalKeyDeleteSchema = z.strictObject({ ...ref, ...versionField });

/**
 * The customer's own provider keys, as references: the gateway keeps the secrets elsewhere. A call on one is admitted
 * with `byok`, and counts only against budgets with `countByok`.
 */
export interface ExternalKeys {
  /**
   * Creates a reference.
   *
   * @throws NotFoundError if the project does not exist
   * @throws ConflictError if the project has one for the provider already
   */
  create(input: z.input<typeof externalKeyCreateSchema>): Promise<ExternalKey>;
  /**
   * Reads a reference.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  get(input: z.input<typeof externalKeyGetSchema>): Promise<ExternalKey>;
  /** Lists the external keys of an org that match, by id. */
  list(input: z.input<typeof externalKeyListSchema>): Promise<Listed<ExternalKey>>;
  /**
   * Changes the fields that are given. `name: null` removes the name.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  update(input: z.input<typeof externalKeyUpdateSchema>): Promise<ExternalKey>;
  /**
   * Deletes the reference. The secret stays wherever the gateway keeps it.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  delete(input: z.input<typeof externalKeyDeleteSchema>): Promise<void>;
}

export function externalKeysOf(control: Control): ExternalKeys {
  const registry = registryOf(control, {
    kind: "externalKey",
    permission: "externalKey.manage",
    getSchema: externalKeyGetSchema,
    deleteSchema: externalKeyDeleteSchema,
  });
  return {
    async create(input) {
      const { orgId, id, ...made } = parse(externalKeyCreateSchema, input, "externalKey");
      return registry.create({ orgId, id }, made, async (draft) => {
        if (made.projectId !== undefined) await projectIn(draft, made.projectId);
      });
    },

    get: registry.get,

    async list(input) {
      const { orgId, projectId, provider, ...page } = parse(externalKeyListSchema, input, "externalKey");
      return registry.list({ orgId, ...(projectId && { projectId }), ...(provider && { provider }) }, page);
    },

    async update(input) {
      const {
        externalKeyId: id,
        orgId,
        version,
        ...given
      } = parse(externalKeyUpdateSchema, input, "externalKey");
      return registry.update({ id, orgId, version }, patchOf(given, ["name"]));
    },

    delete: registry.delete,
  };
}
