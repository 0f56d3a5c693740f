import * as z from "zod";
import { idSchema, modelSchema, text } from "../text.js";
import { schemaOf } from "../validation.js";
import { type AtVersion, type OfOrg, orgField, type PageInput, pageFields, versionField } from "./fields.js";

/** An MCP server to make. */
export interface NewMcpServer {
  orgId: string;
  /** 1 to 200 characters, unique across all orgs. Made by the gate by default. */
  id?: string | undefined;
  /** The name that calls and lists use: 1 to 300 characters. */
  name: string;
  /** Where it is, for the gateway: 1 to 2,000 characters. */
  url?: string | undefined;
  /** What it is, for people: 1 to 2,000 characters. */
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
  /** Where it is, for the gateway: 1 to 2,000 characters. `null` removes it. */
  url?: string | null | undefined;
  /** What it is, for people: 1 to 2,000 characters. `null` removes it. */
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
