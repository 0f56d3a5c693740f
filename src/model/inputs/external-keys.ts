import * as z from "zod";
import { idSchema, nameSchema, text } from "../text.js";
import { schemaOf } from "../validation.js";
import { type AtVersion, type OfOrg, orgField, type PageInput, pageFields, versionField } from "./fields.js";

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
