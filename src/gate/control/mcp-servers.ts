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

export const mcpServerCreateSchema = z.strictObject({
  orgId: idSchema,
  id: idSchema.optional(),
  /** What calls and lists name. */
  name: modelSchema,
  url: text(1, 2000).optional(),
  description: text(1, 2000).optional(),
});
export const mcpServerGetSchema = z.strictObject(ref);
export const mcpServerListSchema = z.strictObject({ orgId: idSchema, ...pageFields });
export const mcpServerUpdateSchema = z.strictObject({
  ...ref,
  ...versionField,
  name: modelSchema.optional(),
  url: text(1, 2000).nullable().optional(),
  description: text(1, 2000).nullable().optional(),
});
export const mcpServerDeleteSchema = z.strictObject({ ...ref, ...versionField });

/** The MCP servers that an org knows. Which of them a project or a key may call, their lists say. */
export interface McpServers {
  /** @throws ConflictError where the org has the name */
  create(input: z.input<typeof mcpServerCreateSchema>): Promise<McpServer>;
  /** @throws NotFoundError where there is none, or none that the actor may see */
  get(input: z.input<typeof mcpServerGetSchema>): Promise<McpServer>;
  /** The MCP servers of an org, by id. */
  list(input: z.input<typeof mcpServerListSchema>): Promise<Listed<McpServer>>;
  /**
   * Changes what is given; `null` takes the address or the description away.
   *
   * @throws ConflictError where the org has the name
   */
  update(input: z.input<typeof mcpServerUpdateSchema>): Promise<McpServer>;
  /** Deletes it from the list. What may be called stays as it is. */
  delete(input: z.input<typeof mcpServerDeleteSchema>): Promise<void>;
}

export function mcpServersOf(control: Control): McpServers {
  const registry = registryOf(control, {
    kind: "mcpServer",
    permission: "mcpServer.manage",
    getSchema: mcpServerGetSchema,
    deleteSchema: mcpServerDeleteSchema,
  });
  return {
    async create(input) {
      const { orgId, id, ...made } = parse(mcpServerCreateSchema, input, "mcpServer");
      return registry.create({ orgId, id }, made);
    },

    get: registry.get,

    async list(input) {
      const { orgId, ...page } = parse(mcpServerListSchema, input, "mcpServer");
      return registry.list({ orgId }, page);
    },

    async update(input) {
      const { mcpServerId: id, orgId, version, ...given } = parse(mcpServerUpdateSchema, input, "mcpServer");
      return registry.update({ id, orgId, version }, patchOf(given, ["url", "description"]));
    },

    delete: registry.delete,
  };
}
