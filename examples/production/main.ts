/**
 * The Express gateway with records, counts and the ledger in servers: `npx tsx examples/production/main.ts`. `storesFrom` says how to
 * choose the stores, `upstreamFrom` the providers. `PORT` is 4000 by default.
 */
import { ConflictError, createGate, priceCatalog } from "tollgate";
import { createApp } from "../express/app.js";
import { upstreamFrom } from "../gateway/demo.js";
import { createGateway } from "../gateway/gateway.js";
import { shutDown } from "../gateway/shut-down.js";
import { storesFrom } from "./stores.js";

const { close, ...stores } = await storesFrom(process.env);
const gate = createGate({
  ...stores,
  prices: priceCatalog.of({ "gpt-4o": { inputUsdPerMillion: 2.5, outputUsdPerMillion: 10 } }),
  countersTimeoutMs: 500,
  onCountersDown: "local",
  localShare: 1 / Number(process.env.GATEWAYS ?? 1),
});
gate.on("degraded", ({ mode, error }) =>
  console.error("counters are down:", mode, error.message, error.cause),
);
gate.on("restored", () => console.error("counters are back"));
gate.on("ledgerFailing", ({ failures, pending }) => console.error("ledger:", failures, pending));

const owner = gate.as({ userId: "owner" });
try {
  const { id: orgId } = await owner.orgs.create({ id: "acme", name: "Acme" });
  const { id: projectId } = await owner.projects.create({ orgId, name: "Search" });
  const { token } = await owner.keys.create({ orgId, projectId, limits: { rpm: 60 } });
  console.log("The first key, shown this once:", token);
} catch (error) {
  if (!(error instanceof ConflictError)) throw error;
  console.log("The org is there already.");
}

const gateway = createGateway({ gate, upstream: await upstreamFrom(process.env), models: ["gpt-4o"] });
const server = createApp(gateway).listen(Number(process.env.PORT ?? 4000));

process.once("SIGTERM", async () => {
  try {
    await shutDown(server, gateway, 20_000);
    await close();
  } catch (error) {
    // The calls are settled. Events that the ledger could not write, for instance, are lost.
    console.error("not all could be written:", error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
  process.exit();
});
