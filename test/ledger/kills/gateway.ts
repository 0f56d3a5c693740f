import pg from "pg";
import { type Counters, createGate, createLedger, type KeyChain, priceCatalog } from "tollgate";
import { postgresLedgerSink } from "tollgate/postgres";

// A gateway in a process of its own, to be killed: calls at random without end, its counters with whoever forked it, as
// they would be in Redis, and its ledger in PostgreSQL.

const [databaseUrl = "", schema = "", first = "0"] = process.argv.slice(2);

const waiting = new Map<number, { resolve(answer: unknown): void }>();
let last = 0;

process.on("message", ({ number, answer }: { number: number; answer: unknown }) => {
  waiting.get(number)?.resolve(answer);
  waiting.delete(number);
});
process.on("disconnect", () => process.exit());

function ask<T>(method: string, request: unknown): Promise<T> {
  const number = ++last;
  return new Promise<T>((resolve) => {
    // Sound: the other side answers with what the method of its counters does.
    waiting.set(number, { resolve: (answer) => resolve(answer as T) });
    process.send?.({ number, method, request });
  });
}

const counters: Counters = {
  reserve: (request) => ask("reserve", request),
  settle: (request) => ask("settle", request),
  read: (request) => ask("read", request),
  close: async () => {},
};

const budget = { budget: { usd: 1_000_000, reset: "never" as const } };
const chain = (keyId: string): KeyChain => ({
  org: { id: "o", limits: budget },
  project: { id: "p" },
  holder: { userId: "u", active: true },
  key: { id: keyId, limits: budget },
});

const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
const gate = createGate({
  counters,
  ledger: createLedger({ sink: postgresLedgerSink({ pool, schema }), maxDelayMs: 20 }),
  prices: priceCatalog.of({ m: { inputUsdPerMillion: 1, outputUsdPerMillion: 2 } }),
  directory: {
    key: async (ref) => ("keyId" in ref ? chain(ref.keyId) : undefined),
    principal: async () => undefined,
  },
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** One call after the other on one key, most of them longer than a batch is open. */
async function caller(keyId: string): Promise<void> {
  for (;;) {
    const admission = await gate.admit({ keyId }, { model: "m", inputTokens: 1_000, maxOutputTokens: 1_000 });
    if (!admission.admitted) throw new Error(admission.message);
    await pause(Math.random() * 60);
    await gate.settle(admission.reservation, { outputTokens: Math.floor(Math.random() * 1_000) });
  }
}

for (let i = 0; i < 8; i++) caller(`k${(Number(first) + i) % 40}`);
