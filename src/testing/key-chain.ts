import { type KeyChain, keyChainSchema } from "../model/chain.js";
import { parse } from "../model/validation.js";
import { A_PROJECT, AN_ORG } from "./policy/builders.js";

/** The id of the key that {@link aKeyChain} builds by default. */
export const A_KEY = "key";

/** The default holder of a key: the one that `aProjectMember()` builds. */
const A_HOLDER = "pam";

/** The parts of a chain that a test cares about. The rest has defaults. */
export interface ChainParts {
  readonly org?: Partial<KeyChain["org"]> | undefined;
  readonly project?: Partial<KeyChain["project"]> | undefined;
  /** The holder as a member of the project. Limits here are the member's. */
  readonly holder?: Partial<KeyChain["holder"]> | undefined;
  readonly key?: Partial<KeyChain["key"]> | undefined;
}

/** Builds an active org without limits. Default id: `acme`. */
export function anOrg(org: Partial<KeyChain["org"]> = {}): KeyChain["org"] {
  return aKeyChain({ org }).org;
}

/** Builds an active project without limits in which every model may be called. Default id: `web`. */
export function aProject(project: Partial<KeyChain["project"]> = {}): KeyChain["project"] {
  return aKeyChain({ project }).project;
}

/**
 * Builds the chain of an active key: what a directory says about it, its holder, its project and its org.
 *
 * (`aKey` is something else: a key as a principal, who asks `authorize`.) The ids are those of the other builders: the
 * holder `pam`, in the project `web` of the org `acme`.
 *
 * @param parts what matters to the test, such as `{ key: { limits: { rpm: 2 } }, project: { models: ["openai/*"] } }`
 * @throws ValidationError naming the field if a gate would not accept the chain
 */
export function aKeyChain({ org, project, holder, key, ...unknown }: ChainParts = {}): KeyChain {
  return parse(keyChainSchema, {
    ...unknown, // So that a misspelt part is an error. The chain would have no limits, and every test would pass.
    org: { id: AN_ORG, ...org },
    project: { id: A_PROJECT, ...project },
    holder: { userId: A_HOLDER, active: true, ...holder },
    key: { id: A_KEY, ...key },
  });
}
