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
 * Every method validates its input (ValidationError), checks that the actor may (PermissionError; NotFoundError where
 * they may not even know), writes in one commit with its audit event, and is seen by the very next call.
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

/** @throws ValidationError where the actor is neither a user id nor a token */
export function createControlPlane(engine: Engine, storage: Storage, actor: Actor): ControlPlane {
  const control = new Control(engine, storage, actor);
  return {
    orgs: orgsOf(control),
    orgMembers: orgMembersOf(control),
    invitations: invitationsOf(control),
    projects: projectsOf(control),
    projectMembers: projectMembersOf(control),
    keys: keysOf(control),
    virtualModels: virtualModelsOf(control),
    mcpServers: mcpServersOf(control),
    externalKeys: externalKeysOf(control),
    credits: creditsOf(control),
    audit: auditOf(control),
    ledger: ledgerOf(control),
  };
}
