import * as z from "zod";
import { type KeyChain, type ScopeChain, scopeChainSchema } from "../../model/chain.js";
import { ValidationError } from "../../model/errors.js";
import { parse } from "../../model/validation.js";
import type { Principal } from "../../policy/principal.js";

/**
 * Who is who: all that the data plane needs, for people with tables of their own. Where there is nobody, null is taken for
 * undefined.
 */
export interface Directory {
  /**
   * The chain of a key, by the SHA-256 of its token in hexadecimal or by its id, which its `key.id` then has to be; undefined
   * where there is none. A gate waits ten seconds for it at most.
   */
  key(ref: { readonly hash: string } | { readonly keyId: string }): Promise<KeyChain | undefined>;
  /** A person as a member of an org; undefined where they are not one. */
  principal(userId: string, orgId: string): Promise<Principal | undefined>;
  /** Lets `gate.usage` be asked without a key. */
  scope?(ref: {
    readonly orgId: string;
    readonly projectId?: string | undefined;
    readonly userId?: string | undefined;
  }): Promise<ScopeChain | undefined>;
  /**
   * Whether a text of at most 8,192 characters may be one of your tokens, where those are not all made by `createToken`: no
   * other text is looked up.
   * Whatever it lets through, and no key has, is a look-up each time, for anybody who sends it.
   */
  isToken?(text: string): boolean;
  /**
   * Tells of changes to an org, or with no id to any, so that the gate asks again; until then it asks once in
   * `cache.maxAgeMs`. Returns what ends it.
   */
  watch?(changed: (orgId?: string) => void): () => void;
}

/** What a principal has at least; who has which role is the policy's to judge. */
export const principalSchema: z.ZodType = z.looseObject({
  projectRoles: z.custom<object>((value) => typeof value === "object" && value !== null, {
    error: "the role in each project, by its id",
  }),
  via: z.looseObject({}, { error: "the key that acts, and its project" }).optional(),
});

/**
 * A directory of the caller's, with a check of its answers: null becomes undefined, and whoever was asked for is who was found.
 *
 * Its methods throw ValidationError, naming the field, where the answer is about another key, person or scope. Without the
 * check, such a defect would give somebody the roles or limits of another, or show them what another has used.
 */
export function checkedDirectory(directory: Directory): Directory {
  return {
    async key(ref) {
      const found = (await directory.key(ref)) ?? undefined;
      // An answer that is no chain at all is left to the schema that the chain cache parses it with.
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
        // A directory may answer with the whole chain of a key, and with null for what is not there.
        const parts = {
          org: found.org,
          project: found.project ?? undefined,
          holder: found.holder ?? undefined,
        };
        const chain = parse(scopeChainSchema, parts, "chain");
        const { org, project, holder } = chain;
        if (org.id !== ref.orgId) throw notAskedFor("chain.org.id", "the org");
        if (isAnother(project?.id, ref.projectId)) throw notAskedFor("chain.project.id", "the project");
        if (isAnother(holder?.userId, ref.userId)) throw notAskedFor("chain.holder.userId", "the member");
        return chain;
      },
    }),
    ...(directory.isToken && { isToken: (text) => directory.isToken?.(text) === true }),
    ...(directory.watch && {
      watch: (changed) => directory.watch?.((orgId) => changed(orgId ?? undefined)) ?? (() => {}),
    }),
  };
}

/** Whether something was asked for and something else was found. */
function isAnother(found: string | undefined, asked: string | undefined): boolean {
  return found !== undefined && asked !== undefined && found !== asked;
}

function notAskedFor(field: string, what: string): ValidationError {
  return new ValidationError([{ field, expected: `${what} that the directory was asked for` }]);
}
