import { expect } from "vitest";
import type { Accepted } from "../../../src/gate/control/invitations.js";
import { doerOf, type Op, type Outcome, PROJECTS, USERS, type World } from "./world.js";

/** The matrix, written out again: what a role in a project may do there. An owner may do everything everywhere. */
const ADMIN = [
  "project.view",
  "project.update",
  "projectMember.view",
  "projectMember.add",
  "projectMember.remove",
  "projectMember.setRole",
  "projectMember.setLimits",
];
const KEYS = [
  "key.create",
  "key.view",
  "key.update",
  "key.disable",
  "key.rotate",
  "key.revoke",
  "usage.view",
];
const PROJECT = [...ADMIN, "project.delete"];
const ORG = [
  "project.create",
  "billing.view",
  "billing.manage",
  "org.view",
  "org.update",
  "org.delete",
  "orgMember.view",
  "orgMember.add",
  "orgMember.setRole",
  "orgMember.remove",
  "invitation.create",
  "invitation.view",
  "invitation.revoke",
  "audit.view",
  "externalKey.manage",
  "virtualModel.manage",
  "mcpServer.manage",
  "prompt.manage",
];

export interface Cell {
  readonly permission: string;
  readonly projectId?: string;
  readonly userId?: string;
}

/** Every cell of the finite world. */
export const CELLS: readonly Cell[] = [
  ...ORG.map((permission) => ({ permission })),
  ...PROJECTS.flatMap((projectId) => [
    ...PROJECT.map((permission) => ({ permission, projectId })),
    ...KEYS.flatMap((permission) => USERS.map((userId) => ({ permission, projectId, userId }))),
  ]),
];

type Doer = NonNullable<ReturnType<typeof doerOf>>;

/** Who was given which role: the plainest model there is, kept by hand from what was done. */
export class Roles {
  readonly org = new Map<string, string>();
  readonly project = new Map<string, Map<string, { role: string; expiresAt: number }>>();
  /** Who disabled each key that is disabled. */
  readonly disabledBy = new Map<string, string>();

  constructor() {
    this.org.set("ann", "owner");
    for (const name of ["ben", "cem", "dan"]) this.org.set(name, "member");
    for (const name of ["p0", "p1"]) this.project.set(name, new Map());
    this.project.get("p0")?.set("ben", { role: "admin", expiresAt: Number.POSITIVE_INFINITY });
    this.project.get("p0")?.set("cem", { role: "member", expiresAt: Number.POSITIVE_INFINITY });
  }

  roleIn(projectId: string, userId: string, now: number): string | undefined {
    const given = this.project.get(projectId)?.get(userId);
    return given && now < given.expiresAt && this.org.has(userId) ? given.role : undefined;
  }

  /** Whether the roles that somebody was given reach a cell. */
  may(who: string, { permission, projectId, userId }: Cell, now: number): boolean {
    if (this.org.get(who) === "owner") return true;
    if (projectId === undefined) return false;
    const role = this.roleIn(projectId, who, now);
    if (role === undefined) return false;
    if (userId !== undefined) return role === "admin" || userId === who;
    return role === "admin" ? ADMIN.includes(permission) : permission === "project.view";
  }

  /** What an op asks for, as a cell. */
  cellOf(op: Op, world: World, doer: string): Cell | undefined {
    const target = "nth" in op ? world.tokens[op.nth % Math.max(1, world.tokens.length)] : undefined;
    const ofKey = (permission: string) =>
      target && { permission, projectId: target.projectId, userId: target.holder };
    switch (op.type) {
      case "projectMembers.setExpiry":
        return { permission: "projectMember.add", projectId: op.project };
      case "projectMembers.add":
      case "projectMembers.setRole":
      case "projectMembers.setLimits":
      case "projectMembers.remove":
        return { permission: op.type.replace("Members", "Member"), projectId: op.project };
      case "projects.update":
      case "projects.delete":
        return { permission: op.type.replace("projects", "project"), projectId: op.project };
      case "keys.create":
        return { permission: "key.create", projectId: op.project, userId: op.user ?? doer };
      case "keys.update":
        return ofKey("key.update");
      case "keys.rotate":
        return ofKey("key.rotate");
      case "keys.status":
        return ofKey(op.verb === "revoke" ? "key.revoke" : "key.disable");
      case "invitations.accept":
      case "wait":
        return undefined;
      case "invitations.revoke":
        return world.invitations.length > 0 ? { permission: "org" } : undefined;
      default:
        return { permission: "org" };
    }
  }

  /** What an op asks for besides: to enable a key, what its disabling by somebody asked for. */
  disablingOf(op: Op, cell: Cell, world: World): Cell {
    if (op.type !== "keys.status" || op.verb === "revoke") return cell;
    const keyId = world.tokens[op.nth % Math.max(1, world.tokens.length)]?.keyId ?? "";
    return { ...cell, userId: this.disabledBy.get(keyId) ?? cell.userId ?? "" };
  }

  /** Holds an outcome against the model, before it is taken into it. */
  expectAllowed(op: Op, outcome: Outcome, world: World, before: World["tokens"]): void {
    const doer = doerOf({ ...world, tokens: before }, op);
    if (doer === undefined) return;
    const cell = this.cellOf(op, { ...world, tokens: before }, doer.userId);
    if (cell === undefined) return;
    const { token } = doer;
    const isEnabling = op.type === "keys.status" && op.verb === "enable";
    const may =
      this.mayAs(doer, cell, world) &&
      (!isEnabling || this.mayAs(doer, this.disablingOf(op, cell, { ...world, tokens: before }), world));
    if (outcome.done) expect({ op, may }).toEqual({ op, may: true });
    else if (may && !token) expect({ op, code: outcome.error.code }).not.toEqual({ op, code: "permission" });
  }

  /** Whether somebody may, through a token only if whoever was handed it may too. */
  mayAs({ userId, token }: Doer, cell: Cell, { clock }: World): boolean {
    if (token === undefined) return this.may(userId, cell, clock.time);
    if (cell.projectId !== token.projectId) return false;
    return [userId, token.issuedTo].every((who) => this.may(who, cell, clock.time));
  }

  /** Takes what was done into the model. */
  take(op: Op, outcome: Outcome, world: World, doer: string): void {
    if (!outcome.done || outcome.result === null) return;
    const end = (endsIn: number | null | undefined) =>
      endsIn == null ? Number.POSITIVE_INFINITY : world.clock.time + endsIn;
    switch (op.type) {
      case "orgMembers.add":
      case "orgMembers.setRole":
        this.org.set(op.user, op.role);
        break;
      case "orgMembers.remove":
        this.org.delete(op.user);
        for (const members of this.project.values()) members.delete(op.user);
        break;
      case "projectMembers.add":
        this.project.get(op.project)?.set(op.user, { role: op.role, expiresAt: end(op.endsIn) });
        break;
      case "projectMembers.setRole":
      case "projectMembers.setExpiry": {
        const given = this.project.get(op.project)?.get(op.user);
        if (given && op.type === "projectMembers.setRole") given.role = op.role;
        if (given && op.type === "projectMembers.setExpiry") given.expiresAt = end(op.endsIn);
        break;
      }
      case "projectMembers.remove":
        this.project.get(op.project)?.delete(op.user);
        break;
      case "keys.status": {
        const [cell, by] = [this.cellOf(op, world, doer), doerOf(world, op)];
        const keyId = world.tokens[op.nth % Math.max(1, world.tokens.length)]?.keyId;
        if (cell === undefined || by === undefined || keyId === undefined) break;
        // Whoever may not enable it is not taken for whoever disabled it, though they disable it once more.
        if (op.verb !== "disable") this.disabledBy.delete(keyId);
        else if (this.mayAs(by, this.disablingOf(op, cell, world), world)) this.disabledBy.set(keyId, doer);
        break;
      }
      case "projects.create":
        this.project.set(op.project, new Map());
        break;
      case "projects.delete":
        this.project.delete(op.project);
        break;
      case "invitations.accept": {
        if (outcome.result === undefined) break;
        const { orgMember, projectMembers } = outcome.result as Accepted; // sound: it is what accept returns
        this.org.set(doer, orgMember.role);
        for (const { projectId, role, expiresAt } of projectMembers) {
          this.project.get(projectId)?.set(doer, { role, expiresAt: expiresAt ?? Number.POSITIVE_INFINITY });
        }
        break;
      }
    }
  }
}
