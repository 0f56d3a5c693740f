import type { Storage } from "../../storage/storage.js";
import type { Engine } from "../engine.js";
import type { Actor } from "./actor.js";
import { type Audit, auditOf } from "./audit.js";
import { Control } from "./control.js";
import { type Credits, creditsOf } from "./credits.js";
import { type ExternalKeys, externalKeysOf } from "./external-keys.js";
import { type Invitations, invitationsOf } from "./invitations.js";
import { type Keys, keysOf } from "./keys.js";
import { type LedgerReports, ledgerOf } from "./ledger.js";
import { type McpServers, mcpServersOf } from "./mcp-servers.js";
import { type OrgMembers, orgMembersOf } from "./org-members.js";
import { type Orgs, orgsOf } from "./orgs.js";
import { type ProjectMembers, projectMembersOf } from "./project-members.js";
import { type Projects, projectsOf } from "./projects.js";
import { type VirtualModels, virtualModelsOf } from "./virtual-models.js";

/**
 * Permission-checked writes as one actor.
 *
 * Every method validates its input (ValidationError), checks that the actor may (PermissionError; NotFoundError for a project, a
 * key or another record with an id of its own that they may not even see), writes in one commit with its audit event, and is seen
 * by the very next call. Once the gate is closed, it rejects with ClosedError.
 */
export interface ControlPlane {
  readonly orgs: Orgs;
  readonly orgMembers: OrgMembers;
  readonly invitations: Invitations;
  readonly projects: Projects;
  readonly projectMembers: ProjectMembers;
  readonly keys: Keys;
  readonly virtualModels: VirtualModels;
  readonly mcpServers: McpServers;
  readonly externalKeys: ExternalKeys;
  readonly credits: Credits;
  readonly audit: Audit;
  readonly ledger: LedgerReports;
}

/**
 * @param open throws once the gate is closed
 * @throws ValidationError where the actor is neither a user id nor a token
 */
export function createControlPlane(
  engine: Engine,
  storage: Storage,
  actor: Actor,
  open: () => void,
): ControlPlane {
  const control = new Control(engine, storage, actor);
  return {
    orgs: behind(open, orgsOf(control)),
    orgMembers: behind(open, orgMembersOf(control)),
    invitations: behind(open, invitationsOf(control)),
    projects: behind(open, projectsOf(control)),
    projectMembers: behind(open, projectMembersOf(control)),
    keys: behind(open, keysOf(control)),
    virtualModels: behind(open, virtualModelsOf(control)),
    mcpServers: behind(open, mcpServersOf(control)),
    externalKeys: behind(open, externalKeysOf(control)),
    credits: behind(open, creditsOf(control)),
    audit: behind(open, auditOf(control)),
    ledger: behind(open, ledgerOf(control)),
  };
}

type Method = (...input: unknown[]) => Promise<unknown>;

/** The methods of a noun, each behind a door: it rejects with what `open` throws, before it looks at anything. */
function behind<T extends Record<keyof T, (...input: never[]) => Promise<unknown>>>(
  open: () => void,
  noun: T,
): T {
  const methods: [string, Method][] = Object.entries(noun);
  const guarded = methods.map(([name, method]): [string, Method] => [
    name,
    async (...input) => {
      open();
      return method(...input);
    },
  ]);
  return { ...noun, ...Object.fromEntries(guarded) };
}
