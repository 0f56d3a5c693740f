import {
  type McpServerAtVersion,
  type McpServerById,
  type McpServerQuery,
  type McpServerUpdate,
  mcpServerSchemas,
  type NewMcpServer,
} from "../../model/inputs/mcp-servers.js";
import { parse } from "../../model/validation.js";
import type { Control } from "./control.js";
import type { Listed } from "./paging.js";
import { patchOf } from "./patch.js";
import { registryOf } from "./registry.js";
import type { View } from "./views.js";

/** An MCP server that an org knows. */
export type McpServer = View<"mcpServer">;

/** The MCP servers that an org knows. Which of them may be called is up to the lists of projects and keys. */
export interface McpServers {
  /**
   * Creates an MCP server.
   *
   * @throws ConflictError if the org has the name already
   */
  create(input: NewMcpServer): Promise<McpServer>;
  /**
   * Reads an MCP server.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  get(input: McpServerById): Promise<McpServer>;
  /** Lists the MCP servers of an org by id. */
  list(input: McpServerQuery): Promise<Listed<McpServer>>;
  /**
   * Changes the fields that are given.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   * @throws ConflictError if the org has the name already
   */
  update(input: McpServerUpdate): Promise<McpServer>;
  /**
   * Deletes the record. What may be called stays as it is.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   */
  delete(input: McpServerAtVersion): Promise<void>;
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
