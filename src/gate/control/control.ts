import {
  ConflictError,
  LastOwnerError,
  LimitError,
  NotFoundError,
  PermissionError,
  TollgateError,
} from "../../model/errors.js";
import { masked } from "../../model/masked.js";
import type { RecordKind, Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import type { Resource } from "../../policy/principal.js";
import type { StandardPermission } from "../../policy/standard.js";
import type { Storage } from "../../storage/storage.js";
import type { Engine } from "../engine.js";
import {
  type Acting,
  type Actor,
  type Asking,
  actorSchema,
  chainOf,
  resolveActor,
  verdictOf,
} from "./actor.js";
import { Draft, type Subject } from "./draft.js";

/** How often a write begins again because another process wrote to the org meanwhile. Each time somebody gets ahead. */
const ATTEMPTS_MAX = 50;

/** How often a conflict must repeat itself before it is believed, where no other write of the org explains it. */
const UNKNOWN_CONFLICTS_MAX = 3;

/** What one must be allowed to see a record at all. */
const VIEWING = {
  project: "project.view",
  key: "key.view",
  invitation: "invitation.view",
  virtualModel: "virtualModel.manage",
  mcpServer: "mcpServer.manage",
  externalKey: "externalKey.manage",
  creditGrant: "billing.view",
} as const satisfies Partial<Record<RecordKind, StandardPermission>>;

/** The records that are addressed by an id of their own. */
type Addressed = keyof typeof VIEWING;

/** Which record, as a caller names it. */
export interface Ref {
  readonly id: string;
  readonly orgId?: string | undefined;
  /** The version that the caller has seen. */
  readonly version?: number | undefined;
}

/** What one write is: what it asks for, and what the audit trail says of it. */
export interface Ask {
  readonly action: string;
  readonly permission: StandardPermission;
}

/** What every noun of the control plane is made with: the one way to authorize, to read and to write. */
export class Control {
  readonly engine: Engine;
  readonly storage: Storage;
  readonly #actor: Actor;

  constructor(engine: Engine, storage: Storage, actor: Actor) {
    this.engine = engine;
    this.storage = storage;
    this.#actor = parse(actorSchema, actor, "actor");
  }

  get policy() {
    return this.engine.settings.policy;
  }

  now(): number {
    return this.engine.settings.clock.now();
  }

  /** The user who acts; undefined where a token does. */
  get userId(): string | undefined {
    return "userId" in this.#actor ? this.#actor.userId : undefined;
  }

  /**
   * Looks at the token that acts before anything is looked up for it: one that does not work learns nothing of what there is.
   *
   * @throws PermissionError where it does not work
   */
  async requireToken(asked: string): Promise<void> {
    if ("token" in this.#actor) await chainOf(this.engine, this.#actor.token, asked);
  }

  /** Who acts in an org, as they are now. */
  acting(orgId: string, asked: string): Promise<Acting> {
    return resolveActor(this.engine, this.storage, this.#actor, orgId, asked);
  }

  can(acting: Asking, permission: StandardPermission, resource: Resource): boolean {
    return verdictOf(this.policy, acting, permission, resource).allowed;
  }

  /** @throws PermissionError */
  require(acting: Asking, permission: StandardPermission, resource: Resource): void {
    const verdict = verdictOf(this.policy, acting, permission, resource);
    if (!verdict.allowed) throw new PermissionError(permission, verdict.reason);
  }

  /** Reads where the actor has a permission. */
  async read<T>(
    permission: StandardPermission,
    resource: Resource,
    reading: (acting: Acting) => Promise<T>,
  ): Promise<T> {
    const { orgId, projectId } = resource;
    const acting = await this.acting(orgId, permission);
    const verdict = verdictOf(this.policy, acting, permission, resource);
    if (verdict.allowed) return reading(acting);
    const subject: Subject =
      projectId === undefined ? { kind: "org", id: orgId } : { kind: "project", id: projectId, projectId };
    const denied = new PermissionError(permission, verdict.reason);
    await this.#recordDeniedRead(orgId, acting, permission, subject, denied);
    throw denied;
  }

  /**
   * A record that the actor may see.
   *
   * @throws NotFoundError where there is none, or where they may not
   */
  async view<K extends Addressed>(kind: K, { id, orgId }: Ref): Promise<Records[K]> {
    const permission = VIEWING[kind];
    await this.requireToken(permission);
    const record = await this.storage.get(kind, id);
    if (record === undefined || (orgId !== undefined && record.orgId !== orgId))
      throw new NotFoundError(kind, id);
    const resource = RESOURCES[kind](record);
    const acting = await this.acting(record.orgId, permission);
    const verdict = verdictOf(this.policy, acting, permission, resource);
    if (verdict.allowed) return record;
    const denied = new PermissionError(permission, verdict.reason);
    const subject = { kind, id, projectId: resource.projectId };
    await this.#recordDeniedRead(record.orgId, acting, permission, subject, denied);
    throw new NotFoundError(kind, id);
  }

  /**
   * Writes where the actor has a permission that does not depend on what is stored.
   *
   * @throws PermissionError
   */
  write<T>(
    ask: Ask,
    resource: Resource,
    subject: Subject,
    attempt: (draft: Draft, acting: Acting) => Promise<T>,
  ): Promise<T> {
    return this.transact(resource.orgId, ask.action, subject, async (draft, acting) => {
      this.require(acting, ask.permission, resource);
      return attempt(draft, acting);
    });
  }

  /**
   * Writes to a record where the actor has a permission for it.
   *
   * @throws NotFoundError where there is no such record, or none that the actor may see
   * @throws PermissionError where they may only see it
   * @throws ConflictError where it is not at the version that the caller has seen
   */
  async writeTo<K extends Addressed, T>(
    ask: Ask,
    kind: K,
    { id, orgId, version }: Ref,
    attempt: (record: Records[K], draft: Draft, acting: Acting) => Promise<T>,
  ): Promise<T> {
    await this.requireToken(ask.action);
    const home = await this.storage.get(kind, id);
    if (home === undefined || (orgId !== undefined && home.orgId !== orgId))
      throw new NotFoundError(kind, id);
    const subject = { kind, id, projectId: RESOURCES[kind](home).projectId };
    return this.transact(home.orgId, ask.action, subject, async (draft, acting) => {
      const record = await draft.get(kind, id);
      if (record === undefined) throw new NotFoundError(kind, id);
      const resource = RESOURCES[kind](record);
      const verdict = verdictOf(this.policy, acting, ask.permission, resource);
      if (!verdict.allowed) {
        const denied = new PermissionError(ask.permission, verdict.reason);
        throw this.can(acting, VIEWING[kind], resource) ? denied : new Hidden(kind, id, denied);
      }
      requireVersion(kind, record, version);
      return attempt(record, draft, acting);
    });
  }

  /**
   * Runs one write to its end: it reads, decides and is committed with its audit event, or begins again where another
   * process got ahead. Then the next call sees it.
   */
  async transact<T>(
    orgId: string,
    action: string,
    subject: Subject,
    attempt: (draft: Draft, acting: Acting) => Promise<T>,
  ): Promise<T> {
    return this.engine.orgQueue.run(orgId, async () => {
      for (let attempts = 1; ; attempts++) {
        const draft = await this.#draft(orgId);
        const acting = await this.acting(orgId, action);
        let isSent = false;
        try {
          const result = await attempt(draft, acting);
          const changes = draft.changes(doerOf(acting), action, subject);
          isSent = true;
          await this.storage.commit(changes);
          this.engine.chains.forgetOrg(orgId);
          draft.emit(this.engine.events);
          return result;
        } catch (error) {
          // It may be done all the same, only the answer was lost: to begin again would be to do it twice.
          if (isSent && !(error instanceof TollgateError)) {
            this.engine.chains.forgetOrg(orgId);
            throw error;
          }
          const moved = (await this.storage.get("trail", orgId))?.version !== draft.trail?.version;
          // What was decided on is no longer so, whichever way it was decided.
          if (moved && attempts < ATTEMPTS_MAX) continue;
          // The trail does not know of everything: a key deleted here may have been used just now.
          if (error instanceof ConflictError && attempts < UNKNOWN_CONFLICTS_MAX) continue;
          if (moved)
            throw new ConflictError(`org ${JSON.stringify(orgId)} is being written to by others; try again`);
          await this.#recordDenial(orgId, acting, action, subject, error);
          throw error instanceof Hidden ? new NotFoundError(error.kind, error.id) : error;
        }
      }
    });
  }

  async #recordDeniedRead(
    orgId: string,
    acting: Acting,
    permission: StandardPermission,
    subject: Subject,
    denied: PermissionError,
  ): Promise<void> {
    if (!this.engine.settings.auditDenied) return;
    await this.engine.orgQueue.run(orgId, () =>
      this.#recordDenial(orgId, acting, permission, subject, denied),
    );
  }

  /** Tells the audit trail of an attempt that was denied, if the gate is told to. */
  async #recordDenial(
    orgId: string,
    acting: Acting,
    action: string,
    subject: Subject,
    error: unknown,
  ): Promise<void> {
    const denial = error instanceof Hidden ? error.denied : error;
    const isDenial = [PermissionError, LimitError, LastOwnerError].some((type) => denial instanceof type);
    if (!isDenial || !this.engine.settings.auditDenied) return;
    const { message } = denial as TollgateError; // sound: it is one of the three
    for (let attempts = 1; ; attempts++) {
      const draft = await this.#draft(orgId);
      if (draft.trail === undefined) return; // there is no such org
      try {
        return await this.storage.commit(draft.denial(deniedDoerOf(acting), action, subject, message));
      } catch (failure) {
        if (!(failure instanceof ConflictError) || attempts === ATTEMPTS_MAX) throw failure;
      }
    }
  }

  async #draft(orgId: string): Promise<Draft> {
    return new Draft(this.storage, orgId, this.now(), await this.storage.get("trail", orgId));
  }
}

/** A denial that looks to the actor as if there was no such record. */
class Hidden extends NotFoundError {
  readonly kind: string;
  readonly id: string;
  readonly denied: PermissionError;

  constructor(kind: string, id: string, denied: PermissionError) {
    super(kind, id);
    this.kind = kind;
    this.id = id;
    this.denied = denied;
  }
}

/** @throws ConflictError naming both versions */
export function requireVersion(
  kind: RecordKind,
  record: { id: string; version: number },
  version: number | undefined,
): void {
  if (version === undefined || version === record.version) return;
  throw new ConflictError(
    `${kind} ${JSON.stringify(record.id)} is at version ${record.version}, not at version ${version}`,
  );
}

/** What a policy is asked about a record. */
const RESOURCES: { readonly [K in Addressed]: (record: Records[K]) => Resource } = {
  project: ({ orgId, id }) => ({ orgId, projectId: id }),
  key: ({ orgId, projectId, userId }) => ({ orgId, projectId, userId }),
  invitation: ofOrg,
  virtualModel: ofOrg,
  mcpServer: ofOrg,
  externalKey: ofOrg,
  creditGrant: ofOrg,
};

function ofOrg({ orgId }: { readonly orgId: string }): Resource {
  return { orgId };
}

/** Of an attempt that was denied. Somebody who is not in the org is nobody known: what was said to be their id may be a token. */
function deniedDoerOf(acting: Acting) {
  const { userId, keyId } = doerOf(acting);
  const isKnown = acting.principal.orgRole !== undefined;
  return { userId: isKnown ? userId : masked(userId), keyId };
}

function doerOf({ principal: { userId, via } }: Acting) {
  return { userId, keyId: via?.keyId };
}
