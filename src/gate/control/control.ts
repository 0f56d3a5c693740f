import { ConflictError, isTollgateError, NotFoundError, PermissionError } from "../../model/errors.js";
import type { Records } from "../../model/records.js";
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
import { type Addressed, addressed, type Ref, requireVersion, resourceOf, VIEWING } from "./addressed.js";
import { deniedDoerOf, doerOf, Hidden, reasonOfDenial } from "./denial.js";
import { Draft, type Subject } from "./draft.js";

/**
 * How often a write starts again because another process wrote to the org meanwhile. Each time, that other write
 * succeeded.
 */
const ATTEMPTS_MAX = 50;

/**
 * How often a conflict must recur that no other write of the org explains before the caller is told. Where uses of keys
 * explain it, each of them was written, so it is as if other writes came first.
 */
const UNKNOWN_CONFLICTS_MAX = 3;

/** What one write asks for, and what the audit trail says of it. */
export type Ask = StandardPermission | { readonly action: string; readonly permission: StandardPermission };

/** What every noun of the control plane is built on: the one way to authorize, read and write. */
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

  /** The user who acts. Undefined if a token does. */
  get userId(): string | undefined {
    return "userId" in this.#actor ? this.#actor.userId : undefined;
  }

  /**
   * Checks the token that acts before any record is looked up: for a token that does not work, the answer must not
   * reveal what exists.
   *
   * @throws PermissionError if it does not work
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

  /** @throws PermissionError if the actor may not */
  require(acting: Asking, permission: StandardPermission, resource: Resource): void {
    const denied = this.#denial(acting, permission, resource);
    if (denied) throw denied;
  }

  /**
   * Reads something if the actor has a permission.
   *
   * @param subject what the audit trail says was to be read. Default: the org or the project.
   */
  async read<T>(
    permission: StandardPermission,
    resource: Resource,
    reading: (acting: Acting) => Promise<T>,
    subject = placeOf(resource),
  ): Promise<T> {
    const { orgId } = resource;
    const acting = await this.acting(orgId, permission);
    const denied = this.#denial(acting, permission, resource);
    if (denied === undefined) return reading(acting);
    await this.#recordDeniedRead(orgId, acting, permission, subject, denied);
    throw denied;
  }

  /**
   * Reads a record that the actor may see.
   *
   * @throws NotFoundError if it does not exist or they may not see it
   */
  async view<K extends Addressed>(kind: K, ref: Ref): Promise<Records[K]> {
    const permission = VIEWING[kind];
    await this.requireToken(permission);
    const record = await addressed(this.storage, kind, ref);
    const resource = resourceOf(kind, record);
    const acting = await this.acting(record.orgId, permission);
    const denied = this.#denial(acting, permission, resource);
    if (denied === undefined) return record;
    const subject = { kind, id: ref.id, projectId: resource.projectId };
    await this.#recordDeniedRead(record.orgId, acting, permission, subject, denied);
    throw new NotFoundError(kind, ref.id);
  }

  /**
   * Writes if the actor has a permission that does not depend on what is stored.
   *
   * @throws PermissionError if they do not
   */
  write<T>(
    ask: Ask,
    resource: Resource,
    subject: Subject,
    attempt: (draft: Draft, acting: Acting) => Promise<T>,
  ): Promise<T> {
    const { action, permission } = named(ask);
    return this.transact(resource.orgId, action, subject, async (draft, acting) => {
      this.require(acting, permission, resource);
      return attempt(draft, acting);
    });
  }

  /**
   * Writes to a record if the actor has a permission for it.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   * @throws PermissionError if they may only see it
   * @throws ConflictError if it is not at the version that the caller has seen
   */
  async writeTo<K extends Addressed, T>(
    ask: Ask,
    kind: K,
    ref: Ref,
    attempt: (record: Records[K], draft: Draft, acting: Acting) => Promise<T>,
  ): Promise<T> {
    const { action, permission } = named(ask);
    await this.requireToken(action);
    const { id } = ref;
    const home = await addressed(this.storage, kind, ref);
    const subject = { kind, id, projectId: resourceOf(kind, home).projectId };
    return this.transact(home.orgId, action, subject, async (draft, acting) => {
      const record = await draft.get(kind, id);
      if (record === undefined) throw new NotFoundError(kind, id);
      const resource = resourceOf(kind, record);
      const denied = this.#denial(acting, permission, resource);
      if (denied) {
        throw this.can(acting, VIEWING[kind], resource)
          ? denied
          : new Hidden(new NotFoundError(kind, id), denied);
      }
      requireVersion(kind, record, ref.version);
      return attempt(record, draft, acting);
    });
  }

  /**
   * Runs one write: it reads, decides and commits together with its audit event, and starts again if another process
   * wrote to the org first. When it resolves, the next call sees what was written.
   */
  async transact<T>(
    orgId: string,
    action: string,
    subject: Subject,
    attempt: (draft: Draft, acting: Acting) => Promise<T>,
  ): Promise<T> {
    return this.engine.orgQueue.run(orgId, async () => {
      for (let attempts = 1; ; attempts++) {
        // INVARIANT: the trail is read before anything else, so a write that comes in between is noticed.
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
          // The commit may have succeeded and only its answer been lost. Starting again could write twice.
          if (isSent && !isTollgateError(error)) {
            this.engine.chains.forgetOrg(orgId);
            throw error;
          }
          const isOvertaken = (await this.storage.get("trail", orgId))?.version !== draft.trail?.version;
          // Another write came first, so what this one has read, and refused or allowed, may be wrong by now.
          if (isOvertaken && attempts < ATTEMPTS_MAX) continue;
          // Not every change raises the version of the trail: the last use of a key does not, and conflicts with
          // deleting the key.
          const conflictsMax = draft.removesUses ? ATTEMPTS_MAX : UNKNOWN_CONFLICTS_MAX;
          if (isTollgateError(error, "conflict") && attempts < conflictsMax) continue;
          if (isOvertaken)
            throw new ConflictError(`org ${JSON.stringify(orgId)} is being written to by others; try again`);
          await this.#recordDenial(orgId, acting, action, subject, error);
          throw error instanceof Hidden ? error.shown : error;
        }
      }
    });
  }

  /** Why it is not allowed. Undefined if it is. */
  #denial(acting: Asking, permission: StandardPermission, resource: Resource): PermissionError | undefined {
    const verdict = verdictOf(this.policy, acting, permission, resource);
    return verdict.allowed ? undefined : new PermissionError(permission, verdict.reason);
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

  /** Records a denied attempt in the audit trail, if the gate is set to. */
  async #recordDenial(
    orgId: string,
    acting: Acting,
    action: string,
    subject: Subject,
    error: unknown,
  ): Promise<void> {
    const reason = reasonOfDenial(error);
    if (reason === undefined || !this.engine.settings.auditDenied) return;
    for (let attempts = 1; ; attempts++) {
      const draft = await this.#draft(orgId);
      if (draft.trail === undefined) return; // there is no such org
      try {
        return await this.storage.commit(draft.denial(deniedDoerOf(acting), action, subject, reason));
      } catch (failure) {
        if (!isTollgateError(failure, "conflict") || attempts === ATTEMPTS_MAX) throw failure;
      }
    }
  }

  async #draft(orgId: string): Promise<Draft> {
    return new Draft(this.storage, orgId, this.now(), await this.storage.get("trail", orgId));
  }
}

/** The project that something is in or, without one, the org. */
export function placeOf({ orgId, projectId }: Pick<Resource, "orgId" | "projectId">): Subject {
  return projectId === undefined ? { kind: "org", id: orgId } : { kind: "project", id: projectId, projectId };
}

function named(ask: Ask): Exclude<Ask, string> {
  return typeof ask === "string" ? { action: ask, permission: ask } : ask;
}
