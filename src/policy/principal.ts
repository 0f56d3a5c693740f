/** Who asks: a user as the directory knows them now, or a key acting for that user. */
export interface Principal {
  readonly userId: string;
  readonly orgId: string;
  /** Role in the org; absent for someone who is not in it, whose project roles then count for nothing. */
  readonly orgRole?: string | undefined;
  /** Role in each project that the user was added to, by project id. */
  readonly projectRoles: Readonly<Record<string, string>>;
  /** Set when a key acts for the user: it is confined to its project. */
  readonly via?: { readonly keyId: string; readonly projectId: string } | undefined;
}

/** What is asked about. Each permission says which of these fields it takes: see `ResourceOf`. */
export interface Resource {
  readonly orgId: string;
  readonly projectId?: string | undefined;
  /** Whose it is: the holder of a key, the member whose usage is shown. */
  readonly userId?: string | undefined;
}

/** Whether a value can name anything; the empty string cannot, so that two things without an id are not the same thing. */
export function isId(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** The projects that the principal was added to; plain JavaScript may give no roles at all. */
export function projectsOf({ projectRoles }: Principal): string[] {
  return Object.keys(projectRoles ?? {});
}

/** The role the principal was given in a project; what an object inherits, such as `constructor`, is no role. */
export function projectRoleOf(principal: Principal, projectId: string): string | undefined {
  const role = principal.projectRoles?.[projectId];
  return role !== undefined && Object.hasOwn(principal.projectRoles, projectId) ? role : undefined;
}
