import { createGate, priceCatalog } from "tollgate";
import { createGateway, type Gateway } from "./gateway.js";
import { startFakeProvider } from "./provider/fake-provider.js";
import type { Provider, Upstream } from "./upstream.js";

const MODELS = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5"];

const PRICES = priceCatalog.of({
  "gpt-4o": { inputUsdPerMillion: 2.5, cachedInputUsdPerMillion: 1.25, outputUsdPerMillion: 10 },
  "gpt-4o-mini": { inputUsdPerMillion: 0.15, cachedInputUsdPerMillion: 0.075, outputUsdPerMillion: 0.6 },
  "claude-sonnet-4-5": { inputUsdPerMillion: 3, cachedInputUsdPerMillion: 0.3, outputUsdPerMillion: 15 },
});

/** A gateway with one org, one project and one key, and how to try it. */
export async function demo(env: NodeJS.ProcessEnv): Promise<{ gateway: Gateway; token: string }> {
  const gate = createGate({ prices: PRICES });
  const ada = gate.as({ userId: "ada" });
  const { id: orgId } = await ada.orgs.create({
    name: "Acme",
    limits: { budget: { usd: 50, reset: "monthly" } },
  });
  await ada.virtualModels.create({ orgId, alias: "smart", models: ["gpt-4o", "gpt-4o-mini"] });
  const { id: projectId } = await ada.projects.create({ orgId, name: "Search", limits: { tpm: 100_000 } });
  const { token } = await ada.keys.create({
    orgId,
    projectId,
    limits: { rpm: 20, inFlight: 5, budget: { usd: 1, reset: "daily" } },
  });
  const models = ["smart", ...MODELS];
  return { gateway: createGateway({ gate, upstream: await upstreamFrom(env), models }), token };
}

/**
 * The providers that the environment names by `OPENAI_API_KEY` and `ANTHROPIC_API_KEY`. `OPENAI_URL` and `ANTHROPIC_URL`
 * replace their own addresses. A fake provider stands in for one that has no key.
 *
 * @throws Error for a URL without a key
 */
export async function upstreamFrom(env: NodeJS.ProcessEnv): Promise<Upstream> {
  const apiKey = "the-key-of-the-gateway";
  let fake: Provider | undefined;
  const provider = async (name: string, key: string | undefined, url: string): Promise<Provider> => {
    if (key !== undefined) return { url, apiKey: key };
    if (env[`${name}_URL`] !== undefined) throw new Error(`${name}_URL is set, but not ${name}_API_KEY`);
    fake ??= { url: (await startFakeProvider(apiKey)).url, apiKey };
    return fake;
  };
  return {
    openai: await provider("OPENAI", env.OPENAI_API_KEY, env.OPENAI_URL ?? "https://api.openai.com"),
    anthropic: await provider(
      "ANTHROPIC",
      env.ANTHROPIC_API_KEY,
      env.ANTHROPIC_URL ?? "https://api.anthropic.com",
    ),
  };
}

/** How to call the gateway that has just been started. */
export function howTo(port: number, token: string): string {
  return `A gateway at http://127.0.0.1:${port}, for instance:

  export OPENAI_BASE_URL=http://127.0.0.1:${port}/v1 OPENAI_API_KEY=${token}
  curl $OPENAI_BASE_URL/key -H "Authorization: Bearer $OPENAI_API_KEY"
  curl $OPENAI_BASE_URL/chat/completions -iNH "Authorization: Bearer $OPENAI_API_KEY" \\
    -d '{"model":"smart","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}'
`;
}
