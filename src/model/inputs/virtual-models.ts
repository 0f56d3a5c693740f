import * as z from "zod";
import { targetsSchema } from "../chain.js";
import { idSchema, modelSchema } from "../text.js";
import { schemaOf } from "../validation.js";
import { type AtVersion, type OfOrg, orgField, type PageInput, pageFields, versionField } from "./fields.js";

/** `__proto__` could not be a field of the list that a chain is loaded with, and `*` would read as a pattern. */
const aliasSchema = modelSchema.refine((alias) => alias !== "__proto__" && !alias.includes("*"), {
  error: "a name without *, other than __proto__",
});

/** A virtual model to make. */
export interface NewVirtualModel {
  orgId: string;
  /** 1 to 200 characters, unique across all orgs. Made by the gate by default. */
  id?: string | undefined;
  /** The name that calls use: 1 to 300 characters without `*`, other than `__proto__`. */
  alias: string;
  /** The models that it stands for, in the order of fallback: 1 to 50. */
  models: readonly string[];
}

/** Names a virtual model. */
export interface VirtualModelById extends OfOrg {
  virtualModelId: string;
}

/** Names a virtual model to write to. */
export interface VirtualModelAtVersion extends VirtualModelById, AtVersion {}

/** Which virtual models to list. */
export interface VirtualModelQuery extends PageInput {
  orgId: string;
}

/** What to change of a virtual model. What is left out stays. */
export interface VirtualModelUpdate extends VirtualModelAtVersion {
  /** The name that calls use: 1 to 300 characters without `*`, other than `__proto__`. */
  alias?: string | undefined;
  /** Replaces all models that it stands for, in the order of fallback: 1 to 50. */
  models?: readonly string[] | undefined;
}

const ref = { virtualModelId: idSchema, ...orgField };

export const virtualModelSchemas = {
  create: schemaOf<NewVirtualModel>()(
    z.strictObject({
      orgId: idSchema,
      id: idSchema.optional(),
      alias: aliasSchema,
      models: targetsSchema,
    }),
  ),
  get: schemaOf<VirtualModelById>()(z.strictObject(ref)),
  list: schemaOf<VirtualModelQuery>()(z.strictObject({ orgId: idSchema, ...pageFields })),
  update: schemaOf<VirtualModelUpdate>()(
    z.strictObject({
      ...ref,
      ...versionField,
      alias: aliasSchema.optional(),
      models: targetsSchema.optional(),
    }),
  ),
  delete: schemaOf<VirtualModelAtVersion>()(z.strictObject({ ...ref, ...versionField })),
} as const;
