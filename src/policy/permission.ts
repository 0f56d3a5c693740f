import type { Resource } from "./principal.js";

/** What a permission is about: the org, a project in it, or something in a project that belongs to a user. */
export type Kind = "org" | "project" | "owned";

/** How far a role's permission goes within its scope: nowhere, the user's own things, or everything. */
export type Reach = "none" | "own" | "all";

/** The permissions of a policy, each with its kind. */
export type Permissions = Readonly<Record<string, Kind>>;

/** The permissions of one kind. A permission whose kind is known only at run time counts as any kind. */
export type PermissionsOfKind<P extends Permissions, K extends Kind> = {
  [Id in keyof P]: K extends P[Id] ? Id : never;
}[keyof P];

/** The reaches that a permission of a kind can have. Only something that belongs to a user can have the reach `own`. */
export type ReachOf<K extends Kind> = K extends "owned" ? Reach : Exclude<Reach, "own">;

/**
 * The resource that a permission of a kind needs.
 *
 * For a union of kinds it is the resource that suits all of them. If the kind is known only at run time, as with a
 * policy from JSON, any resource is accepted, and one that lacks an id is denied as `invalid_resource`.
 */
export type ResourceOf<K extends Kind> = Kind extends K
  ? Resource
  : [K] extends ["org"]
    ? Resource
    : [K] extends ["org" | "project"]
      ? Resource & { readonly projectId: string }
      : Resource & { readonly projectId: string; readonly userId: string };

const widths: Readonly<Record<Reach, number>> = { none: 0, own: 1, all: 2 };

/** Whether `a` reaches further than `b`. */
export function isWider(a: Reach, b: Reach): boolean {
  return widths[a] > widths[b];
}
