import type { Directory } from "../../gate/chain/directory.js";
import { type KeyChain, keyChainSchema } from "../../model/chain.js";
import { parse } from "../../model/validation.js";
import { type Cases, type ConformanceCase, conformanceCases } from "./case.js";
import { check, checkPart, claim } from "./check.js";
import { ORDINARY_NAMES } from "./hostile-names.js";

/** A directory, and what it knows. */
export interface KnownDirectory {
  readonly directory: Directory;
  /** Keys that it knows, at least one, each by its id and by the SHA-256 hash of its token in hexadecimal. */
  readonly keys: readonly { readonly keyId: string; readonly hash: string }[];
  /** Called after each case. */
  readonly close?: (() => Promise<void>) | undefined;
}

/** Makes a directory for one case. It may be the same each time, since no case writes. */
export type MakeDirectory = () => KnownDirectory | Promise<KnownDirectory>;

/**
 * What every directory must do, as cases for any test runner.
 *
 * @param make makes the directory of one case
 */
export function directoryConformance(make: MakeDirectory): ConformanceCase[] {
  return conformanceCases(
    cases,
    async () => {
      const known = await make();
      claim("the directory has to know at least one key", known.keys.length > 0);
      return known;
    },
    async ({ close }) => close?.(),
  );
}

/** Ids and hashes that nobody has, and names that every object has. */
const STRANGERS = [
  ...ORDINARY_NAMES.filter((name) => name.length > 3),
  "valueOf",
  "nobody-7d1c2e",
  "0".repeat(64),
  "x".repeat(10_000),
];

/** Patterns that a look-up by `LIKE` would match with an id. */
function patternsOf(id: string): string[] {
  return ["%", "_%", `${id}%`];
}

/** Texts that are not an id but that a table may confuse with it: patterns, extra blanks, another case. */
function lookAlikesOf(id: string, known: readonly string[]): string[] {
  const all = [...patternsOf(id), `${id} `, ` ${id}`, id.toUpperCase(), id.toLowerCase()];
  return all.filter((text) => !known.includes(text));
}

const cases: Cases<KnownDirectory> = {
  "the chain of a key is one that a gate can read, and of that key": async (known) => {
    for (const { keyId } of known.keys) {
      const chain = await known.directory.key({ keyId });
      claim(`key ${keyId} is known`, chain !== undefined);
      parse(keyChainSchema, chain, `chain of ${keyId}`);
      check(`the id in the chain of ${keyId}`, chain.key.id, keyId);
    }
  },

  "a key is the same by the hash of its token as by its id": async ({ directory, keys }) => {
    for (const { keyId, hash } of keys)
      check(`${keyId} by its hash`, await directory.key({ hash }), await directory.key({ keyId }));
  },

  "asked again, and many at once, a directory answers alike": async ({ directory, keys }) => {
    const ask = () =>
      Promise.all(keys.flatMap(({ keyId, hash }) => [directory.key({ keyId }), directory.key({ hash })]));
    const [first, ...others] = await Promise.all([ask(), ask(), ask()]);
    for (const again of others) check("asked again", again, first);
    const ids = first?.map((chain) => chain?.key.id);
    check(
      "ids",
      ids,
      keys.flatMap(({ keyId }) => [keyId, keyId]),
    );
  },

  "an unknown key is undefined, by id and by hash, whatever it is called": async ({ directory, keys }) => {
    for (const name of STRANGERS) {
      check(`key ${shown(name)}`, await directory.key({ keyId: name }), undefined);
      check(`hash ${shown(name)}`, await directory.key({ hash: name }), undefined);
    }
    check("an empty hash", await directory.key({ hash: "" }), undefined);
    const keyIds = keys.map(({ keyId }) => keyId);
    for (const { keyId, hash } of keys) {
      for (const text of lookAlikesOf(keyId, keyIds))
        check(
          `key ${shown(text)}, where ${shown(keyId)} is known`,
          await directory.key({ keyId: text }),
          undefined,
        );
      for (const text of patternsOf(hash))
        check(`hash ${shown(text)}`, await directory.key({ hash: text }), undefined);
      check(`the hash of ${keyId} as an id`, await directory.key({ keyId: hash }), undefined);
      check(`the id ${keyId} as a hash`, await directory.key({ hash: keyId }), undefined);
      check(`the hash of ${keyId}, cut short`, await directory.key({ hash: hash.slice(0, -1) }), undefined);
    }
  },

  "the active holder of a key is a principal with a role in the org, and in the key's project": async (
    known,
  ) => {
    for (const { org, project, holder, key } of await chainsOf(known)) {
      const principal = await known.directory.principal(holder.userId, org.id); // must not fail for the others either
      if (!holder.active) continue; // They may be in the org and no more in the project.
      const what = `the principal who holds ${key.id}`;
      checkPart(what, principal, { userId: holder.userId, orgId: org.id });
      claim(
        `${what} has a role in the org`,
        typeof principal?.orgRole === "string" && principal.orgRole !== "",
      );
      const roles = Object.entries(principal.projectRoles);
      claim(
        `${what}: every project has a role`,
        roles.every(([id, role]) => id !== "" && typeof role === "string"),
      );
      const isMember = Object.hasOwn(principal.projectRoles, project.id);
      claim(
        `${what} has a role in ${project.id}, or owns the org`,
        isMember || principal.orgRole !== "member",
      );
    }
  },

  "a stranger to an org is no principal of it, whatever they are called": async (known) => {
    const chains = await chainsOf(known);
    const userIds = chains.map(({ holder }) => holder.userId);
    const orgIds = chains.map(({ org }) => org.id);
    for (const { org, holder } of chains.slice(0, 3)) {
      for (const name of [...STRANGERS, ...lookAlikesOf(holder.userId, userIds)]) {
        const stranger = await known.directory.principal(name, org.id);
        check(`${shown(name)} in ${org.id}`, stranger, undefined);
      }
      for (const name of [...STRANGERS, ...lookAlikesOf(org.id, orgIds)]) {
        const elsewhere = await known.directory.principal(holder.userId, name);
        check(`${holder.userId} in org ${shown(name)}`, elsewhere, undefined);
      }
    }
  },

  "a scope, where the directory has any, is what the chains of its keys say": async (known) => {
    const { directory } = known;
    if (directory.scope === undefined) return; // `gate.usage` then needs a key.
    for (const { org, project, holder } of await chainsOf(known)) {
      const { id: orgId } = org;
      const { id: projectId } = project;
      checkPart(`scope of ${orgId}`, await directory.scope({ orgId }), { org });
      const withProject = await directory.scope({ orgId, projectId });
      checkPart(`scope of ${orgId}, ${projectId}`, withProject, { org, project });
      if (!holder.active) continue;
      const whole = await directory.scope({ orgId, projectId, userId: holder.userId });
      checkPart(`scope of ${orgId}, ${projectId}, ${holder.userId}`, whole, { org, project, holder });
    }
  },

  "an unknown scope is undefined, and what is unknown in an org is not in it": async (known) => {
    const { directory } = known;
    if (directory.scope === undefined) return; // As above.
    const chains = await chainsOf(known);
    const [chain] = chains;
    if (chain === undefined) return; // The suite has made sure of one.
    const { org, project } = chain;
    const alike = (idOf: (one: KeyChain) => string) => [
      ...STRANGERS,
      ...lookAlikesOf(idOf(chain), chains.map(idOf)),
    ];
    for (const name of alike((one) => one.org.id))
      check(`org ${shown(name)}`, await directory.scope({ orgId: name }), undefined);
    for (const name of alike((one) => one.project.id)) {
      const unknown = await directory.scope({ orgId: org.id, projectId: name });
      check(`project ${shown(name)}`, unknown?.project, undefined);
    }
    for (const name of alike((one) => one.holder.userId)) {
      const stranger = await directory.scope({ orgId: org.id, projectId: project.id, userId: name });
      check(`member ${shown(name)}`, stranger?.holder, undefined);
    }
  },
};

async function chainsOf({ directory, keys }: KnownDirectory): Promise<KeyChain[]> {
  const chains: KeyChain[] = [];
  for (const { keyId } of keys) {
    const chain = await directory.key({ keyId });
    claim(`key ${keyId} is known`, chain !== undefined);
    chains.push(chain);
  }
  return chains;
}

function shown(name: string): string {
  return JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name);
}
