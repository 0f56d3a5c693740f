import type { Resource } from "./principal.js";

/** What a permission is about: an org, a project in it, or something in a project that is somebody's own. */
export type Kind = "org" | "project" | "owned";

/** How far a role's permission goes within its scope: nowhere, what is one's own, everything. */
export type Reach = "none" | "own" | "all";

/** The permissions of a policy, each with its kind. */
export type Permissions = Readonly<Record<string, Kind>>;

/** The permissions of a kind; those whose kind is not known until run time count as any. */
export type PermissionsOfKind<P extends Permissions, K extends Kind> = {
  [Id in keyof P]: K extends P[Id] ? Id : never;
}[keyof P];

/** The reaches a permission of a kind can have: only what is somebody's can be one's own. */
export type ReachOf<K extends Kind> = K extends "owned" ? Reach : Exclude<Reach, "own">;

/**
 * The resource a permission of a kind takes.
 *
 * For a union of kinds it is the resource that suits each of them. Where the kind is not known until run time, as
 * with a policy from JSON, it is any resource; one that lacks an id is then denied as `invalid_resource`.
 */
export type ResourceOf<K extends Kind> = Kind extends K
  ? Resource
  : [K] extends ["org"]
    ? Resource
    : [K] extends ["org" | "project"]
      ? Resource & { readonly projectId: string }
      : Resource & { readonly projectId: string; readonly userId: string };

const widths: Readonly<Record<Reach, number>> = { none: 0, own: 1, all: 2 };

/** Whether `a` goes further than `b`. */
export function isWider(a: Reach, b: Reach): boolean {
  return widths[a] > widths[b];
}
