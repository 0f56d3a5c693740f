import * as z from "zod";
import { type KeyChain, type ScopeChain, scopeChainSchema } from "../../model/chain.js";
import { ValidationError } from "../../model/errors.js";
import { parse } from "../../model/validation.js";
import type { Principal } from "../../policy/principal.js";

/**
 * Looks up keys and people. It is everything the data plane needs, for gateways with tables of their own.
 *
 * For what does not exist, JavaScript may answer `null` too; in TypeScript, write `?? undefined`. A gate waits at most
 * ten seconds for an answer.
 */
export interface Directory {
  /**
   * Finds the chain of a key, by the SHA-256 hash of its token in hexadecimal or by its id. Found by id, the chain's
   * `key.id` must be that id.
   *
   * @returns the chain, or `undefined` if there is no such key
   */
  key(ref: { readonly hash: string } | { readonly keyId: string }): Promise<KeyChain | undefined>;
  /**
   * Finds a person as a member of an org.
   *
   * @returns the principal, with the same user id and org id, or `undefined` if they are not a member
   */
  principal(userId: string, orgId: string): Promise<Principal | undefined>;
  /**
   * Finds the scopes above keys. It is optional, and lets `gate.usage` be asked without a key.
   *
   * @returns the org, with the project and the member if they were asked for and exist; `undefined` if there is no such
   *   org
   */
  scope?:
    | ((ref: {
        readonly orgId: string;
        readonly projectId?: string | undefined;
        readonly userId?: string | undefined;
      }) => Promise<ScopeChain | undefined>)
    | undefined;
  /**
   * Decides whether a text of at most 8,192 characters may be one of your tokens, if not all of them are made by
   * {@link createToken}. Other texts are not looked up. Default: only the tokens that `createToken` makes.
   *
   * Each text that it lets through and that belongs to no key costs a look-up, whoever sends it.
   */
  isToken?: ((text: string) => boolean) | undefined;
  /**
   * Calls `changed` when an org has changed, or without an id when any may have, so that the gate looks it up again.
   * Without `watch`, a chain may be `cache.maxAgeMs` old.
   *
   * @returns a function that stops watching
   */
  watch?: ((changed: (orgId?: string) => void) => () => void) | undefined;
}

/** The least a principal has to have. Who has which role is for the policy to judge. */
export const principalSchema: z.ZodType = z.looseObject({
  projectRoles: z.custom<object>((value) => typeof value === "object" && value !== null, {
    error: "the role in each project, by its id",
  }),
  via: z.looseObject({}, { error: "the key that acts, and its project" }).optional(),
});

/**
 * Wraps a directory of the caller's and checks its answers: `null` becomes `undefined`, and an answer must be about
 * what was asked for.
 *
 * Its methods throw ValidationError, naming the field, if an answer is about another key, person or scope. Unchecked,
 * such a defect would give somebody another's roles or limits, or show them another's usage.
 */
export function checkedDirectory(directory: Directory): Directory {
  return {
    async key(ref) {
      const found = (await directory.key(ref)) ?? undefined;
      // An answer that is not a chain at all is left to the schema with which the chain cache parses it.
      const id = found?.key?.id;
      if ("keyId" in ref && id !== undefined && id !== ref.keyId)
        throw notAskedFor("chain.key.id", "the key");
      return found;
    },
    async principal(userId, orgId) {
      const found = (await directory.principal(userId, orgId)) ?? undefined;
      if (found === undefined) return undefined;
      parse(principalSchema, found, "principal");
      if (found.userId !== userId) throw notAskedFor("principal.userId", "the user");
      if (found.orgId !== orgId) throw notAskedFor("principal.orgId", "the org");
      return found;
    },
    ...(directory.scope && {
      async scope(ref) {
        const found = (await directory.scope?.(ref)) ?? undefined;
        if (found === undefined) return undefined;
        // A directory may return the whole chain of a key, and `null` for what does not exist.
        const parts = {
          org: found.org,
          project: ref.projectId === undefined ? undefined : (found.project ?? undefined),
          holder: ref.userId === undefined ? undefined : (found.holder ?? undefined),
        };
        const chain = parse(scopeChainSchema, parts, "chain");
        const { org, project, holder } = chain;
        if (org.id !== ref.orgId) throw notAskedFor("chain.org.id", "the org");
        if (project && project.id !== ref.projectId) throw notAskedFor("chain.project.id", "the project");
        if (holder && holder.userId !== ref.userId) throw notAskedFor("chain.holder.userId", "the member");
        return chain;
      },
    }),
    ...(directory.isToken && { isToken: (text) => directory.isToken?.(text) === true }),
    ...(directory.watch && {
      watch: (changed) => directory.watch?.((orgId) => changed(orgId ?? undefined)) ?? (() => {}),
    }),
  };
}

function notAskedFor(field: string, what: string): ValidationError {
  return new ValidationError([{ field, expected: `${what} that the directory was asked for` }]);
}
