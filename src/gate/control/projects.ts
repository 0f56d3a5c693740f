import * as z from "zod";
import { NotFoundError } from "../../model/errors.js";
import { limitsSchema } from "../../model/limits.js";
import type { Records } from "../../model/records.js";
import { idSchema, nameSchema } from "../../model/text.js";
import { parse } from "../../model/validation.js";
import { checkProject } from "./bounds.js";
import type { Control } from "./control.js";
import type { Draft } from "./draft.js";
import { grantedBy, limitsPatch, orgField, patchOf, scopeFields, versionField } from "./fields.js";
import { newId } from "./new-id.js";
import { type Listed, listViews, pageFields } from "./paging.js";
import { type View, viewOf } from "./views.js";

/** A project as callers see it. */
export type Project = View<"project">;

const ref = { projectId: idSchema, ...orgField };

export const projectCreateSchema = z.strictObject({
  orgId: idSchema,
  id: idSchema.optional(),
  name: nameSchema,
  limits: limitsSchema.optional(),
  ...scopeFields,
});
export const projectGetSchema = z.strictObject(ref);
export const projectListSchema = z.strictObject({
  orgId: idSchema,
  status: z.enum(["active", "archived"]).optional(),
  ...pageFields,
});
export const projectUpdateSchema = z.strictObject({
  ...ref,
  ...versionField,
  name: nameSchema.optional(),
  status: z.enum(["active", "archived"]).optional(),
  limits: limitsPatch,
  ...scopeFields,
});
export const projectDeleteSchema = z.strictObject({ ...ref, ...versionField });

/** The projects of an org, each with limits and lists of its own. */
export interface Projects {
  /**
   * Creates a project without members. Whatever is left out is inherited from the org.
   *
   * @throws ConflictError if a project has the id. Ids of projects are unique across all orgs.
   * @throws LimitError if a limit is above the org's
   */
  create(input: z.input<typeof projectCreateSchema>): Promise<Project>;
  /**
   * Reads a project.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  get(input: z.input<typeof projectGetSchema>): Promise<Project>;
  /** Lists the projects of an org that the actor may see. */
  list(input: z.input<typeof projectListSchema>): Promise<Listed<Project>>;
  /**
   * Changes the fields that are given. `limits` is replaced as a whole, and `null` removes it; `models: null` allows
   * what the org allows.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   * @throws LimitError if what is given is more than the org or the actor has
   */
  update(input: z.input<typeof projectUpdateSchema>): Promise<Project>;
  /**
   * Deletes the project with its memberships, external keys and keys, which stop working at once. Counts are kept by
   * id: a project created again under the same id finds what was used.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  delete(input: z.input<typeof projectDeleteSchema>): Promise<void>;
}

export function projectsOf(control: Control): Projects {
  return {
    async create(input) {
      const { orgId, id, ...given } = parse(projectCreateSchema, input, "project");
      const projectId = id ?? newId("project", control.now());
      const ask = { action: "project.create", permission: "project.create" } as const;
      return control.write(
        ask,
        { orgId },
        { kind: "project", id: projectId, projectId },
        async (draft, acting) => {
          await checkProject(draft, acting, given);
          const { name, models = null, mcpServers = null, limits, contentLogging = true } = given;
          const base = { id: projectId, orgId, createdAt: draft.now };
          const made = {
            ...base,
            name,
            status: "active",
            models,
            mcpServers,
            limits,
            contentLogging,
          } as const;
          return viewOf("project", draft.create("project", made));
        },
      );
    },

    async get(input) {
      const { projectId, orgId } = parse(projectGetSchema, input, "project");
      return viewOf("project", await control.view("project", { id: projectId, orgId }));
    },

    async list(input) {
      const { orgId, status, ...page } = parse(projectListSchema, input, "project");
      const acting = await control.acting(orgId, "project.view");
      const where = status === undefined ? { orgId } : { orgId, status };
      const maySee = ({ id }: Records["project"]) =>
        control.can(acting, "project.view", { orgId, projectId: id });
      return listViews(control.storage, "project", where, page, maySee);
    },

    async update(input) {
      const { projectId, orgId, version, ...given } = parse(projectUpdateSchema, input, "project");
      const ask = { action: "project.update", permission: "project.update" } as const;
      return control.writeTo(
        ask,
        "project",
        { id: projectId, orgId, version },
        async (project, draft, acting) => {
          const patch = patchOf(given, ["limits"]);
          const change = { fields: grantedBy(given), present: project };
          await checkProject(draft, acting, { ...project, ...patch }, change);
          return viewOf("project", draft.replace("project", project, patch));
        },
      );
    },

    async delete(input) {
      const { projectId, orgId, version } = parse(projectDeleteSchema, input, "project");
      const ask = { action: "project.delete", permission: "project.delete" } as const;
      return control.writeTo(ask, "project", { id: projectId, orgId, version }, async (project, draft) => {
        for (const key of await draft.find("key", { projectId })) {
          const use = await draft.get("keyUse", key.id);
          if (use) draft.remove("keyUse", use);
          draft.remove("key", key);
        }
        for (const membership of await draft.find("projectMember", { projectId })) {
          draft.remove("projectMember", membership);
        }
        for (const external of await draft.find("externalKey", { projectId }))
          draft.remove("externalKey", external);
        draft.remove("project", project);
      });
    },
  };
}

/**
 * A project of the draft's org.
 *
 * @throws NotFoundError if the org has none with that id
 */
export async function projectIn(draft: Draft, projectId: string): Promise<Records["project"]> {
  const project = await draft.get("project", projectId);
  if (project === undefined) throw new NotFoundError("project", projectId);
  return project;
}
