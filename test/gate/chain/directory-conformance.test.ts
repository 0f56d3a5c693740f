import { createGate, type KeyChain, memoryStorage, storageDirectory } from "tollgate";
import { directoryConformance, type KnownDirectory } from "tollgate/testing";
import { describe, it } from "vitest";
import { hashToken } from "../../../src/gate/chain/token.js";

/** The directory over our own storage, with keys of an owner, of a member and of one who has left. */
async function overStorage(): Promise<KnownDirectory> {
  const storage = memoryStorage();
  const clock = { now: () => Date.now() };
  const gate = createGate({ storage });
  const ada = gate.as({ userId: "ada" });
  const { id: orgId } = await ada.orgs.create({ name: "Acme" });
  const limits = { rpm: 5, perModel: { "openai/*": { tpm: 9 } } };
  const { id: projectId } = await ada.projects.create({ orgId, name: "Search", limits });
  for (const userId of ["bob", "eve"]) {
    await ada.orgMembers.add({ orgId, userId, role: "member" });
    await ada.projectMembers.add({ orgId, projectId, userId, role: "member", limits: { rpm: 3 } });
  }
  const made = await Promise.all(
    ["ada", "bob", "eve"].map((userId) =>
      gate.as({ userId }).keys.create({ orgId, projectId, limits: { rpm: 1 } }),
    ),
  );
  await ada.orgMembers.remove({ orgId, userId: "eve" });
  return {
    directory: storageDirectory(storage, clock),
    keys: made.map(({ key, token }) => ({ keyId: key.id, hash: hashToken(token) })),
    close: () => gate.close(),
  };
}

/** As small as a directory can be. */
function oneChain(): KnownDirectory {
  const chain: KeyChain = {
    org: { id: "o1" },
    project: { id: "p1" },
    holder: { userId: "u1", active: true },
    key: { id: "k1" },
  };
  const hash = hashToken("a token");
  return {
    keys: [{ keyId: "k1", hash }],
    directory: {
      key: async (ref) => (("hash" in ref ? ref.hash === hash : ref.keyId === "k1") ? chain : undefined),
      principal: async (userId, orgId) =>
        userId === "u1" && orgId === "o1"
          ? { userId, orgId, orgRole: "member", projectRoles: { p1: "member" } }
          : undefined,
    },
  };
}

describe.each([
  ["over a storage", overStorage],
  ["of one chain", oneChain],
] as const)("directory %s", (_, make) => {
  for (const { name, run } of directoryConformance(make)) it(name, run);
});
