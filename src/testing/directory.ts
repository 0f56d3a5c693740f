import type { Directory } from "../gate/chain/directory.js";
import { createToken, hashToken } from "../gate/chain/token.js";
import type { KeyChain } from "../model/chain.js";
import { ValidationError } from "../model/errors.js";
import { KEY_PREFIX } from "../model/key-prefix.js";
import type { Principal } from "../policy/principal.js";

/** A {@link Directory} of the chains and people that a test gives it, with a token for each key. */
export interface TestDirectory extends Pick<Directory, "key" | "principal"> {
  scope: NonNullable<Directory["scope"]>;
  /**
   * The token of a key, as a client would send it. It begins with `sk-tg-`, the default `keyPrefix` of a gate.
   *
   * @throws ValidationError if there is no such key
   */
  tokenOf(keyId: string): string;
  /**
   * Adds chains and people, replacing what was known of the same key or person.
   *
   * A gate notices a changed chain once its cached one is older than `cache.maxAgeMs` (30 seconds by default): advance
   * its clock by that much.
   */
  put(...known: readonly (KeyChain | Principal)[]): void;
}

/**
 * Makes a directory of key chains and people, for a gate in a test:
 * `createGate({ directory: directoryOf(aKeyChain()) })`.
 *
 * The active holder of a key is an org member, and a project member wherever they hold a key. To make them anything
 * else, pass the person too, such as `anOwner({ userId: "pam" })`.
 */
export function directoryOf(...known: readonly (KeyChain | Principal)[]): TestDirectory {
  const chains = new Map<string, KeyChain>();
  const people = new Map<string, Principal>();
  const tokens = new Map<string, string>();
  const keyIds = new Map<string, string>();

  const directory: TestDirectory = {
    put(...more) {
      for (const one of more) {
        if ("key" in one) chains.set(one.key.id, one);
        else if (one.via === undefined) people.set(personId(one.userId, one.orgId), one);
        else throw new ValidationError([{ field: "via", expected: "a person: for a key, give its chain" }]);
      }
    },

    tokenOf(keyId) {
      if (!chains.has(keyId))
        throw new ValidationError([{ field: "keyId", expected: "a key of this directory" }]);
      let token = tokens.get(keyId);
      if (token === undefined) {
        token = createToken(KEY_PREFIX);
        tokens.set(keyId, token);
        keyIds.set(hashToken(token), keyId);
      }
      return token;
    },

    async key(ref) {
      const keyId = "keyId" in ref ? ref.keyId : keyIds.get(ref.hash);
      return keyId === undefined ? undefined : chains.get(keyId);
    },

    async principal(userId, orgId) {
      const person = people.get(personId(userId, orgId));
      if (person !== undefined) return person;
      const held = [...chains.values()].filter(
        ({ org, holder }) => org.id === orgId && holder.userId === userId && holder.active,
      );
      if (held.length === 0) return undefined;
      const projectRoles = Object.fromEntries(held.map(({ project }) => [project.id, "member"]));
      return { userId, orgId, orgRole: "member", projectRoles };
    },

    async scope({ orgId, projectId, userId }) {
      const inOrg = [...chains.values()].filter(({ org }) => org.id === orgId);
      const [first] = inOrg;
      if (first === undefined) return undefined;
      const inProject = inOrg.filter(({ project }) => project.id === projectId);
      const project = inProject[0]?.project;
      const holder = inProject.find((chain) => chain.holder.userId === userId)?.holder;
      return { org: first.org, ...(project && { project }), ...(holder && { holder }) };
    },
  };
  directory.put(...known);
  return directory;
}

function personId(userId: string, orgId: string): string {
  return JSON.stringify([orgId, userId]);
}
