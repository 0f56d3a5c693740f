import * as z from "zod";
import { idSchema, modelSchema, text } from "../../model/text.js";
import { parse } from "../../model/validation.js";
import type { Control } from "./control.js";
import { orgField, patchOf, versionField } from "./fields.js";
import { type Listed, pageFields } from "./paging.js";
import { registryOf } from "./registry.js";
import type { View } from "./views.js";

export type McpServer = View<"mcpServer">;

const ref = { mcpServerId: idSchema, ...orgField };

export const mcpServerSchemas = {
  create: z.strictObject({
    orgId: idSchema,
    id: idSchema.optional(),
    /** What calls and lists name. */
    name: modelSchema,
    url: text(1, 2000).optional(),
    description: text(1, 2000).optional(),
  }),
  get: z.strictObject(ref),
  list: z.strictObject({ orgId: idSchema, ...pageFields }),
  update: z.strictObject({
    ...ref,
    ...versionField,
    name: modelSchema.optional(),
    url: text(1, 2000).nullable().optional(),
    description: text(1, 2000).nullable().optional(),
  }),
  delete: z.strictObject({ ...ref, ...versionField }),
} as const;

/** The MCP servers that an org knows. Which of them a project or a key may call, their lists say. */
export interface McpServers {
  /** @throws ConflictError where the org has the name */
  create(input: z.input<typeof mcpServerSchemas.create>): Promise<McpServer>;
  /** @throws NotFoundError where there is none, or none that the actor may see */
  get(input: z.input<typeof mcpServerSchemas.get>): Promise<McpServer>;
  /** The MCP servers of an org, by id. */
  list(input: z.input<typeof mcpServerSchemas.list>): Promise<Listed<McpServer>>;
  /**
   * Changes what is given; `null` takes the address or the description away.
   *
   * @throws ConflictError where the org has the name
   */
  update(input: z.input<typeof mcpServerSchemas.update>): Promise<McpServer>;
  /** Deletes it from the list. What may be called stays as it is. */
  delete(input: z.input<typeof mcpServerSchemas.delete>): Promise<void>;
}

export function mcpServersOf(control: Control): McpServers {
  const registry = registryOf(control, {
    kind: "mcpServer",
    permission: "mcpServer.manage",
    schemas: mcpServerSchemas,
  });
  return {
    async create(input) {
      const { orgId, id, ...made } = parse(mcpServerSchemas.create, input, "mcpServer");
      return registry.create({ orgId, id }, made);
    },

    get: registry.get,

    async list(input) {
      const { orgId, ...page } = parse(mcpServerSchemas.list, input, "mcpServer");
      return registry.list({ orgId }, page);
    },

    async update(input) {
      const {
        mcpServerId: id,
        orgId,
        version,
        ...given
      } = parse(mcpServerSchemas.update, input, "mcpServer");
      return registry.update({ id, orgId, version }, patchOf(given, ["url", "description"]));
    },

    delete: registry.delete,
  };
}
