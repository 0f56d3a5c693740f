import * as z from "zod";
import { type Limits, limitsSchema } from "../limits.js";
import { idSchema, nameSchema } from "../text.js";
import { schemaOf } from "../validation.js";
import {
  type AtVersion,
  limitsPatch,
  type OfOrg,
  orgField,
  type PageInput,
  pageFields,
  type Restrictions,
  restrictionFields,
  versionField,
} from "./fields.js";

/** A project to make. Whatever is left out restricts nothing beyond what the org does. */
export interface NewProject extends Restrictions {
  orgId: string;
  /** 1 to 200 characters, unique across all orgs. Made by the gate by default. */
  id?: string | undefined;
  /** A name for people, 1 to 200 characters. */
  name: string;
  /** Limits of all its calls together. */
  limits?: Limits | undefined;
}

/** Names a project. */
export interface ProjectById extends OfOrg {
  projectId: string;
}

/** Names a project to write to. */
export interface ProjectAtVersion extends ProjectById, AtVersion {}

/** Which projects to list. */
export interface ProjectQuery extends PageInput {
  orgId: string;
  status?: "active" | "archived" | undefined;
}

/** What to change of a project. What is left out stays. */
export interface ProjectUpdate extends ProjectAtVersion, Restrictions {
  /** A name for people, 1 to 200 characters. */
  name?: string | undefined;
  /** No call of an archived project passes. */
  status?: "active" | "archived" | undefined;
  /** Replaces all limits. `null` removes them. */
  limits?: Limits | null | undefined;
}

const ref = { projectId: idSchema, ...orgField };

export const projectSchemas = {
  create: schemaOf<NewProject>()(
    z.strictObject({
      orgId: idSchema,
      id: idSchema.optional(),
      name: nameSchema,
      limits: limitsSchema.optional(),
      ...restrictionFields,
    }),
  ),
  get: schemaOf<ProjectById>()(z.strictObject(ref)),
  list: schemaOf<ProjectQuery>()(
    z.strictObject({
      orgId: idSchema,
      status: z.enum(["active", "archived"]).optional(),
      ...pageFields,
    }),
  ),
  update: schemaOf<ProjectUpdate>()(
    z.strictObject({
      ...ref,
      ...versionField,
      name: nameSchema.optional(),
      status: z.enum(["active", "archived"]).optional(),
      limits: limitsPatch,
      ...restrictionFields,
    }),
  ),
  delete: schemaOf<ProjectAtVersion>()(z.strictObject({ ...ref, ...versionField })),
} as const;
