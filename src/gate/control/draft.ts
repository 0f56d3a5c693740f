import { ConflictError } from "../../model/errors.js";
import { masked } from "../../model/masked.js";
import { type AuditedChange, auditEventId, type RecordKind, type Records } from "../../model/records.js";
import { unknownIn } from "../../storage/checks.js";
import type { Change, Page, Storage, Where } from "../../storage/storage.js";
import { chunks } from "../chunks.js";
import type { GateEventHub, GateEvents } from "../events/events.js";
import { viewOf } from "./views.js";

/** What a write is about, for the audit trail. */
export interface Subject {
  readonly kind: RecordKind;
  readonly id: string;
  readonly projectId?: string | undefined;
}

/** Who did it, for the audit trail. */
export interface Doer {
  readonly userId: string;
  readonly keyId?: string | undefined;
}

/** The most changes in one audit event. A large deletion has several events. */
const CHANGES_MAX = 200;

/** A new record without its version, which the draft adds. */
export type Made<K extends RecordKind> = Omit<Records[K], "version">;

/** The changes of a record. `undefined` removes an optional field. */
export type Patch<K extends RecordKind> = { readonly [F in keyof Made<K>]?: Made<K>[F] | undefined };

/**
 * One write of an org in progress: what it reads, what it changes, and what it emits once it is done.
 *
 * INVARIANT: every write of an org raises the version of its trail and expects the version that it began with. So of
 * two writes that began in the same state only one succeeds, and what a write has read and decided still holds at its
 * commit.
 */
export class Draft {
  readonly orgId: string;
  /** The one moment of the write. */
  readonly now: number;
  /** The org's trail when the write began. Undefined if the org never existed. */
  readonly trail: Records["trail"] | undefined;
  /** All credit of the org after the write, in nano-USD. It is kept on the trail; undefined if none was ever granted. */
  creditsNanoUsd: number | undefined;
  readonly #storage: Storage;
  readonly #changes: Change[] = [];
  readonly #told: ((events: GateEventHub) => void)[] = [];
  readonly #audited: AuditedChange[] = [];

  constructor(storage: Storage, orgId: string, now: number, trail: Records["trail"] | undefined) {
    this.#storage = storage;
    this.orgId = orgId;
    this.now = now;
    this.trail = trail;
    this.creditsNanoUsd = trail?.creditsNanoUsd;
  }

  /** Reads a record of this org as it is stored, without the changes of this draft. */
  async get<K extends RecordKind>(kind: K, id: string): Promise<Records[K] | undefined> {
    const record = await this.#storage.get(kind, id);
    return record?.orgId === this.orgId ? record : undefined;
  }

  /** Finds records of this org, likewise. */
  async find<K extends RecordKind>(kind: K, where: Where<K>, page?: Page): Promise<Records[K][]> {
    return this.#storage.find(kind, { ...where, orgId: this.orgId }, page);
  }

  create<K extends RecordKind>(kind: K, made: Made<K>): Records[K] {
    const record = { ...made, version: 1 } as Records[K]; // sound: the version is all that was missing
    this.#change(kind, undefined, record);
    return record;
  }

  /** @throws ConflictError if what stays of the record has values that only a later version of the package knows */
  replace<K extends RecordKind>(kind: K, before: Records[K], patch: Patch<K>): Records[K] {
    // Sound: a patch has fields of the record, and the storage checks that no required one is removed.
    const record = { ...before, ...patch, version: before.version + 1 } as Records[K];
    const unknown = unknownIn(kind, record)
      .map(({ field }) => field)
      .filter((field) => !Object.keys(patch).some((name) => isWithin(field, `${kind}.${name}`)));
    if (unknown.length > 0) {
      throw new ConflictError(
        `a later version of tollgate has written ${unknown.join(", ")}, which this process does not know; ` +
          "ask a process of that version to make the change",
      );
    }
    this.#change(kind, before, record);
    return record;
  }

  remove<K extends RecordKind>(kind: K, before: Records[K]): void {
    this.#change(kind, before, undefined);
  }

  /** Whether it removes uses of keys, which calls write at any moment and without the trail. */
  get removesUses(): boolean {
    return this.#changes.some(({ kind }) => kind === "keyUse");
  }

  /** Adds an event to emit once the write is done. */
  tell<E extends keyof GateEvents>(event: E, payload: GateEvents[E]): void {
    this.#told.push((events) => events.emit(event, payload));
  }

  emit(events: GateEventHub): void {
    for (const tell of this.#told) tell(events);
  }

  /** Everything to commit: the changes, and who made them. */
  changes(by: Doer, action: string, subject: Subject): Change[] {
    const parts = chunks(this.#audited, CHANGES_MAX);
    return [
      ...this.#changes,
      ...this.#trailChanges(parts.map((changes) => ({ by, action, subject, changes, outcome: "done" }))),
    ];
  }

  /**
   * The commit of a denied attempt, which is its audit event alone. Ids are masked, since a token may have been passed
   * in place of one.
   */
  denial(by: Doer, action: string, { kind, id, projectId }: Subject, reason: string): Change[] {
    const subject = { kind, id: masked(id), projectId: projectId && masked(projectId) };
    return this.#trailChanges([{ by, action, subject, changes: [], outcome: "denied", reason }]);
  }

  #change<K extends RecordKind>(
    kind: K,
    before: Records[K] | undefined,
    after: Records[K] | undefined,
  ): void {
    const id = (after ?? before)?.id ?? "";
    // Sound: the record is of the kind; TypeScript does not relate a union's members through a type parameter.
    this.#changes.push({
      kind,
      id,
      expectedVersion: before?.version ?? 0,
      record: after,
    } as unknown as Change);
    if (kind === "keyUse") return; // nobody's act: it is removed along with its key
    this.#audited.push({
      kind,
      id,
      ...(before && { before: { ...viewOf(kind, before) } }),
      ...(after && { after: { ...viewOf(kind, after) } }),
    });
  }

  #trailChanges(
    events: readonly (Pick<Records["auditEvent"], "action" | "outcome" | "reason" | "changes"> & {
      by: Doer;
      subject: Subject;
    })[],
  ): Change[] {
    const { orgId, now } = this;
    const last = this.trail?.version ?? 0;
    const sequence = last + 1;
    const latestAt = Math.max(now, this.trail?.latestAt ?? now);
    const behindMs = Math.max(latestAt - now, this.trail?.behindMs ?? 0);
    const records = events.map(({ by, subject, ...event }, part): Records["auditEvent"] => ({
      id: auditEventId(orgId, sequence, part),
      orgId,
      version: 1,
      sequence,
      at: now,
      latestAt,
      actorUserId: by.userId,
      ...(by.keyId !== undefined && { actorKeyId: by.keyId }),
      subjectKind: subject.kind,
      subjectId: subject.id,
      ...(subject.projectId !== undefined && { projectId: subject.projectId }),
      ...event,
    }));
    return [
      {
        kind: "trail",
        id: orgId,
        expectedVersion: last,
        record: {
          ...this.trail, // with whatever a later version keeps there
          id: orgId,
          orgId,
          version: sequence,
          latestAt,
          behindMs,
          ...(this.creditsNanoUsd !== undefined && { creditsNanoUsd: this.creditsNanoUsd }),
        },
      },
      ...records.map((record) => ({
        kind: "auditEvent" as const,
        id: record.id,
        expectedVersion: 0,
        record,
      })),
    ];
  }
}

/** Whether a path of a problem is that of a field, or leads into it. */
function isWithin(path: string, field: string): boolean {
  return path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`);
}
