import type { Arbitrary } from "fast-check";
import type { Policy } from "../../policy/policy.js";
import type { Principal } from "../../policy/principal.js";
import { A_PROJECT, AN_ORG } from "../policy/builders.js";
import type { FastCheck } from "./fast-check.js";
import { HOSTILE_IDS } from "./ids.js";

/** Where somebody may be. Few ids, so that they meet those of the resources that are asked about. */
export interface PrincipalIds {
  /** `pam` and `olga` by default. */
  readonly userIds?: readonly string[];
  /** The org that is asked about and another, by default `acme` and `other-org`. */
  readonly orgIds?: readonly string[];
  /** `web`, `other-project` and hostile ones by default. */
  readonly projectIds?: readonly string[];
  /** A role that the policy does not have; `unheard-of` by default. */
  readonly unknownRole?: string;
}

/**
 * Somebody of a policy, as a person or through a key: in the org or not, with roles of the policy and one that it does not
 * have, in any of a few projects.
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
