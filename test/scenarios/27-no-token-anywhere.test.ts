import { inspect } from "node:util";
import { createGate, createToken, type Gate, type GateOptions, hashToken, memoryCounters } from "tollgate";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { recordKinds } from "../../src/model/record-schemas.js";
import { aChain, NOON, PRICES, world } from "../gate/world.js";
import { passed } from "./answers.js";
import { sharedRecords } from "./shared-stores.js";

/** Long enough that no text holds that much of a token by chance; a preview shows four characters. */
const TELLING = 10;

/** Everything in `value` that a log or a client could see of it, as one text. */
function textOf(value: unknown): string {
  const seen = [inspect(value, { depth: Infinity, showHidden: true, getters: true })];
  if (value instanceof Error) seen.push(value.message, value.stack ?? "", textOf(value.cause ?? ""));
  try {
    seen.push(JSON.stringify(value) ?? "");
  } catch {
    // What has no JSON cannot leak through it.
  }
  return seen.join("\n");
}

/** Whether ten characters in a row of what makes the token secret are in the text. */
function tells(text: string, token: string): boolean {
  for (let at = "sk-tg-".length; at + TELLING <= token.length; at++) {
    if (text.includes(token.slice(at, at + TELLING))) return true;
  }
  return false;
}

/** Whatever a call comes to: its answer, or its error. */
async function outcome(call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    return error;
  }
}

describe("a token (litellm#18731, #30670)", async () => {
  const said: string[] = [];
  const hear = (...values: readonly unknown[]) => {
    for (const value of values) said.push(textOf(value));
  };

  beforeEach(() => {
    said.length = 0;
    vi.spyOn(process, "emitWarning").mockImplementation(hear);
    for (const method of ["log", "info", "warn", "error", "debug", "trace"] as const) {
      vi.spyOn(console, method).mockImplementation(hear);
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const loud = (gate: Gate) => {
    for (const event of ["refusal", "overdraft", "budgetThreshold", "degraded"] as const) {
      gate.on(event, (heard) => hear(event, heard));
      gate.on(event, () => {
        throw new Error("a listener that fails");
      });
    }
    return gate;
  };

  const expectSilence = (tokens: Iterable<string>, least: number) => {
    expect(said.length).toBeGreaterThanOrEqual(least);
    for (const token of tokens) {
      const leaks = said.filter((text) => tells(text, token)).map((text) => text.slice(0, 300));
      expect(leaks).toEqual([]);
    }
  };

  it("is looked for well: whole, cut, in an error, in its cause and behind a getter", () => {
    const token = createToken("sk-tg-");
    for (const value of [
      token,
      { a: [{ b: token }] },
      new Error(`bad key ${token.slice(0, 20)}`),
      new Error("bad key", { cause: token }),
      Object.create(null, { hidden: { get: () => token.slice(10) } }),
    ]) {
      expect(tells(textOf(value), token)).toBe(true);
    }
    expect(tells(textOf({ preview: `sk-tg-••••${token.slice(-4)}`, hash: hashToken(token) }), token)).toBe(
      false,
    );
  });

  it("of any key, good or bad, is in no admission, refusal, event, warning, log line or error", async () => {
    const limits = {
      rpm: 2,
      tpm: 5_000,
      inFlight: 3,
      budget: { usd: 1, reset: "daily" as const, alertAt: [0.1] },
    };
    const chains = [
      aChain({ key: { limits } }),
      aChain({ key: { id: "expired", expiresAt: NOON - 1 } }),
      aChain({ key: { id: "revoked", status: "revoked" } }),
      aChain({ key: { id: "disabled", status: "disabled" } }),
      aChain({ org: { id: "o2", status: "suspended" }, key: { id: "suspended" } }),
      aChain({ project: { id: "p2", status: "archived" }, key: { id: "archived" } }),
      aChain({ holder: { userId: "gone", active: false }, key: { id: "left" } }),
      aChain({ key: { id: "narrow", models: [], mcpServers: [] } }),
    ];
    const { gate, tokens, clock } = world(chains);
    loud(gate);
    const unknown = createToken("sk-tg-");
    const known = [...tokens.values()];
    const broken = known.map((token) => `${token.slice(0, -1)}${token.endsWith("0") ? "1" : "0"}`);
    const foreign = known.map((token) => `Bearer ${token}`);
    for (const token of [...known, unknown, ...broken, ...foreign, known.join(",")]) {
      for (const usage of [
        { model: "gpt-4o", inputTokens: 100 },
        { model: "gpt-4o", inputTokens: 100_000 },
        { model: "nobody-knows-its-price", inputTokens: 1 },
        { mcpServer: "github" },
        { model: "gpt-4o" },
      ]) {
        hear(await outcome(() => gate.check(token, usage)));
        const admission = await outcome(() => gate.admit(token, usage));
        hear(admission);
        if (typeof admission !== "object" || admission === null || !("reservation" in admission)) continue;
        const { reservation } = passed(admission as Awaited<ReturnType<Gate["admit"]>>); // sound: it has a reservation
        hear(await outcome(() => gate.extend(reservation, { maxOutputTokens: 100 })));
        hear(await outcome(() => gate.settle(reservation, { inputTokens: 300_000 })));
        hear(await outcome(() => gate.settle(reservation, {})));
      }
      hear(await outcome(() => gate.authenticate(token)));
      clock.at += 1_000;
    }
    hear(await gate.usage({ orgId: "o1", keyId: "k1" }));
    await gate.close();
    hear(await outcome(() => gate.authenticate(unknown)));
    expectSilence([...known, unknown], 300);
  });

  it("handed in where another value belongs is not in the ValidationError that says so", async () => {
    const { gate, tokens } = world(aChain({ key: { limits: { tpm: 5_000 } } }));
    loud(gate);
    const token = tokens.get("k1") ?? "";
    const { reservation } = passed(await gate.admit(token, { model: "gpt-4o", inputTokens: 1 }));
    const call = { model: "gpt-4o", inputTokens: 1 };
    const wrong = token as never;
    const tooLong = token.repeat(20);
    const usages = [
      wrong,
      [wrong],
      { ...call, model: [wrong] },
      { ...call, model: tooLong },
      { model: wrong, mcpServer: wrong },
      { ...call, inputTokens: wrong },
      { ...call, maxOutputTokens: { [token]: 1 } },
      { ...call, costUsd: wrong },
      { ...call, requestId: tooLong },
      { ...call, byok: wrong },
      { ...call, tags: wrong },
      { ...call, tags: { key: [wrong] } },
      { ...call, token: wrong },
    ] as never[];
    for (const usage of usages) hear(await outcome(() => gate.admit({ keyId: "k1" }, usage)));
    const keys = [
      [wrong],
      { keyId: [wrong] },
      { token: wrong },
      { keyId: wrong },
      { keyId: tooLong },
    ] as never[];
    for (const key of keys) hear(await outcome(() => gate.admit(key, call)));
    const actuals = [wrong, { inputTokens: wrong }, { model: tooLong }, { costUsd: wrong }, { usage: wrong }];
    for (const actual of actuals) hear(await outcome(() => gate.settle(reservation, actual as never)));
    const mores = [wrong, { maxOutputTokens: wrong }, { costUsd: wrong }];
    for (const more of mores) hear(await outcome(() => gate.extend(reservation, more as never)));
    const reservations = [
      wrong,
      JSON.stringify(token),
      JSON.stringify({ id: token }),
      { ...reservation, id: [wrong] },
      { ...reservation, charges: wrong },
      { ...reservation, charges: [{ limit: wrong, amount: wrong }] },
    ] as never[];
    for (const given of reservations) {
      hear(await outcome(() => gate.settle(given, {})));
      hear(await outcome(() => gate.release(given)));
      hear(await outcome(() => gate.extend(given, { maxOutputTokens: 1 })));
    }
    const options: unknown[] = [
      { keyPrefix: `${token} ` },
      { unpriced: token },
      { unpriced: { usd: token } },
      { onCountersDown: token },
      { countersTimeoutMs: token },
      { storage: token },
      { cache: { maxKeys: token } },
    ];
    for (const given of options) hear(await outcome(() => createGate(given as GateOptions)));
    expectSilence([token], 50);
  });

  it("handed in as the name of a field is not in the ValidationError that refuses the field", async () => {
    const { gate, tokens } = world();
    const token = tokens.get("k1") ?? "";
    const call = { model: "gpt-4o", inputTokens: 1 };
    const { reservation } = passed(await gate.admit(token, call));
    hear(await outcome(() => gate.admit(token, { ...call, [token]: 1 })));
    hear(await outcome(() => gate.admit(token, { ...call, tags: { [token]: 1 } as never })));
    hear(await outcome(() => gate.admit({ [token]: 1 } as never, call)));
    hear(await outcome(() => gate.settle(reservation, { [token]: 1 } as never)));
    hear(await outcome(() => gate.usage({ orgId: "o1", [token]: 1 } as never)));
    hear(await outcome(() => createGate({ [token]: 1 } as GateOptions)));
    expectSilence([token], 6);
  });

  it("mistaken for an id is not in the NotFoundError that says there is nothing by that id", async () => {
    const { gate, tokens } = world();
    const token = tokens.get("k1") ?? "";
    hear(await outcome(() => gate.usage({ orgId: "o1", keyId: token })));
    hear(await outcome(() => gate.usage({ orgId: token })));
    hear(await outcome(() => gate.usage({ orgId: "o1", projectId: token })));
    hear(await outcome(() => gate.usage({ orgId: "o1", projectId: "p1", userId: token })));
    expectSilence([token], 4);
  });

  it.each(await sharedRecords())(
    "made, rotated, used and revoked by the control plane is in no record, view, event or error, only in the answer that hands it out: %s",
    async (_, make) => {
      const records = await make();
      const storage = records.connect();
      const gate = loud(createGate({ storage, clock: { now: () => NOON }, auditDenied: true }));
      for (const event of ["keyCreated", "keyRotated", "keyRevoked", "keyExpiring"] as const) {
        gate.on(event, (heard) => hear(event, heard));
      }
      const ann = gate.as({ userId: "ann" });
      const orgId = "acme";
      hear(await ann.orgs.create({ id: orgId, name: "Acme" }));
      hear(await ann.projects.create({ orgId, id: "p0", name: "p0" }));
      hear(await ann.orgMembers.add({ orgId, userId: "ben", role: "member" }));
      const created = await ann.keys.create({ orgId, projectId: "p0", id: "k0", limits: { rpm: 1 } });
      const rotated = await ann.keys.rotate({ orgId, keyId: "k0", graceMs: 1_000 });
      const tokens = [created.token, rotated.token];
      hear(created.key, rotated.key, created.key.preview);
      for (const token of tokens) {
        hear(await gate.admit(token, { model: "gpt-4o" }));
        hear(await gate.authenticate(token));
        const self = gate.as({ token });
        hear(await outcome(() => self.keys.get({ orgId, keyId: "k0" })));
        hear(await outcome(() => self.keys.create({ orgId, projectId: "p1" })));
        hear(await outcome(() => self.orgs.create({ name: "Mine" })));
        hear(await outcome(() => self.keys.update({ orgId, keyId: "k0", limits: { rpm: token as never } })));
      }
      for (const token of [...tokens, createToken("sk-tg-")]) {
        hear(await outcome(() => gate.as({ token: `${token} ` }).keys.get({ orgId, keyId: "k0" })));
        hear(await outcome(() => gate.as({ userId: [token] as never })));
        hear(await outcome(() => ann.keys.get({ orgId, keyId: [token] as never })));
        hear(await outcome(() => ann.keys.create({ orgId, projectId: "p0", expiresAt: token as never })));
      }
      hear(await ann.keys.list({ orgId }), await ann.keys.revoke({ orgId, keyId: "k0" }));
      hear(await outcome(() => gate.as({ token: rotated.token }).keys.get({ orgId, keyId: "k0" })));
      for (let after: string | undefined; ; ) {
        const page = await ann.audit.list({ orgId, after });
        hear(page.items);
        if (page.next === undefined) break;
        after = page.next;
      }
      for (const kind of recordKinds) hear(await storage.find(kind, {}));
      expectSilence(tokens, 40);
      expect(said.join("\n")).toContain(hashToken(rotated.token));
      await gate.close();
      await records.remove();
    },
  );

  it("mistaken for the id of a key is not in what the control plane answers", async () => {
    const gate = createGate({ clock: { now: () => NOON } });
    const ann = gate.as({ userId: "ann" });
    await ann.orgs.create({ id: "acme", name: "Acme" });
    await ann.projects.create({ orgId: "acme", id: "p0", name: "p0" });
    const { token } = await ann.keys.create({ orgId: "acme", projectId: "p0" });
    for (const verb of ["get", "disable", "enable", "revoke", "rotate", "update"] as const) {
      hear(await outcome(() => ann.keys[verb]({ orgId: "acme", keyId: token })));
    }
    hear(await outcome(() => gate.as({ userId: token }).keys.get({ orgId: "acme", keyId: "k0" })));
    expectSilence([token], 7);
  });

  it("is known to no directory and no counters: they get a hash or an id", async () => {
    const token = createToken("sk-tg-");
    const counters = memoryCounters();
    const gate = createGate({
      prices: PRICES,
      clock: { now: () => NOON },
      directory: {
        key: async (ref) => {
          hear(ref);
          return aChain({ key: { limits: { rpm: 5, budget: { usd: 1, reset: "daily" } } } });
        },
        principal: async (...asked) => {
          hear(asked);
          return undefined;
        },
      },
      counters: {
        inProcess: true,
        reserve: (request) => {
          hear(request);
          return counters.reserve(request);
        },
        settle: (request) => {
          hear(request);
          return counters.settle(request);
        },
        read: (query) => {
          hear(query);
          return counters.read(query);
        },
        close: () => counters.close(),
      },
    });
    const call = { model: "gpt-4o", inputTokens: 1, requestId: "r1" };
    const { reservation } = passed(await gate.admit(token, call));
    await gate.check(token, call);
    await gate.settle(reservation, {});
    await gate.authenticate(token);
    hear(counters.dump());
    expectSilence([token], 5);
    expect(said.join("\n")).toContain(hashToken(token));
  });
});
