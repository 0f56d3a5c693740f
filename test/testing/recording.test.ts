import { expect, it } from "vitest";
import { createGate } from "../../src/gate/gate.js";
import { recordEvents } from "../../src/testing.js";

it("every event of a gate is recorded, in order, until the recording stops", async () => {
  const gate = createGate();
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.projects.create({ orgId: "acme", id: "web", name: "Web" });
  const recording = recordEvents(gate);
  const made = await olga.keys.create({ orgId: "acme", projectId: "web", name: "prod", limits: { rpm: 1 } });
  for (let call = 0; call < 2; call++) await gate.admit({ keyId: made.key.id }, { model: "m", costUsd: 0 });
  await olga.keys.revoke({ keyId: made.key.id });
  expect(recording.events.map(({ name }) => name)).toEqual([
    "keyCreated",
    "admission",
    "refusal",
    "admission",
    "keyRevoked",
  ]);
  expect(recording.of("refusal")).toMatchObject([{ refusal: { reason: "rate_limited" } }]);
  recording.stop();
  await gate.admit({ keyId: made.key.id }, { model: "m", costUsd: 0 });
  expect(recording.events).toHaveLength(5);
});
