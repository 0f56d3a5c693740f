import { createToken, type Directory, hashToken, type KeyChain } from "tollgate";

interface KeyRow {
  readonly id: string;
  readonly userId: string;
  readonly team: string;
  readonly dollarsPerDay: number;
}

/** The token that the demo calls with. */
export const token = createToken("sk-tg-");

/** Your own table of keys, by the hash of their token: a Map here, a query in practice. */
const keys = new Map<string, KeyRow>();
keys.set(hashToken(token), { id: "key-7", userId: "ada", team: "search", dollarsPerDay: 5 });

/** What decides about the calls of a key, made from your own tables. */
function chainOf({ id, userId, team, dollarsPerDay }: KeyRow): KeyChain {
  return {
    org: { id: "acme", timeZone: "Europe/Berlin", limits: { rpm: 1000 } },
    project: { id: team, models: ["openai/*"] },
    holder: { userId, active: true },
    key: { id, limits: { budget: { usd: dollarsPerDay, reset: "daily" } } },
  };
}

export const directory: Directory = {
  async key(ref) {
    const row = "hash" in ref ? keys.get(ref.hash) : [...keys.values()].find(({ id }) => id === ref.keyId);
    return row && chainOf(row);
  },
  async principal(userId, orgId) {
    const rows = [...keys.values()].filter((row) => row.userId === userId);
    if (orgId !== "acme" || rows.length === 0) return undefined;
    const teams = rows.map(({ team }) => [team, "member"]);
    return { userId, orgId, orgRole: "member", projectRoles: Object.fromEntries(teams) };
  },
};
