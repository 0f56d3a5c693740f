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
 * key or another record with an id of its own that they may not even see; for the members of a project and what is made in it
 * PermissionError, whether or not there is such a project), writes in one commit with its audit event, and is seen by the very next
 * call. Once the gate is closed, it rejects with ClosedError.
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
 * @param whileOpen makes a call that closing the gate waits for, or rejects once it is closed
 * @throws ValidationError where the actor is neither a user id nor a token
 */
export function createControlPlane(
  engine: Engine,
  storage: Storage,
  actor: Actor,
  whileOpen: Door,
): ControlPlane {
  const control = new Control(engine, storage, actor);
  return {
    orgs: behind(whileOpen, orgsOf(control)),
    orgMembers: behind(whileOpen, orgMembersOf(control)),
    invitations: behind(whileOpen, invitationsOf(control)),
    projects: behind(whileOpen, projectsOf(control)),
    projectMembers: behind(whileOpen, projectMembersOf(control)),
    keys: behind(whileOpen, keysOf(control)),
    virtualModels: behind(whileOpen, virtualModelsOf(control)),
    mcpServers: behind(whileOpen, mcpServersOf(control)),
    externalKeys: behind(whileOpen, externalKeysOf(control)),
    credits: behind(whileOpen, creditsOf(control)),
    audit: behind(whileOpen, auditOf(control)),
    ledger: behind(whileOpen, ledgerOf(control)),
  };
}

/** Makes a call, or rejects before it. */
type Door = <T>(call: () => Promise<T>) => Promise<T>;

type Method = (...input: unknown[]) => Promise<unknown>;

/** The methods of a noun, each behind a door: where that is closed it rejects before it looks at anything. */
function behind<T extends Record<keyof T, (...input: never[]) => Promise<unknown>>>(door: Door, noun: T): T {
  const methods: [string, Method][] = Object.entries(noun);
  const guarded = methods.map(([name, method]): [string, Method] => [
    name,
    (...input) => door(() => method(...input)),
  ]);
  return { ...noun, ...Object.fromEntries(guarded) };
}
