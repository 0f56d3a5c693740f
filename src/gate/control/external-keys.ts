import * as z from "zod";
import { idSchema, nameSchema, text } from "../../model/text.js";
import { parse } from "../../model/validation.js";
import type { Control } from "./control.js";
import { orgField, patchOf, versionField } from "./fields.js";
import { type Listed, pageFields } from "./paging.js";
import { projectIn } from "./projects.js";
import { registryOf } from "./registry.js";
import type { View } from "./views.js";

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
 * The customer's own provider keys, as references: the gateway keeps the secrets elsewhere. A call on one is admitted with
 * `byok` and costs the org nothing, but for budgets that say so.
 */
export interface ExternalKeys {
  /** @throws ConflictError where the project has one for the provider */
  create(input: z.input<typeof externalKeySchemas.create>): Promise<ExternalKey>;
  /** @throws NotFoundError where there is none, or none that the actor may see */
  get(input: z.input<typeof externalKeySchemas.get>): Promise<ExternalKey>;
  /** The external keys of an org that match, by id. */
  list(input: z.input<typeof externalKeySchemas.list>): Promise<Listed<ExternalKey>>;
  /** Changes what is given; `name: null` takes the name away. */
  update(input: z.input<typeof externalKeySchemas.update>): Promise<ExternalKey>;
  /** Deletes the reference. The secret is wherever the gateway keeps it. */
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
        if (made.projectId !== undefined) await projectIn(draft, made.projectId);
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
