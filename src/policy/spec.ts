import type { Cap } from "./cap.js";
import type { Grant } from "./grant.js";
import type { Permissions, PermissionsOfKind } from "./permission.js";

/** What an org role grants: a reach for each permission; one that is left out is `none`. */
export type OrgGrants<P extends Permissions = Permissions, Condition extends string = string> = {
  readonly [Id in keyof P]?: Grant<P[Id], Condition>;
};

/** What a project role grants. It cannot be given a permission about the org. */
export type ProjectGrants<P extends Permissions = Permissions, Condition extends string = string> = {
  readonly [Id in keyof P]?: P[Id] extends "org" ? never : Grant<P[Id], Condition>;
};

/**
 * How a row of the matrix asks, and the kind of permission that it fits.
 *
 * It asks about a principal who belongs to one project of the org and not to another.
 */
export interface AskKinds {
  /** About the org. */
  readonly org: "org";
  /** About their project. */
  readonly project: "project";
  /** About both projects; a cell reads `own` when only theirs is allowed. */
  readonly anyProject: "project";
  /** About what is their own in their project. */
  readonly own: "owned";
  /** About what is somebody else's in their project. */
  readonly others: "owned";
  /** About what is somebody else's in the other project. */
  readonly othersElsewhere: "owned";
  /** About both in their project; a cell reads `own` when only their own is allowed. */
  readonly owned: "owned";
}

/** How a row of the matrix asks. */
export type Ask = keyof AskKinds;

export const askKinds: AskKinds = {
  org: "org",
  project: "project",
  anyProject: "project",
  own: "owned",
  others: "owned",
  othersElsewhere: "owned",
  owned: "owned",
};

/** A line of the matrix: a label for people, the permissions it governs, and how it asks about them. */
export type Row<P extends Permissions = Permissions> = {
  [A in Ask]: {
    readonly label: string;
    readonly ask: A;
    readonly permissions: readonly PermissionsOfKind<P, AskKinds[A]>[];
  };
}[Ask];

/**
 * A policy as data, as it is written, stored and compared. What is not granted is denied.
 *
 * Names of permissions, roles, conditions and caps are 1 to 64 letters, digits, `_`, `.` or `-`, beginning with a letter
 * or digit.
 */
export interface PolicySpec<
  P extends Permissions = Permissions,
  OrgRole extends string = string,
  ProjectRole extends string = string,
  Condition extends string = string,
  CapId extends string = string,
> {
  readonly permissions: P;
  readonly orgRoles: { readonly [Role in OrgRole]: OrgGrants<NoInfer<P>, NoInfer<Condition>> };
  readonly projectRoles?: { readonly [Role in ProjectRole]: ProjectGrants<NoInfer<P>, NoInfer<Condition>> };
  /** What a gateway finds out per call, each with a few words for people: `{ mfa: "a second factor" }`. At most 6. */
  readonly conditions?: { readonly [Name in Condition]: string };
  /** What may not be done in a scope, whichever role grants it. */
  readonly caps?: { readonly [Id in CapId]: Cap<NoInfer<P>, NoInfer<Condition>> };
  /** The org role of somebody who is in the org and nothing more; the matrix shows project roles on top of it. */
  readonly baseOrgRole: NoInfer<OrgRole>;
  /** Lines of the matrix; a permission that is in none of them gets a line of its own. */
  readonly rows?: readonly Row<NoInfer<P>>[];
}

/** A {@link PolicySpec} that was checked, with nothing left out. */
export interface PolicyData<
  P extends Permissions = Permissions,
  OrgRole extends string = string,
  ProjectRole extends string = string,
  Condition extends string = string,
  CapId extends string = string,
> {
  readonly permissions: { readonly [Id in keyof P]: P[Id] };
  readonly orgRoles: { readonly [Role in OrgRole]: OrgGrants<P, Condition> };
  readonly projectRoles: { readonly [Role in ProjectRole]: ProjectGrants<P, Condition> };
  readonly conditions: { readonly [Name in Condition]: string };
  /** Of any permissions, so that a policy with more serves wherever one with fewer is wanted; rows, too. */
  readonly caps: { readonly [Id in CapId]: Cap };
  readonly baseOrgRole: string;
  readonly rows: readonly Row[];
}
