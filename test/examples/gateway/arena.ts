import { once } from "node:events";
import type { IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from "node:http";
import {
  type Counters,
  createGate,
  createLedger,
  type Gate,
  type LimitReading,
  type Limits,
  memoryLedgerSink,
  priceCatalog,
  type Storage,
  type UsageEvent,
} from "tollgate";
import { createQueue, type QueueOptions } from "tollgate/queue";
import { onTestFinished } from "vitest";
import { createApp as expressApp } from "../../../examples/express/app.js";
import { createApp as fastifyApp } from "../../../examples/fastify/app.js";
import { createGateway, type Gateway } from "../../../examples/gateway/gateway.js";
import { type FakeProvider, startFakeProvider } from "../../../examples/gateway/provider/fake-provider.js";

/** Starts a gateway in a framework. */
export type Start = (gateway: Gateway) => Promise<Server>;

/** The frameworks that every test of a gateway runs on. */
export const FRAMEWORKS: readonly (readonly [name: string, start: Start])[] = [
  [
    "Express",
    async (gateway) => {
      const server = expressApp(gateway).listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    },
  ],
  [
    "Fastify",
    async (gateway) => {
      const app = fastifyApp(gateway);
      await app.listen({ port: 0, host: "127.0.0.1" });
      return app.server;
    },
  ],
];

export const PROVIDER_KEY = "the-key-of-the-gateway";

/** USD per token: 2.5e-6 in, 1.25e-6 cached, 1e-5 out; twice that for priority, and 0.01 for a search. */
const PRICES = priceCatalog.of({
  "gpt-4o": {
    inputUsdPerMillion: 2.5,
    cachedInputUsdPerMillion: 1.25,
    outputUsdPerMillion: 10,
    usdPerSearch: 0.01,
    serviceTiers: { priority: { inputUsdPerMillion: 5, outputUsdPerMillion: 20 } },
  },
  "gpt-4o-mini": { inputUsdPerMillion: 0.15, outputUsdPerMillion: 0.6 },
  sonar: { inputUsdPerMillion: 1, outputUsdPerMillion: 1, usdPerRequest: 0.005 },
});

/** A gateway that runs, before a fake provider, with one key. */
export interface Arena {
  readonly gate: Gate;
  readonly gateway: Gateway;
  readonly server: Server;
  readonly url: string;
  readonly token: string;
  readonly provider: FakeProvider;
  /** Requests that have reached the gateway. */
  readonly requests: SeenRequest[];
  /** The gate's clock: ahead of the machine's by `shiftMs`. */
  readonly clock: { shiftMs: number };
  revoke(): Promise<void>;
  /** How each call has ended, in the order of their ends. */
  outcomes(): Promise<readonly UsageEvent["outcome"][]>;
  /** What the key's own limit on a meter has used. */
  used(meter: LimitReading["meter"]): Promise<number>;
}

/** A request to the gateway and its answer, as far as it was given. */
export interface SeenRequest {
  readonly at: number;
  status?: number;
  /** What its answer says in `retry-after-ms`. */
  retryAfterMs?: number;
}

export interface ArenaOptions {
  readonly limits?: Limits;
  readonly models?: string[];
  readonly counters?: Counters;
  readonly storage?: Storage;
  /** Calls wait, where it is given. */
  readonly queue?: QueueOptions;
}

/** Every meter is counted, so that a test can say what was used of it; none refuses unless a test says so. */
const COUNTED: Limits = {
  rpm: 1_000_000,
  tpm: 1_000_000_000,
  inputTpm: 1_000_000_000,
  outputTpm: 1_000_000_000,
  inFlight: 1_000,
  budget: { usd: 1_000, reset: "never" },
};

export async function startArena(
  start: Start,
  { limits, models, counters, storage, queue }: ArenaOptions = {},
): Promise<Arena> {
  const provider = await startFakeProvider(PROVIDER_KEY);
  const clock = { shiftMs: 0, now: () => Date.now() + clock.shiftMs };
  const sink = memoryLedgerSink();
  const ledger = createLedger({ sink });
  const gate = createGate({
    prices: PRICES,
    clock,
    ledger,
    storage,
    ...(counters && { counters, countersTimeoutMs: 30_000 }),
  });
  const ada = gate.as({ userId: "ada" });
  const { id: orgId } = await ada.orgs.create({ name: "Acme" });
  await ada.virtualModels.create({ orgId, alias: "smart", models: ["gpt-4o", "gpt-4o-mini"] });
  const { id: projectId } = await ada.projects.create({ orgId, name: "Search" });
  const { key, token } = await ada.keys.create({
    orgId,
    projectId,
    models: models ?? null,
    limits: { ...COUNTED, ...limits },
  });
  const keyId = key.id;
  const upstream = { url: provider.url, apiKey: PROVIDER_KEY };
  const gateway = createGateway({
    gate,
    queue: queue && createQueue(gate, queue),
    upstream: { openai: upstream, anthropic: upstream },
    models: ["smart", "gpt-4o", "gpt-4o-mini", "unpriced"],
  });
  const server = await start(gateway);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the gateway listens on a port");
  const requests: SeenRequest[] = [];
  server.prependListener("request", (_req: IncomingMessage, res: ServerResponse) => {
    const seen: SeenRequest = { at: Date.now() };
    requests.push(seen);
    onHead(res, (status, headers) => {
      seen.status = status;
      seen.retryAfterMs = Number(headers["retry-after-ms"] ?? Number.NaN);
    });
  });
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await Promise.all([provider.close(), gateway.calls.finish(0)]);
  });
  return {
    gate,
    gateway,
    server,
    url: `http://127.0.0.1:${address.port}`,
    token,
    provider,
    requests,
    clock,
    async revoke() {
      await ada.keys.revoke({ orgId, keyId });
    },
    async outcomes() {
      await ledger.flush();
      return sink.events().map(({ outcome }) => outcome);
    },
    async used(meter: LimitReading["meter"]) {
      const readings = await gate.usage({ orgId, keyId });
      const found = readings.find((one) => one.scope === "key" && one.meter === meter);
      if (found === undefined) throw new Error(`no limit on ${meter}`);
      return found.used;
    },
  };
}

/** Looks at the head of an answer, however a framework writes it. */
function onHead(res: ServerResponse, look: (status: number, headers: OutgoingHttpHeaders) => void): void {
  const { writeHead } = res;
  res.writeHead = function (this: ServerResponse, status: number, ...rest: [never]) {
    look(status, { ...this.getHeaders(), ...Object(rest[0]) });
    return writeHead.call(this, status, ...rest);
  } as typeof writeHead; // sound: it takes and returns what the method does
}
