import type { Principal } from "../../policy/principal.js";

/** The org and the project of whoever is built without saying which. */
export const AN_ORG = "acme";
export const A_PROJECT = "web";

/** What may be said of somebody who is built; the rest is made up. */
export interface Somebody {
  readonly userId?: string;
  readonly orgId?: string;
  readonly orgRole?: string;
  readonly projectRoles?: Readonly<Record<string, string>>;
}

/** An owner of the org, in no project by name. */
export function anOwner(somebody: Somebody = {}): Principal {
  return { userId: "olga", orgId: AN_ORG, orgRole: "owner", projectRoles: {}, ...somebody };
}

/** An org member in no project, or in those that are given. */
export function aMember(somebody: Somebody = {}): Principal {
  return { userId: "mia", orgId: AN_ORG, orgRole: "member", projectRoles: {}, ...somebody };
}

/** An org member who is admin of one project: `web`, if none is given. */
export function anAdmin({
  projectId = A_PROJECT,
  ...somebody
}: Somebody & { readonly projectId?: string } = {}) {
  return aMember({ userId: "ada", projectRoles: { [projectId]: "admin" }, ...somebody });
}

/** An org member who is member of one project: `web`, if none is given. */
export function aProjectMember({
  projectId = A_PROJECT,
  ...somebody
}: Somebody & { readonly projectId?: string } = {}): Principal {
  return aMember({ userId: "pam", projectRoles: { [projectId]: "member" }, ...somebody });
}

/** Somebody who is not in the org, with whatever project roles may be left over. */
export function anOutsider({
  userId = "eve",
  orgId = AN_ORG,
  projectRoles = {},
}: Omit<Somebody, "orgRole"> = {}) {
  return { userId, orgId, projectRoles } satisfies Principal;
}

/** A key as a principal: it acts for its holder, a project member if none is given, in one project. */
export function aKey({
  keyId = "key",
  projectId = A_PROJECT,
  holder = aProjectMember({ projectId }),
}: {
  readonly keyId?: string;
  readonly projectId?: string;
  readonly holder?: Principal;
} = {}): Principal {
  return { ...holder, via: { keyId, projectId } };
}
