/** One process of the load run: the fake provider, or the gateway with one kind of gate before it. Told what by its arguments. */
import { once } from "node:events";
import { type Admitted, type Counters, createGate, type Gate, memoryCounters, priceCatalog } from "tollgate";
import { createApp } from "../../examples/express/app.js";
import { createGateway } from "../../examples/gateway/gateway.js";
import { startFakeProvider } from "../../examples/gateway/provider/fake-provider.js";
import type { Lane, Told } from "./lanes.js";

const PROVIDER_KEY = "the-key-of-the-gateway";

const [role = "", providerUrl = ""] = process.argv.slice(2);
if (role === "provider") {
  tell({ url: (await startFakeProvider(PROVIDER_KEY)).url, token: "" });
} else {
  const { gate, token } = await gateOf(role as Lane); // sound: started by the load run alone, which has lanes only
  const upstream = { url: providerUrl, apiKey: PROVIDER_KEY };
  const gateway = createGateway({ gate, upstream: { openai: upstream, anthropic: upstream }, models: [] });
  const server = createApp(gateway).listen(0, "127.0.0.1");
  await once(server, "listening");
  tell({ url: `http://127.0.0.1:${Object(server.address()).port}`, token });
}
process.once("disconnect", () => process.exit());
process.on("message", () => process.send?.(process.cpuUsage()));

function tell(told: Told): void {
  process.send?.(told);
}

async function gateOf(lane: Lane): Promise<{ gate: Gate; token: string }> {
  if (lane === "none") return { gate: noGate(), token: "none" };
  const prices = priceCatalog.of({ "gpt-4o": { inputUsdPerMillion: 2.5, outputUsdPerMillion: 10 } });
  const gate = createGate({ prices, counters: await countersOf(lane) });
  const ada = gate.as({ userId: "ada" });
  // Nine limits, as in the other benchmarks, none of them ever reached.
  const limits = { rpm: 1e9, tpm: 1e12, budget: { usd: 9_000_000, reset: "monthly" } } as const;
  const { id: orgId } = await ada.orgs.create({ name: "Acme", limits });
  const { id: projectId } = await ada.projects.create({ orgId, name: "Search", limits });
  const { token } = await ada.keys.create({ orgId, projectId, limits });
  return { gate, token };
}

async function countersOf(lane: Exclude<Lane, "none">): Promise<Counters> {
  if (lane === "memory") return memoryCounters();
  const { createClient } = await import("redis");
  const client = createClient({ url: process.env.REDIS_URL ?? "redis://127.0.0.1:6379" });
  await client.connect();
  const { redisCounters } = await import("tollgate/redis");
  return redisCounters({ client, prefix: `load-${process.pid}:` });
}

/** What stands in for a gate in a gateway without one: everything passes, and nothing is counted. */
function noGate(): Gate {
  const reservation = { id: "", inputTokens: 0 };
  const admitted = { admitted: true, reservation, models: ["gpt-4o"], limits: [] };
  return {
    admit: async () => admitted as unknown as Admitted, // sound: the gateway reads these fields alone
    settle: async () => ({ settled: false, reason: "unknown_reservation" }),
    release: async () => ({ settled: false, reason: "unknown_reservation" }),
  } as unknown as Gate; // sound: a call asks for nothing else
}
