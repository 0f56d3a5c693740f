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
 * Writes and reads as one actor, with their permissions checked.
 *
 * Every method validates its input, checks that the actor may do it, writes in one commit together with its audit
 * event, and takes effect for the very next call. It rejects with
 *
 * - ValidationError if the input is wrong;
 * - PermissionError if the actor may not do it. For the members of a project, and for what is made in it, that is so
 *   whether or not there is such a project;
 * - NotFoundError for a project, key or other record with an id of its own that the actor may not even see;
 * - ConflictError if `version` is given and the record has moved on, or if others write to the org at the same time;
 * - ClosedError once the gate is closed.
 *
 * In every input, moments are in epoch milliseconds, and `version` is that of the record as the caller has seen it. An
 * `orgId` beside the id of a record is a check: a record of another org is not found. Lists come in pages of `limit`
 * items, 1 to 1,000 and 100 by default. The `next` of a page is the `after` of the one that follows.
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
 * @param whileOpen makes a call that closing the gate waits for, or rejects once the gate is closed
 * @throws ValidationError if the actor is neither a user id nor a token
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

/** The methods of a noun behind a door. If it is closed, they reject before looking at anything. */
function behind<T extends Record<keyof T, (...input: never[]) => Promise<unknown>>>(door: Door, noun: T): T {
  const methods: [string, Method][] = Object.entries(noun);
  const guarded = methods.map(([name, method]): [string, Method] => [
    name,
    (...input) => door(() => method(...input)),
  ]);
  return { ...noun, ...Object.fromEntries(guarded) };
}
