import { expect, test } from "vitest";
import { createWorld, ORG } from "./world.js";

const at = { orgId: ORG, projectId: "p0" };
const WEEK_MS = 604_800_000;

test("keys made, rotated and revoked are told of after they are stored, and no token is in it", async () => {
  const { gates, clock } = await createWorld();
  const [gate] = gates;
  const told: unknown[] = [];
  for (const event of ["keyCreated", "keyRotated", "keyRevoked"] as const) {
    gate.on(event, (payload) => told.push([event, payload]));
  }
  const cem = gate.as({ userId: "cem" }).keys;
  const { key, token } = await cem.create(at);
  const { token: second } = await cem.rotate({ keyId: key.id, graceMs: 5 });
  await cem.revoke({ keyId: key.id });
  await cem.revoke({ keyId: key.id });
  const other = await cem.create(at);
  await gate.as({ userId: "ann" }).orgMembers.remove({ orgId: ORG, userId: "cem" });
  const now = clock.time;
  const context = { ...at, userId: "cem", keyId: key.id };
  expect(told).toEqual([
    ["keyCreated", { at: now, context }],
    ["keyRotated", { at: now, context, previousExpiresAt: now + 5 }],
    ["keyRevoked", { at: now, context, because: "revoked" }],
    ["keyCreated", { at: now, context: { ...context, keyId: other.key.id } }],
    ["keyRevoked", { at: now, context: { ...context, keyId: other.key.id }, because: "holder_removed" }],
  ]);
  for (const secret of [token, second, other.token]) expect(JSON.stringify(told)).not.toContain(secret);
});

test("a refused write tells nothing", async () => {
  const { gates } = await createWorld();
  const told: unknown[] = [];
  gates[0].on("keyCreated", (event) => told.push(event));
  await gates[0]
    .as({ userId: "dan" })
    .keys.create(at)
    .catch(() => {});
  expect(told).toEqual([]);
});

test("a key that ends within a week is told of once per end, when it is used", async () => {
  const { gates, clock } = await createWorld();
  const [gate] = gates;
  const told: number[] = [];
  const listen = () => gate.on("keyExpiring", ({ expiresAt }) => told.push(expiresAt));
  const stop = listen();
  const cem = gate.as({ userId: "cem" }).keys;
  const end = clock.time + 2 * WEEK_MS;
  const { key, token } = await cem.create({ ...at, expiresAt: end });
  const call = () => gate.admit(token, { model: "a" });
  await call();
  expect(told).toEqual([]);
  clock.time = end - WEEK_MS;
  await call();
  await call();
  expect(told).toEqual([end]);
  await cem.update({ keyId: key.id, expiresAt: end + 5 });
  clock.time += 5;
  await call();
  expect(told).toEqual([end, end + 5]);
  const leavesAt = (expiresAt: number) =>
    gate.as({ userId: "ann" }).projectMembers.setExpiry({ ...at, userId: "cem", expiresAt });
  await leavesAt(clock.time + 50);
  await call();
  expect(told).toEqual([end, end + 5, clock.time + 50]);
  stop();
  await leavesAt(clock.time + 40);
  await call(); // nobody listens
  listen();
  await call();
  expect(told.at(-1)).toBe(clock.time + 40);
});

test("keys that end within a week are told of by their ids alone, each once though they are used in turn", async () => {
  const { gates, clock } = await createWorld();
  const [gate] = gates;
  const told: object[] = [];
  gate.on("keyExpiring", (event) => told.push(event));
  const cem = gate.as({ userId: "cem" }).keys;
  const expiresAt = clock.time + WEEK_MS;
  const made = [await cem.create({ ...at, expiresAt }), await cem.create({ ...at, expiresAt })];
  for (const { token } of [...made, ...made]) await gate.admit(token, { model: "a" });
  expect(told).toEqual(
    made.map(({ key }) => ({
      at: clock.time,
      expiresAt,
      context: { ...at, userId: "cem", keyId: key.id },
    })),
  );
});

test("a rotation without grace tells of no end of the token before", async () => {
  const { gates } = await createWorld();
  const [gate] = gates;
  const told: object[] = [];
  gate.on("keyRotated", (event) => told.push(event));
  const cem = gate.as({ userId: "cem" }).keys;
  const { key } = await cem.create(at);
  await cem.rotate({ keyId: key.id });
  expect(told).toHaveLength(1);
  expect(told[0]).not.toHaveProperty("previousExpiresAt");
});
