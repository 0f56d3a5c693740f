/** Who asks: a user as the directory knows them now, or a key acting for that user. */
export interface Principal {
  readonly userId: string;
  readonly orgId: string;
  /** Role in the org. Absent for somebody who is not in it; their project roles then count for nothing. */
  readonly orgRole?: string | undefined;
  /** Role in each project that the user was added to, by project id. */
  readonly projectRoles: Readonly<Record<string, string>>;
  /** Set if a key acts for the user. It is confined to its project. */
  readonly via?: { readonly keyId: string; readonly projectId: string } | undefined;
}

/** What the request is about. Each permission says which of these fields it needs: see {@link ResourceOf}. */
export interface Resource {
  readonly orgId: string;
  /** The project it is in. Left out for a permission about the org. */
  readonly projectId?: string | undefined;
  /** The user it belongs to: the holder of a key, or the member whose usage is shown. */
  readonly userId?: string | undefined;
}

/** Whether a value can be an id. The empty string cannot: two things without an id are not the same thing. */
export function isId(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/**
 * Whether there is a principal at all. Plain JavaScript may pass what a directory answers about somebody it does not
 * know.
 */
export function isSomebody(principal: Principal | undefined | null): boolean {
  return principal !== undefined && principal !== null;
}

/** The projects that the principal was added to. Plain JavaScript may pass no roles at all. */
export function projectsOf({ projectRoles }: Principal): string[] {
  return Object.keys(projectRoles ?? {});
}

/** The principal's role in a project. What an object inherits, such as `constructor`, is not a role. */
export function projectRoleOf(principal: Principal, projectId: string): string | undefined {
  const role = principal.projectRoles?.[projectId];
  return role !== undefined && Object.hasOwn(principal.projectRoles, projectId) ? role : undefined;
}
