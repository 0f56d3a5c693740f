import type { Principal } from "../../policy/principal.js";

/** The default org of the builders. Their default project is {@link A_PROJECT}. */
export const AN_ORG = "acme";
/** The default project of the builders. */
export const A_PROJECT = "web";

/** The parts of a principal that a test cares about. The rest has defaults. */
export interface Somebody {
  readonly userId?: string;
  readonly orgId?: string;
  readonly orgRole?: string;
  readonly projectRoles?: Readonly<Record<string, string>>;
}

/** Builds an owner of the org without a project membership. */
export function anOwner(somebody: Somebody = {}): Principal {
  return { userId: "olga", orgId: AN_ORG, orgRole: "owner", projectRoles: {}, ...somebody };
}

/** Builds an org member, by default in no project. */
export function aMember(somebody: Somebody = {}): Principal {
  return { userId: "mia", orgId: AN_ORG, orgRole: "member", projectRoles: {}, ...somebody };
}

/** Builds an org member who is admin of one project. Default: `web`. */
export function anAdmin({
  projectId = A_PROJECT,
  ...somebody
}: Somebody & { readonly projectId?: string } = {}) {
  return aMember({ userId: "ada", projectRoles: { [projectId]: "admin" }, ...somebody });
}

/** Builds an org member who is member of one project. Default: `web`. */
export function aProjectMember({
  projectId = A_PROJECT,
  ...somebody
}: Somebody & { readonly projectId?: string } = {}): Principal {
  return aMember({ userId: "pam", projectRoles: { [projectId]: "member" }, ...somebody });
}

/** Builds somebody who is not in the org, optionally with leftover project roles. */
export function anOutsider({
  userId = "eve",
  orgId = AN_ORG,
  projectRoles = {},
}: Omit<Somebody, "orgRole"> = {}) {
  return { userId, orgId, projectRoles } satisfies Principal;
}

/** Builds a key as a principal, acting for its holder in one project. Default: a project member, in `web`. */
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
