import type { Principal } from "../../policy/principal.js";

/** The default org of the builders. Their default project is {@link A_PROJECT}. */
export const AN_ORG = "acme";
/** The default project of the builders. */
export const A_PROJECT = "web";

/** The parts of a principal that a test cares about. The rest, and what is `undefined`, has defaults. */
export interface Somebody {
  readonly userId?: string | undefined;
  readonly orgId?: string | undefined;
  readonly orgRole?: string | undefined;
  readonly projectRoles?: Readonly<Record<string, string>> | undefined;
}

/** Builds an owner of the org without a project membership. */
export function anOwner({ userId = "olga", orgRole = "owner", ...somebody }: Somebody = {}): Principal {
  return aMember({ userId, orgRole, ...somebody });
}

/** Builds an org member, by default in no project. */
export function aMember({
  userId = "mia",
  orgId = AN_ORG,
  orgRole = "member",
  projectRoles = {},
}: Somebody = {}): Principal {
  return { userId, orgId, orgRole, projectRoles };
}

/** Builds an org member who is admin of one project. Default: `web`. */
export function anAdmin({
  projectId = A_PROJECT,
  userId = "ada",
  projectRoles = { [projectId]: "admin" },
  ...somebody
}: Somebody & { readonly projectId?: string | undefined } = {}) {
  return aMember({ userId, projectRoles, ...somebody });
}

/** Builds an org member who is member of one project. Default: `web`. */
export function aProjectMember({
  projectId = A_PROJECT,
  userId = "pam",
  projectRoles = { [projectId]: "member" },
  ...somebody
}: Somebody & { readonly projectId?: string | undefined } = {}): Principal {
  return aMember({ userId, projectRoles, ...somebody });
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
  readonly keyId?: string | undefined;
  readonly projectId?: string | undefined;
  readonly holder?: Principal | undefined;
} = {}): Principal {
  return { ...holder, via: { keyId, projectId } };
}
