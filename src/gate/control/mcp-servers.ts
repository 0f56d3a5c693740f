import * as z from "zod";
import { idSchema, modelSchema, text } from "../../model/text.js";
import { parse, schemaOf } from "../../model/validation.js";
import type { Control } from "./control.js";
import { type AtVersion, type OfOrg, orgField, patchOf, versionField } from "./fields.js";
import { type Listed, type PageInput, pageFields } from "./paging.js";
import { registryOf } from "./registry.js";
import type { View } from "./views.js";

/** An MCP server that an org knows. */
export type McpServer = View<"mcpServer">;

/** An MCP server to make. */
export interface NewMcpServer {
  orgId: string;
  /** 1 to 200 characters, unique across all orgs. Made by the gate by default. */
  id?: string | undefined;
  /** The name that calls and lists use: 1 to 300 characters. */
  name: string;
  /** Where it is, for the gateway: at most 2,000 characters. */
  url?: string | undefined;
  /** What it is, for people: at most 2,000 characters. */
  description?: string | undefined;
}

/** Names an MCP server. */
export interface McpServerById extends OfOrg {
  mcpServerId: string;
}

/** Names an MCP server to write to. */
export interface McpServerAtVersion extends McpServerById, AtVersion {}

/** Which MCP servers to list. */
export interface McpServerQuery extends PageInput {
  orgId: string;
}

/** What to change of an MCP server. What is left out stays. */
export interface McpServerUpdate extends McpServerAtVersion {
  /** The name that calls and lists use: 1 to 300 characters. */
  name?: string | undefined;
  /** Where it is, for the gateway: at most 2,000 characters. `null` removes it. */
  url?: string | null | undefined;
  /** What it is, for people: at most 2,000 characters. `null` removes it. */
  description?: string | null | undefined;
}

const ref = { mcpServerId: idSchema, ...orgField };

export const mcpServerSchemas = {
  create: schemaOf<NewMcpServer>()(
    z.strictObject({
      orgId: idSchema,
      id: idSchema.optional(),
      name: modelSchema,
      url: text(1, 2000).optional(),
      description: text(1, 2000).optional(),
    }),
  ),
  get: schemaOf<McpServerById>()(z.strictObject(ref)),
  list: schemaOf<McpServerQuery>()(z.strictObject({ orgId: idSchema, ...pageFields })),
  update: schemaOf<McpServerUpdate>()(
    z.strictObject({
      ...ref,
      ...versionField,
      name: modelSchema.optional(),
      url: text(1, 2000).nullable().optional(),
      description: text(1, 2000).nullable().optional(),
    }),
  ),
  delete: schemaOf<McpServerAtVersion>()(z.strictObject({ ...ref, ...versionField })),
} as const;

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
