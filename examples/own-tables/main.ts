import { createGate, createToken, type Directory, hashToken, type KeyChain, priceCatalog } from "tollgate";

interface KeyRow {
  readonly id: string;
  readonly userId: string;
  readonly team: string;
  readonly dollarsPerDay: number;
}

/** One's own table of keys, by the hash of their token: here a plain Map, in practice a query. */
const keys = new Map<string, KeyRow>();
const token = createToken("sk-tg-");
keys.set(hashToken(token), { id: "key-7", userId: "ada", team: "search", dollarsPerDay: 5 });

/** What decides about the calls of a key, from whatever one's tables hold. */
function chainOf({ id, userId, team, dollarsPerDay }: KeyRow): KeyChain {
  return {
    org: { id: "acme", timeZone: "Europe/Berlin", limits: { rpm: 1000 } },
    project: { id: team, models: ["openai/*"] },
    holder: { userId, active: true },
    key: { id, limits: { budget: { usd: dollarsPerDay, reset: "daily" } } },
  };
}

const directory: Directory = {
  async key(ref) {
    const row = "hash" in ref ? keys.get(ref.hash) : [...keys.values()].find(({ id }) => id === ref.keyId);
    return row && chainOf(row);
  },
  async principal(userId, orgId) {
    const teams = [...keys.values()]
      .filter((row) => row.userId === userId)
      .map(({ team }) => [team, "member"]);
    return { userId, orgId, orgRole: "member", projectRoles: Object.fromEntries(teams) };
  },
};

const model = "openai/gpt-5.4-mini";
const prices = priceCatalog.of({ [model]: { inputUsdPerMillion: 0.75, outputUsdPerMillion: 4.5 } });
const gate = createGate({ directory, prices });

const admission = await gate.admit(token, { model, inputTokens: 1200, maxOutputTokens: 800 });
if (!admission.admitted) throw new Error(admission.message);
console.log(
  `admitted: ${admission.userId} of ${admission.projectId} may call ${admission.models.join(", ")}`,
);

// Here the gateway calls the model. This is what came back:
const settlement = await gate.settle(admission.reservation, { inputTokens: 1200, outputTokens: 310 });
if (settlement.settled) console.log(`settled: ${settlement.charged.tokens} tokens`);
for (const { scope, meter, usd, used, max } of await gate.usage({ orgId: "acme", keyId: "key-7" })) {
  console.log(usd ? `${scope}: ${usd.used} of ${usd.max} USD` : `${scope}: ${used} of ${max} ${meter}`);
}

const other = await gate.admit(token, { model: "anthropic/claude-haiku-4-5", inputTokens: 10 });
if (!other.admitted) console.log(`refused: ${other.message}`);
await gate.close();
