import { ConflictError } from "../../model/errors.js";
import {
  type NewVirtualModel,
  type VirtualModelAtVersion,
  type VirtualModelById,
  type VirtualModelQuery,
  type VirtualModelUpdate,
  virtualModelSchemas,
} from "../../model/inputs/virtual-models.js";
import type { Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import type { Control } from "./control.js";
import type { Draft } from "./draft.js";
import type { Listed } from "./paging.js";
import { patchOf } from "./patch.js";
import { registryOf } from "./registry.js";
import type { View } from "./views.js";

/** An org's own name for an ordered list of models. */
export type VirtualModel = View<"virtualModel">;

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
