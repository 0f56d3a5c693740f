import { createQueue } from "tollgate/queue";
import { expect, it } from "vitest";
import { aChain, world } from "../gate/world.js";
import { onVirtualTime, pass } from "./virtual-time.js";

onVirtualTime();

it("ten seconds of twice the load that fits lose nothing: every call has one answer, and what was admitted was settled", async () => {
  const keys = Array.from({ length: 8 }, (_, number) => `k${number}`);
  const project = { limits: { inFlight: 4 } }; // of 100 ms each: 40 calls a second
  const { gate } = world(
    keys.map((id) => aChain({ project, key: { id } })),
    { clock: Date },
  );
  const queue = createQueue(gate, { maxWaitMs: 2_000, maxQueued: 60 });
  const answers: Record<string, number> = {};
  const byKey: Record<string, number> = {};
  let [sent, answered, settled] = [0, 0, 0];
  const send = (keyId: string) => {
    sent++;
    queue.admit({ keyId }, { model: "free", inputTokens: 1, maxOutputTokens: 0 }).then((admission) => {
      answered++;
      const outcome = admission.admitted ? "admitted" : admission.reason;
      answers[outcome] = (answers[outcome] ?? 0) + 1;
      if (!admission.admitted) return;
      byKey[keyId] = (byKey[keyId] ?? 0) + 1;
      setTimeout(async () => {
        const settlement = await gate.settle(admission.reservation, {});
        if (settlement.settled) settled++;
      }, 100);
    });
  };
  for (let tick = 0; tick < 400; tick++) {
    send("k0"); // as much as all the others together
    send(keys[1 + (tick % 7)] ?? "k1");
    await pass(25);
  }
  await pass(3_000);
  expect(sent).toBe(800);
  expect(answered).toBe(sent);
  expect(settled).toBe(answers.admitted);
  expect(answers.admitted).toBeGreaterThan(390); // 10 s of 40 calls a second
  expect(answers.queue_full).toBeGreaterThan(0);
  // An eighth of the room is 50 calls, and the backlog of the noisy key keeps nobody out of it.
  for (const key of keys) expect(byKey[key]).toBeGreaterThan(40);
  const readings = await gate.usage({ orgId: "o1", projectId: "p1" });
  expect(readings.map(({ used }) => used)).toEqual([0]);
  expect(queue.status().waiting).toBe(0);
});
