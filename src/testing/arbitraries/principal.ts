import type { Arbitrary } from "fast-check";
import type { Policy } from "../../policy/policy.js";
import type { Principal } from "../../policy/principal.js";
import { A_PROJECT, AN_ORG } from "../policy/builders.js";
import type { FastCheck } from "./fast-check.js";
import { HOSTILE_IDS } from "./ids.js";

/** The ids that principals may have. Keep them few, so that they often match those of the resources asked about. */
export interface PrincipalIds {
  /** Default: `pam` and `olga`. */
  readonly userIds?: readonly string[] | undefined;
  /** The org that is asked about, and another. Default: `acme` and `other-org`. */
  readonly orgIds?: readonly string[] | undefined;
  /** Default: `web`, `other-project` and {@link HOSTILE_IDS}. */
  readonly projectIds?: readonly string[] | undefined;
  /** A role that the policy does not have. Default: `unheard-of`. */
  readonly unknownRole?: string | undefined;
}

/**
 * Arbitrary principals for a policy: people and keys, in the org or not, with roles of the policy or an unknown one, in
 * any of a few projects.
 */
export function anyPrincipal(
  fc: FastCheck,
  { spec }: Pick<Policy, "spec">,
  {
    userIds = ["pam", "olga"],
    orgIds = [AN_ORG, "other-org"],
    projectIds = [A_PROJECT, "other-project", ...HOSTILE_IDS],
    unknownRole = "unheard-of",
  }: PrincipalIds = {},
): Arbitrary<Principal> {
  const projectId = fc.constantFrom(...projectIds);
  return fc.record(
    {
      userId: fc.constantFrom(...userIds),
      orgId: fc.constantFrom(...orgIds),
      orgRole: fc.constantFrom(...Object.keys(spec.orgRoles), unknownRole),
      projectRoles: fc.dictionary(projectId, fc.constantFrom(...Object.keys(spec.projectRoles), unknownRole)),
      via: fc.record({ keyId: fc.constant("key"), projectId }),
    },
    { requiredKeys: ["userId", "orgId", "projectRoles"] },
  );
}
