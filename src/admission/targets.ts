import type { KeyChain } from "../model/chain.js";
import { listAllows } from "../model/patterns.js";

/**
 * The models that a call naming `model` may reach, in the order of fallback. Empty if it may reach nothing.
 *
 * A virtual model resolves first. A target passes a list that names it or the virtual model, and has to pass both the
 * project's list and the key's.
 */
export function permittedModels({ org, project, key }: KeyChain, model: string): readonly string[] {
  const virtual =
    org.virtualModels && Object.hasOwn(org.virtualModels, model) ? org.virtualModels[model] : undefined;
  const targets = virtual ?? [model];
  return [project.models, key.models].reduce<readonly string[]>(
    (left, list) => (listAllows(list, model) ? left : left.filter((target) => listAllows(list, target))),
    targets,
  );
}

/** Whether the project's list and the key's allow an MCP server. */
export function mcpServerAllowed({ project, key }: KeyChain, mcpServer: string): boolean {
  return listAllows(project.mcpServers, mcpServer) && listAllows(key.mcpServers, mcpServer);
}
