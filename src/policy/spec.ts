import type { Cap } from "./cap.js";
import type { Grant } from "./grant.js";
import type { Permissions, PermissionsOfKind } from "./permission.js";

/** What an org role grants, by permission. A permission that is left out has the reach `none`. */
export type OrgGrants<P extends Permissions = Permissions, Condition extends string = string> = {
  readonly [Id in keyof P]?: Grant<P[Id], Condition> | undefined;
};

/** What a project role grants, by permission. Permissions about the org are not allowed here. */
export type ProjectGrants<P extends Permissions = Permissions, Condition extends string = string> = {
  readonly [Id in keyof P]?: (P[Id] extends "org" ? never : Grant<P[Id], Condition>) | undefined;
};

/**
 * The ways in which a row of the matrix can ask, each with the kind of permission that it fits.
 *
 * The principal asked about belongs to one project of the org and not to another.
 */
export interface AskKinds {
  /** About the org. */
  readonly org: "org";
  /** About their own project. */
  readonly project: "project";
  /** About both projects. The cell is `own` if only their own project is allowed. */
  readonly anyProject: "project";
  /** About what is theirs in their project. */
  readonly own: "owned";
  /** About what is somebody else's in their project. */
  readonly others: "owned";
  /** About what is somebody else's in the other project. */
  readonly othersElsewhere: "owned";
  /** About both what is theirs and what is not, in their project. The cell is `own` if only theirs is allowed. */
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

/** A row of the matrix: a label for people, the permissions in it, and how it asks about them. */
export type Row<P extends Permissions = Permissions> = {
  [A in Ask]: {
    readonly label: string;
    readonly ask: A;
    readonly permissions: readonly PermissionsOfKind<P, AskKinds[A]>[];
  };
}[Ask];

/**
 * A policy as data: how it is written, stored and compared. Whatever is not granted is denied. What may be left out may
 * also be `undefined`.
 *
 * Names of permissions, roles, conditions and caps are 1 to 64 letters, digits, `_`, `.` or `-`, beginning with a
 * letter or digit. There are at most 256 of each, but at most 6 conditions.
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
  readonly projectRoles?:
    | { readonly [Role in ProjectRole]: ProjectGrants<NoInfer<P>, NoInfer<Condition>> }
    | undefined;
  /**
   * The conditions that a gateway finds out for each call, each described for people in one line of 1 to 120
   * characters: `{ mfa: "a second factor" }`. At most 6.
   */
  readonly conditions?: { readonly [Name in Condition]: string } | undefined;
  /** Permissions that nobody has in a scope, whichever role grants them, by the cap's id. */
  readonly caps?: { readonly [Id in CapId]: Cap<NoInfer<P>, NoInfer<Condition>> } | undefined;
  /** The org role of somebody who is in the org and nothing more. The matrix shows project roles on top of it. */
  readonly baseOrgRole: NoInfer<OrgRole>;
  /** Rows of the matrix. A permission in none of them gets a row of its own. */
  readonly rows?: readonly Row<NoInfer<P>>[] | undefined;
}

/** A {@link PolicySpec} that has been checked, with nothing left out. */
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
  /**
   * Typed for any permissions, like `rows`, so that a policy with more permissions can be used wherever one with fewer
   * is expected.
   */
  readonly caps: { readonly [Id in CapId]: Cap };
  readonly baseOrgRole: string;
  readonly rows: readonly Row[];
}
