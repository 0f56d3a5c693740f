import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reserveScript } from "../../../src/counters/redis/lua/reserve.js";
import { settleScript } from "../../../src/counters/redis/lua/settle.js";
import { hasShortWay, straightReserve, straightSettle } from "../../../src/counters/redis/lua/straight.js";
import type { CountShape, Shape } from "../../../src/counters/redis/lua/straight-rows.js";
import { OwnServer, serversCanBeStarted } from "./own-server.js";
import { ioredisClient } from "./server.js";

const kind = fc.constantFrom("sliding", "sliding", "calendar", "lifetime", "inFlight");

/** Calls with any kinds of windows on up to five rows, each charge with an amount of its own or with that of all. */
const shape: fc.Arbitrary<Shape> = fc
  .record({
    rows: fc.array(fc.record({ kinds: fc.array(kind, { minLength: 1, maxLength: 9 }), name: fc.string() }), {
      minLength: 1,
      maxLength: 5,
    }),
    isDay: fc.boolean(),
    isWide: fc.boolean(),
  })
  .map(({ rows, isDay, isWide }) => {
    let amount = 4;
    return {
      rows: rows.map(({ kinds, name }, scope) => ({
        scope,
        field: `=${name}`,
        counts: kinds.map((kind, i): CountShape => {
          const widthMs = kind === "sliding" ? (isDay && i % 2 ? 1_440_000 : 1_000) : 0;
          return { kind, widthMs, amount: isWide ? amount++ : 4, period: kind === "calendar" ? 90 : 0 };
        }),
      })),
    };
  });

describe.skipIf(!(await serversCanBeStarted()))("scripts made for the shape of a call", () => {
  let server: OwnServer;
  let client: ReturnType<typeof ioredisClient>;
  beforeAll(async () => {
    server = await OwnServer.start("--save", "");
    client = ioredisClient(server.url);
  });
  afterAll(async () => {
    client.disconnect();
    await server.remove();
  });

  it("are scripts that the server takes, wherever there is a short way", async () => {
    let made = 0;
    await fc.assert(
      fc.asyncProperty(shape, async (one) => {
        if (!hasShortWay(one)) return;
        made++;
        for (const script of [reserveScript(straightReserve(one)), settleScript(straightSettle(one))]) {
          expect(await client.script("LOAD", script)).toMatch(/^[0-9a-f]{40}$/);
        }
      }),
      { numRuns: 300 },
    );
    expect(made).toBeGreaterThan(50);
  });

  it("are made for nine and for twelve limits of three scopes", () => {
    const rpm: CountShape = { kind: "sliding", widthMs: 1_000, amount: 4, period: 0 };
    const budget: CountShape = { kind: "calendar", widthMs: 0, amount: 6, period: 7 };
    const slots: CountShape = { kind: "inFlight", widthMs: 0, amount: 10, period: 0 };
    for (const counts of [
      [rpm, { ...rpm, amount: 5 }, budget],
      [rpm, { ...rpm, amount: 5 }, budget, slots],
    ]) {
      const rows = [0, 1, 2].map((scope) => ({ scope, field: "=", counts }));
      expect(hasShortWay({ rows })).toBe(true);
    }
  });
});
