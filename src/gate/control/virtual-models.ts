import { z } from "zod";
import { idSchema, modelSchema } from "../../model/text.js";
import { parse } from "../../model/validation.js";
import type { Control } from "./control.js";
import { orgField, patchOf, versionField } from "./fields.js";
import { type Listed, pageFields } from "./paging.js";
import { registryOf } from "./registry.js";
import type { View } from "./views.js";

export type VirtualModel = View<"virtualModel">;

/** `__proto__` could not be a field of the list that a chain is loaded with, and `*` reads as a pattern. */
const aliasSchema = modelSchema.refine((alias) => alias !== "__proto__" && !alias.includes("*"), {
  error: "a name without *, other than __proto__",
});

/** What it may reach, in the order of fallback. */
const models = z
  .array(modelSchema)
  .min(1, { error: "at least one model" })
  .max(50, { error: "at most 50 models" });

const ref = { virtualModelId: idSchema, ...orgField };

export const virtualModelCreateSchema = z.strictObject({
  orgId: idSchema,
  id: idSchema.optional(),
  /** What a call names. */
  alias: aliasSchema,
  models,
});
export const virtualModelGetSchema = z.strictObject(ref);
export const virtualModelListSchema = z.strictObject({ orgId: idSchema, ...pageFields });
export const virtualModelUpdateSchema = z.strictObject({
  ...ref,
  ...versionField,
  alias: aliasSchema.optional(),
  models: models.optional(),
});
export const virtualModelDeleteSchema = z.strictObject({ ...ref, ...versionField });

/** Names of an org's own for ordered lists of models. */
export interface VirtualModels {
  /** @throws ConflictError where the org has the alias */
  create(input: z.input<typeof virtualModelCreateSchema>): Promise<VirtualModel>;
  get(input: z.input<typeof virtualModelGetSchema>): Promise<VirtualModel>;
  list(input: z.input<typeof virtualModelListSchema>): Promise<Listed<VirtualModel>>;
  update(input: z.input<typeof virtualModelUpdateSchema>): Promise<VirtualModel>;
  delete(input: z.input<typeof virtualModelDeleteSchema>): Promise<void>;
}

export function virtualModelsOf(control: Control): VirtualModels {
  const registry = registryOf(control, { kind: "virtualModel", permission: "virtualModel.manage" });
  return {
    async create(input) {
      const { orgId, id, ...made } = parse(virtualModelCreateSchema, input, "virtualModel");
      return registry.create({ orgId, id }, made);
    },

    async get(input) {
      const { virtualModelId: id, ...of } = parse(virtualModelGetSchema, input, "virtualModel");
      return registry.get({ id, ...of });
    },

    async list(input) {
      const { orgId, ...page } = parse(virtualModelListSchema, input, "virtualModel");
      return registry.list({ orgId }, page);
    },

    async update(input) {
      const {
        virtualModelId: id,
        orgId,
        version,
        ...given
      } = parse(virtualModelUpdateSchema, input, "virtualModel");
      return registry.update({ id, orgId, version }, patchOf(given));
    },

    async delete(input) {
      const { virtualModelId: id, ...of } = parse(virtualModelDeleteSchema, input, "virtualModel");
      return registry.delete({ id, ...of });
    },
  };
}
