import type { Limits } from "./limits.js";

/** The org role that is an admin of every project without a membership. */
export const OWNER = "owner";

/** What every record has. */
interface AnyRecord {
  /** 1 to 4,000 characters. Unique within its kind. */
  readonly id: string;
  /** The org that the record belongs to. For an org, its own id. */
  readonly orgId: string;
  /** 1 when the record is made, and one more after each write. */
  readonly version: number;
}

/** What every record has that somebody made. */
interface MadeRecord extends AnyRecord {
  /** When it was made, in epoch milliseconds. */
  readonly createdAt: number;
}

/** An org. */
export interface OrgRecord extends MadeRecord {
  /** A name for people. */
  readonly name: string;
  /** No call of a suspended org passes. */
  readonly status: "active" | "suspended";
  /** The IANA time zone in which its budgets reset. */
  readonly timeZone: string;
  /** Limits of all its calls together. */
  readonly limits?: Limits | undefined;
  /** `false` switches content logging off for the whole org. */
  readonly contentLogging: boolean;
}

/** A user's membership in an org. Its id is made of both ids, so nobody is in an org twice. */
export interface OrgMemberRecord extends MadeRecord {
  readonly userId: string;
  /** An org role of the policy. */
  readonly role: string;
}

/** What an invitation grants in one project. */
export interface ProjectGrant {
  readonly projectId: string;
  /** A project role of the policy. */
  readonly role: string;
  /** Limits over all keys that the new member will have in the project. */
  readonly limits?: Limits | undefined;
}

/** An invitation to an org. */
export interface InvitationRecord extends MadeRecord {
  /** The SHA-256 hash of the one-time token. */
  readonly hash: string;
  /** The token with all but its beginning and end left out. */
  readonly preview: string;
  /** The user who made it. */
  readonly invitedBy: string;
  /** Whom the invitation is for, as a note, such as an address to send it to. */
  readonly email?: string | undefined;
  /** If set, only this user may accept it. */
  readonly userId?: string | undefined;
  /** The role in the org that it gives. */
  readonly role: string;
  /** The projects that it gives, with what in each. */
  readonly projects: readonly ProjectGrant[];
  /** When the memberships in the projects end, in epoch milliseconds. Absent if they do not. */
  readonly membershipExpiresAt?: number | undefined;
  /** Until when it can be accepted, in epoch milliseconds. */
  readonly expiresAt: number;
  readonly status: "pending" | "accepted" | "revoked";
  /** The user who accepted it. */
  readonly acceptedBy?: string | undefined;
  /** The policy's conditions that held for whoever made the invitation. */
  readonly conditions?: readonly string[] | undefined;
}

/** A project of an org. */
export interface ProjectRecord extends MadeRecord {
  /** A name for people. */
  readonly name: string;
  /** No call of an archived project passes. */
  readonly status: "active" | "archived";
  /** Patterns of the models that its keys may call. `null` allows all, `[]` none. */
  readonly models: readonly string[] | null;
  /** Patterns of the MCP servers that its keys may call. `null` allows all, `[]` none. */
  readonly mcpServers: readonly string[] | null;
  /** Limits of all its calls together. */
  readonly limits?: Limits | undefined;
  /** `false` switches content logging off for the project. */
  readonly contentLogging: boolean;
}

/** A user's membership in a project. Its id is made of the three ids, so nobody is in a project twice. */
export interface ProjectMemberRecord extends MadeRecord {
  readonly projectId: string;
  readonly userId: string;
  /** A project role of the policy. */
  readonly role: string;
  /** Limits over all the member's keys in the project. */
  readonly limits?: Limits | undefined;
  /** When it ends by itself, in epoch milliseconds. Absent if it does not. */
  readonly expiresAt?: number | undefined;
}

/** A key. */
export interface KeyRecord extends MadeRecord {
  readonly projectId: string;
  /** The holder. */
  readonly userId: string;
  /** A name for people. */
  readonly name?: string | undefined;
  /** Free labels, such as `{ purpose: "batch" }`. */
  readonly tags: Readonly<Record<string, string>>;
  /** A revoked key stays revoked. */
  readonly status: "active" | "disabled" | "revoked";
  /** Who disabled it, as long as it is disabled. Whoever enables it must be allowed to enable keys of this user. */
  readonly disabledBy?: string | undefined;
  /** Set if the key was revoked because its holder left. Until they are back, callers are told `holder_removed`. */
  readonly revokedWithHolder?: true | undefined;
  /** The SHA-256 hash of the token. */
  readonly hash: string;
  /** The token with all but its beginning and end left out, such as `sk-tg-••••4f2a`. */
  readonly preview: string;
  /** The user who received the token when it was made. */
  readonly issuedTo: string;
  /** The SHA-256 hash of the token before the last rotation. */
  readonly previousHash?: string | undefined;
  /** Until when that token works too, in epoch milliseconds. */
  readonly previousExpiresAt?: number | undefined;
  /** The user who received that token. */
  readonly previousIssuedTo?: string | undefined;
  /** Patterns of the models that it may call, of those that its project may. `null` allows all of them, `[]` none. */
  readonly models: readonly string[] | null;
  /** Patterns of the MCP servers that it may call, of those that its project may. `null` allows all of them, `[]` none. */
  readonly mcpServers: readonly string[] | null;
  /** Limits of its calls. */
  readonly limits?: Limits | undefined;
  /** `false` switches content logging off for the key. */
  readonly contentLogging: boolean;
  /** When it ends by itself, in epoch milliseconds. Absent if it does not. */
  readonly expiresAt?: number | undefined;
}

/** When a key was last used. It is a record of its own so that using a key does not change the key's version. */
export interface KeyUseRecord extends AnyRecord {
  /** Epoch milliseconds. */
  readonly usedAt: number;
}

/** An org's own name for an ordered list of models. */
export interface VirtualModelRecord extends MadeRecord {
  /** The name that calls use. */
  readonly alias: string;
  /** The models that it stands for, in the order of fallback: 1 to 50. */
  readonly models: readonly string[];
}

/** An MCP server that an org knows. */
export interface McpServerRecord extends MadeRecord {
  /** The name that calls and lists use. */
  readonly name: string;
  /** Where it is, for the gateway. */
  readonly url?: string | undefined;
  /** What it is, for people. */
  readonly description?: string | undefined;
}

/** A reference to a provider key of the customer's own. */
export interface ExternalKeyRecord extends MadeRecord {
  /** The provider it is for, by the gateway's name for it. */
  readonly provider: string;
  /** The only project that uses it. Absent: all projects without one of their own. */
  readonly projectId?: string | undefined;
  /** A name for people. */
  readonly name?: string | undefined;
  /** Where the gateway keeps the secret, such as a path in a vault. Never the secret itself. */
  readonly secretRef: string;
}

/** Money that an org has paid in advance. */
export interface CreditGrantRecord extends MadeRecord {
  /** The amount in nano-USD (1 USD is 1e9). */
  readonly nanoUsd: number;
  /** What it is for, such as the number of an invoice. */
  readonly note?: string | undefined;
  readonly status: "granted" | "revoked";
}

/** What is known of all writes of an org. Its `version` counts them, so a write that does not know the latest conflicts. */
export interface TrailRecord extends AnyRecord {
  /** The latest moment of any of these writes. */
  readonly latestAt: number;
  /** The most that the moment of one of them was before the latest by then, in milliseconds: above 0 if clocks went back. */
  readonly behindMs: number;
  /** All credit that was granted and not revoked, in nano-USD. Absent if none was ever granted. */
  readonly creditsNanoUsd?: number | undefined;
}

/** What one write did to one record. Without `before` it was made; without `after` it was deleted. */
export interface AuditedChange {
  /** The kind of the record. */
  readonly kind: string;
  readonly id: string;
  /** The record before the write, without hashes. */
  readonly before?: Readonly<Record<string, unknown>> | undefined;
  /** The record after the write, without hashes. */
  readonly after?: Readonly<Record<string, unknown>> | undefined;
}

/** An event of an org's audit trail. */
export interface AuditEventRecord extends AnyRecord {
  /** The number of the org's write that the event belongs to: 1, 2, … A large write has several events. */
  readonly sequence: number;
  /** When it was done, in epoch milliseconds. */
  readonly at: number;
  /** The latest `at` of the org's events up to this one: a later one than its own if a clock went back. */
  readonly latestAt: number;
  /** The user who did it. */
  readonly actorUserId: string;
  /** The key that acted for the user, if one did. */
  readonly actorKeyId?: string | undefined;
  /** What was done, such as `key.rotate`. */
  readonly action: string;
  readonly outcome: "done" | "denied";
  /** Why the attempt was denied, in words. */
  readonly reason?: string | undefined;
  /** The kind of what it was done to, such as `key`. */
  readonly subjectKind: string;
  /** The id of what it was done to. */
  readonly subjectId: string;
  /** The project in which it was done, if it was in one. */
  readonly projectId?: string | undefined;
  /** Each record that it changed. */
  readonly changes: readonly AuditedChange[];
}

/** The type of each kind of record that a `Storage` keeps. */
export interface Records {
  readonly org: OrgRecord;
  readonly orgMember: OrgMemberRecord;
  readonly invitation: InvitationRecord;
  readonly project: ProjectRecord;
  readonly projectMember: ProjectMemberRecord;
  readonly key: KeyRecord;
  readonly keyUse: KeyUseRecord;
  readonly virtualModel: VirtualModelRecord;
  readonly mcpServer: McpServerRecord;
  readonly externalKey: ExternalKeyRecord;
  readonly creditGrant: CreditGrantRecord;
  readonly trail: TrailRecord;
  readonly auditEvent: AuditEventRecord;
}

/** A kind of record, such as `project` or `key`. */
export type RecordKind = keyof Records;

/** The id of a membership. No two are alike, whatever the parts contain, so nobody can be in the same place twice. */
export function membershipId(
  ...parts:
    | readonly [orgId: string, userId: string]
    | readonly [orgId: string, projectId: string, userId: string]
): string {
  return JSON.stringify(parts);
}

/** The number of a part that no write has: it would be of some 200 million changes. */
const PARTS_END = 999_999;

/** Stands behind the ids of all parts of an org's nth write, and before those of its later writes. */
export function auditEventsEnd(orgId: string, sequence: number): string {
  return auditEventId(orgId, sequence, PARTS_END);
}

/** The id of one part of an org's nth write in its audit trail. The ids sort in the order of the writes. */
export function auditEventId(orgId: string, sequence: number, part: number): string {
  return JSON.stringify([orgId, String(sequence).padStart(12, "0"), String(part).padStart(6, "0")]);
}

/** The n of the id of a part of an org's nth write. Undefined for any other id. */
export function auditSequenceOf(orgId: string, id: string): number | undefined {
  const sequence = Number(/,"(\d{12})","\d{6}"\]$/.exec(id)?.[1]);
  const part = Number(id.slice(-8, -2));
  return id === auditEventId(orgId, sequence, part) ? sequence : undefined;
}
