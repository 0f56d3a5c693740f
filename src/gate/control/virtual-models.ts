import * as z from "zod";
import { ConflictError } from "../../model/errors.js";
import type { Records } from "../../model/records.js";
import { idSchema, modelSchema } from "../../model/text.js";
import { parse, schemaOf } from "../../model/validation.js";
import type { Control } from "./control.js";
import type { Draft } from "./draft.js";
import { type AtVersion, type OfOrg, orgField, patchOf, versionField } from "./fields.js";
import { type Listed, type PageInput, pageFields } from "./paging.js";
import { registryOf } from "./registry.js";
import type { View } from "./views.js";

/** An org's own name for an ordered list of models. */
export type VirtualModel = View<"virtualModel">;

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

const modelsSchema = z
  .array(modelSchema)
  .min(1, { error: "at least one model" })
  .max(50, { error: "at most 50 models" });

const ref = { virtualModelId: idSchema, ...orgField };

export const virtualModelSchemas = {
  create: schemaOf<NewVirtualModel>()(
    z.strictObject({
      orgId: idSchema,
      id: idSchema.optional(),
      alias: aliasSchema,
      models: modelsSchema,
    }),
  ),
  get: schemaOf<VirtualModelById>()(z.strictObject(ref)),
  list: schemaOf<VirtualModelQuery>()(z.strictObject({ orgId: idSchema, ...pageFields })),
  update: schemaOf<VirtualModelUpdate>()(
    z.strictObject({
      ...ref,
      ...versionField,
      alias: aliasSchema.optional(),
      models: modelsSchema.optional(),
    }),
  ),
  delete: schemaOf<VirtualModelAtVersion>()(z.strictObject({ ...ref, ...versionField })),
} as const;

/** An org's own names for ordered lists of models. */
export interface VirtualModels {
  /**
   * Creates a virtual model.
   *
   * @throws ConflictError if the org has the alias already, or a virtual model would name another one: aliases resolve
   *   once
   */
  create(input: NewVirtualModel): Promise<VirtualModel>;
  /**
   * Reads a virtual model.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  get(input: VirtualModelById): Promise<VirtualModel>;
  /** Lists the virtual models of an org by id. */
  list(input: VirtualModelQuery): Promise<Listed<VirtualModel>>;
  /**
   * Changes the fields that are given.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   * @throws ConflictError as for {@link VirtualModels.create}
   */
  update(input: VirtualModelUpdate): Promise<VirtualModel>;
  /**
   * Deletes it. A call that names the alias then asks for a model of that name.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  delete(input: VirtualModelAtVersion): Promise<void>;
}

export function virtualModelsOf(control: Control): VirtualModels {
  const registry = registryOf(control, {
    kind: "virtualModel",
    permission: "virtualModel.manage",
    schemas: virtualModelSchemas,
  });
  return {
    async create(input) {
      const { orgId, id, ...made } = parse(virtualModelSchemas.create, input, "virtualModel");
      return registry.create({ orgId, id }, made, (draft) => requireNoChain(draft, made));
    },

    get: registry.get,

    async list(input) {
      const { orgId, ...page } = parse(virtualModelSchemas.list, input, "virtualModel");
      return registry.list({ orgId }, page);
    },

    async update(input) {
      const {
        virtualModelId: id,
        orgId,
        version,
        ...given
      } = parse(virtualModelSchemas.update, input, "virtualModel");
      return registry.update({ id, orgId, version }, patchOf(given), requireNoChain);
    },

    delete: registry.delete,
  };
}

type Named = Pick<Records["virtualModel"], "alias" | "models">;

/**
 * A call resolves one alias: a target that is an alias again would go to the provider as a model that there is not. An
 * alias that names itself is the name of a model as well, and may be a target.
 *
 * @throws ConflictError where a virtual model would name another one, whichever of the two is being written
 */
async function requireNoChain(draft: Draft, written: Named & { readonly id?: string }): Promise<void> {
  const stored = await draft.find("virtualModel", {});
  for (const other of stored.filter(({ id, alias }) => id !== written.id && alias !== written.alias)) {
    requireNotNamed(written, other);
    requireNotNamed(other, written);
  }
}

function requireNotNamed(by: Named, { alias, models }: Named): void {
  if (!by.models.includes(alias) || models.includes(alias)) return;
  const [naming, named] = [by.alias, alias].map((name) => JSON.stringify(name));
  throw new ConflictError(`virtual model ${naming} may not name ${named}, which is another virtual model`);
}
