import { NotFoundError } from "../../model/errors.js";
import {
  type NewProject,
  type ProjectAtVersion,
  type ProjectById,
  type ProjectQuery,
  type ProjectUpdate,
  projectSchemas,
} from "../../model/inputs/projects.js";
import type { Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import { chunks } from "../chunks.js";
import { checkProject } from "./bounds.js";
import type { Control } from "./control.js";
import type { Draft } from "./draft.js";
import { newId } from "./new-id.js";
import { fewProjectsOf, type Listed, listViews } from "./paging.js";
import { grantedBy, patchOf } from "./patch.js";
import { type View, viewOf } from "./views.js";

/** A project as callers see it. */
export type Project = View<"project">;

/** How many uses are asked for at once, so that a large project does not fill the queue for connections. */
const USES_AT_A_TIME = 100;

/** The projects of an org, each with limits and lists of its own. */
export interface Projects {
  /**
   * Creates a project without members.
   *
   * @throws ConflictError if a project has the id. Ids of projects are unique across all orgs.
   * @throws LimitError if a limit is above the org's
   */
  create(input: NewProject): Promise<Project>;
  /**
   * Reads a project.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  get(input: ProjectById): Promise<Project>;
  /** Lists the projects of an org that the actor may see. */
  list(input: ProjectQuery): Promise<Listed<Project>>;
  /**
   * Changes the fields that are given.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   * @throws LimitError if what is given is more than the org or the actor has
   */
  update(input: ProjectUpdate): Promise<Project>;
  /**
   * Deletes the project with its memberships, external keys and keys, which stop working at once. Counts are kept by
   * id: a project created again under the same id finds what was used.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  delete(input: ProjectAtVersion): Promise<void>;
}

export function projectsOf(control: Control): Projects {
  return {
    async create(input) {
      const { orgId, id, ...given } = parse(projectSchemas.create, input, "project");
      const projectId = id ?? newId("project", control.now());
      const subject = { kind: "project", id: projectId, projectId } as const;
      return control.write("project.create", { orgId }, subject, async (draft, acting) => {
        await checkProject({ control, draft, acting }, given);
        const { name, models = null, mcpServers = null, limits, contentLogging = true } = given;
        const base = { id: projectId, orgId, createdAt: draft.now };
        const made = { ...base, name, status: "active", models, mcpServers, limits, contentLogging } as const;
        return viewOf("project", draft.create("project", made));
      });
    },

    async get(input) {
      const { projectId, orgId } = parse(projectSchemas.get, input, "project");
      return viewOf("project", await control.view("project", { id: projectId, orgId }));
    },

    async list(input) {
      const { orgId, status, ...page } = parse(projectSchemas.list, input, "project");
      const acting = await control.acting(orgId, "project.view");
      const where = status === undefined ? { orgId } : { orgId, status };
      const maySee = ({ id }: Records["project"]) =>
        control.can(acting, "project.view", { orgId, projectId: id });
      const visible = control.policy.visible(acting.principal, "project.view", acting.conditions);
      const id = fewProjectsOf(visible);
      return listViews(control.storage, "project", where, page, maySee, undefined, id && { id });
    },

    async update(input) {
      const { projectId: id, orgId, version, ...given } = parse(projectSchemas.update, input, "project");
      const which = { id, orgId, version };
      return control.writeTo("project.update", "project", which, async (project, draft, acting) => {
        const patch = patchOf(given, ["limits"]);
        const change = { fields: grantedBy(given), present: project };
        await checkProject({ control, draft, acting }, { ...project, ...patch }, change);
        return viewOf("project", draft.replace("project", project, patch));
      });
    },

    async delete(input) {
      const { projectId, ...of } = parse(projectSchemas.delete, input, "project");
      const which = { id: projectId, ...of };
      return control.writeTo("project.delete", "project", which, async (project, draft) => {
        const keys = await draft.find("key", { projectId });
        for (const key of keys) draft.remove("key", key);
        for (const membership of await draft.find("projectMember", { projectId })) {
          draft.remove("projectMember", membership);
        }
        for (const external of await draft.find("externalKey", { projectId }))
          draft.remove("externalKey", external);
        draft.remove("project", project);
        await removeUses(draft, keys);
      });
    },
  };
}

/**
 * Removes the last uses of keys. Calls go on meanwhile, and a use that is written after this has read it makes the
 * deletion begin again. So this comes last and asks for many at once.
 */
async function removeUses(draft: Draft, keys: readonly Records["key"][]): Promise<void> {
  for (const some of chunks(keys, USES_AT_A_TIME)) {
    const uses = await Promise.all(some.map(({ id }) => draft.get("keyUse", id)));
    for (const use of uses) if (use) draft.remove("keyUse", use);
  }
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
