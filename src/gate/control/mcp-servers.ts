import * as z from "zod";
import { idSchema, modelSchema, text } from "../../model/text.js";
import { parse } from "../../model/validation.js";
import type { Control } from "./control.js";
import { orgField, patchOf, versionField } from "./fields.js";
import { type Listed, pageFields } from "./paging.js";
import { registryOf } from "./registry.js";
import type { View } from "./views.js";

/** An MCP server that an org knows. */
export type McpServer = View<"mcpServer">;

const ref = { mcpServerId: idSchema, ...orgField };

export const mcpServerSchemas = {
  create: z.strictObject({
    orgId: idSchema,
    id: idSchema.optional(),
    /** The name that calls and lists use. */
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

/** The MCP servers that an org knows. Which of them may be called is up to the lists of projects and keys. */
export interface McpServers {
  /**
   * Creates an MCP server.
   *
   * @throws ConflictError if the org has the name already
   */
  create(input: z.input<typeof mcpServerSchemas.create>): Promise<McpServer>;
  /**
   * Reads an MCP server.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  get(input: z.input<typeof mcpServerSchemas.get>): Promise<McpServer>;
  /** Lists the MCP servers of an org by id. */
  list(input: z.input<typeof mcpServerSchemas.list>): Promise<Listed<McpServer>>;
  /**
   * Changes the fields that are given. `null` removes `url` or `description`.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   * @throws ConflictError if the org has the name already
   */
  update(input: z.input<typeof mcpServerSchemas.update>): Promise<McpServer>;
  /**
   * Deletes the record. What may be called stays as it is.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
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
