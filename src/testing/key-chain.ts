import { type KeyChain, keyChainSchema } from "../model/chain.js";
import { parse } from "../model/validation.js";
import { A_PROJECT, AN_ORG } from "./policy/builders.js";

/** The key of whatever chain is built without saying which. */
export const A_KEY = "key";

/** The holder of whatever key is built without saying whose: the one that `aProjectMember()` builds. */
const A_HOLDER = "pam";

/** What may be said of a chain that is built; the rest is made up. */
export interface ChainParts {
  readonly org?: Partial<KeyChain["org"]>;
  readonly project?: Partial<KeyChain["project"]>;
  /** The holder as a member of the project: limits here are the member's. */
  readonly holder?: Partial<KeyChain["holder"]>;
  readonly key?: Partial<KeyChain["key"]>;
}

/** An active org without limits: `acme`, if no other id is given. */
export function anOrg(org: Partial<KeyChain["org"]> = {}): KeyChain["org"] {
  return aKeyChain({ org }).org;
}

/** An active project without limits in which every model may be called: `web`, if no other id is given. */
export function aProject(project: Partial<KeyChain["project"]> = {}): KeyChain["project"] {
  return aKeyChain({ project }).project;
}

/**
 * The chain of an active key: what a directory says about it, its holder, its project and its org.
 *
 * Not to be confused with `aKey`, which is a key as somebody who asks `authorize`. The ids are those of the other
 * builders: the holder `pam`, in the project `web` of the org `acme`.
 *
 * @param parts what matters to the test, such as `{ key: { limits: { rpm: 2 } }, project: { models: ["openai/*"] } }`
 * @throws ValidationError naming the field, where the parts make no chain that a gate would take
 */
export function aKeyChain({ org, project, holder, key }: ChainParts = {}): KeyChain {
  return parse(keyChainSchema, {
    org: { id: AN_ORG, ...org },
    project: { id: A_PROJECT, ...project },
    holder: { userId: A_HOLDER, active: true, ...holder },
    key: { id: A_KEY, ...key },
  });
}
