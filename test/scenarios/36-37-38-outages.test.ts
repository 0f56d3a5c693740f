import type { Counters } from "tollgate";
import { toResponse } from "tollgate/http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { limited, world } from "../gate/world.js";
import { passed, readingOf, refusedBy, settled } from "./answers.js";
import { type OwnStore, ownStores } from "./own-stores.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10 };

for (const { name, isThere, make } of await ownStores())
  describe.skipIf(!isThere)(`while the store is down: ${name}`, () => {
    let store: OwnStore;
    let server: OwnStore["server"];
    let counters: Counters;
    beforeAll(async () => {
      store = await make();
      server = store.server;
    });
    afterAll(() => store.remove());
    beforeEach(async () => {
      await server.start();
      counters = await store.connect();
    });

    function gateThat(
      onCountersDown: "deny" | "allow" | "local",
      over = counters,
      countersTimeoutMs = 2_000,
    ) {
      const chain = limited({ project: { rpm: 8, budget: { usd: 5, reset: "never" } } });
      return world(chain, { counters: over, onCountersDown, countersTimeoutMs, localShare: 0.5 }).gate;
    }

    it("36: deny answers 503 and never 429, and calls pass again when it is back (firecrawl#3728)", async () => {
      const gate = gateThat("deny");
      passed(await gate.admit(KEY, CALL));
      await server.kill();
      for (const profile of ["openai", "anthropic", "problem"] as const) {
        const refusal = refusedBy(await gate.admit(KEY, CALL));
        expect(refusal.reason).toBe("counters_unavailable");
        expect(toResponse(refusal, { profile }).status).toBe(503);
      }
      await server.start();
      await expect.poll(async () => (await gate.admit(KEY, CALL)).admitted, { timeout: 20_000 }).toBe(true);
    });

    it("36: allow admits what nobody counts, and says so", async () => {
      const gate = gateThat("allow");
      await server.kill();
      for (let i = 0; i < 10; i++) expect(passed(await gate.admit(KEY, CALL)).degraded).toBe("uncounted");
      await server.start();
      await expect
        .poll(async () => Reflect.get(await gate.admit(KEY, CALL), "degraded"), { timeout: 20_000 })
        .toBeUndefined();
    });

    it("36: local counts against its share, refuses the rest as an outage, and the store has it once it is back", async () => {
      const gate = gateThat("local");
      settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, {}));
      await server.kill();
      for (let i = 0; i < 4; i++) {
        const { degraded, reservation } = passed(await gate.admit(KEY, CALL));
        expect(degraded).toBe("local");
        settled(await gate.settle(reservation, {}));
      }
      // The share is used up and the limit is not: that is the outage, and no 429.
      expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("counters_unavailable");
      const restored = new Promise((resolve) => gate.on("restored", resolve));
      await server.start();
      await expect
        .poll(async () => await gate.admit(KEY, CALL).then((one) => one.admitted && !one.degraded), {
          timeout: 20_000,
        })
        .toBe(true);
      await restored;
      expect((await readingOf(gate, "requests", "project"))?.used).toBeGreaterThanOrEqual(6);
    });

    it("37: a time-out is no success: what was not answered is not admitted (worldmonitor#8356)", async () => {
      passed(await gateThat("deny").admit(KEY, CALL));
      await server.hang();
      const hasty = gateThat("deny", counters, 200);
      expect(refusedBy(await hasty.admit(KEY, CALL)).reason).toBe("counters_unavailable");
      server.goOn();
    });

    it("38: a client that has lost its server keeps no call waiting: each is answered (node-rate-limiter-flexible#184)", async () => {
      const patient = await store.connect("patient");
      passed(await gateThat("deny", patient).admit(KEY, CALL));
      await server.kill();
      const gate = gateThat("deny", patient, 200);
      const answers = await Promise.all(Array.from({ length: 10 }, () => gate.admit(KEY, CALL)));
      for (const answer of answers) expect(refusedBy(answer).reason).toBe("counters_unavailable");
    });
  });
