import * as z from "zod";
import { ConflictError } from "../../model/errors.js";
import { idSchema, nameSchema, text } from "../../model/text.js";
import { parse, schemaOf } from "../../model/validation.js";
import type { Control } from "./control.js";
import type { Draft } from "./draft.js";
import { type AtVersion, type OfOrg, orgField, patchOf, versionField } from "./fields.js";
import { type Listed, type PageInput, pageFields } from "./paging.js";
import { projectIn } from "./projects.js";
import { registryOf } from "./registry.js";
import type { View } from "./views.js";

/** A reference to a provider key of the customer's own. */
export type ExternalKey = View<"externalKey">;

/** A reference to a provider key to make. */
export interface NewExternalKey {
  orgId: string;
  /** 1 to 200 characters, unique across all orgs. Made by the gate by default. */
  id?: string | undefined;
  /** The provider it is for, by the gateway's name for it: 1 to 200 characters. */
  provider: string;
  /** The only project that uses it. Default: all projects that have none of their own for the provider. */
  projectId?: string | undefined;
  /** A name for people, 1 to 200 characters. */
  name?: string | undefined;
  /** Where the gateway keeps the secret, such as a path in a vault: 1 to 1,000 characters. Never the secret itself. */
  secretRef: string;
}

/** Names a reference to a provider key. */
export interface ExternalKeyById extends OfOrg {
  externalKeyId: string;
}

/** Names a reference to a provider key to write to. */
export interface ExternalKeyAtVersion extends ExternalKeyById, AtVersion {}

/** Which references to provider keys to list. */
export interface ExternalKeyQuery extends PageInput {
  orgId: string;
  projectId?: string | undefined;
  provider?: string | undefined;
}

/** What to change of a reference to a provider key. What is left out stays. */
export interface ExternalKeyUpdate extends ExternalKeyAtVersion {
  /** A name for people, 1 to 200 characters. `null` removes it. */
  name?: string | null | undefined;
  /** Where the gateway keeps the secret, such as a path in a vault: 1 to 1,000 characters. Never the secret itself. */
  secretRef?: string | undefined;
}

const ref = { externalKeyId: idSchema, ...orgField };

export const externalKeySchemas = {
  create: schemaOf<NewExternalKey>()(
    z.strictObject({
      orgId: idSchema,
      id: idSchema.optional(),
      provider: nameSchema,
      projectId: idSchema.optional(),
      name: nameSchema.optional(),
      secretRef: text(1, 1000),
    }),
  ),
  get: schemaOf<ExternalKeyById>()(z.strictObject(ref)),
  list: schemaOf<ExternalKeyQuery>()(
    z.strictObject({
      orgId: idSchema,
      projectId: idSchema.optional(),
      provider: nameSchema.optional(),
      ...pageFields,
    }),
  ),
  update: schemaOf<ExternalKeyUpdate>()(
    z.strictObject({
      ...ref,
      ...versionField,
      name: nameSchema.nullable().optional(),
      secretRef: text(1, 1000).optional(),
    }),
  ),
  delete: schemaOf<ExternalKeyAtVersion>()(z.strictObject({ ...ref, ...versionField })),
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
