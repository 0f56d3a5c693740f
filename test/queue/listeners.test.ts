import { createQueue, type QueueOptions } from "tollgate/queue";
import { describe, expect, it, vi } from "vitest";
import { aChain, world } from "../gate/world.js";
import { passed } from "../scenarios/answers.js";
import { A_TURN_MS, onVirtualTime, pass } from "./virtual-time.js";

onVirtualTime();

const CALL = { model: "free", inputTokens: 1, maxOutputTokens: 0 };

/** A queue that three calls of key `a` fill. The next one, of key `b`, takes the place of the last of them. */
async function full(options: QueueOptions = {}) {
  const chains = ["a", "b"].map((id) => aChain({ project: { limits: { inFlight: 1 } }, key: { id } }));
  const { gate } = world(chains, { clock: Date });
  const queue = createQueue(gate, { maxQueued: 3, ...options });
  const { reservation } = passed(await gate.admit({ keyId: "a" }, CALL));
  const calls = Array.from({ length: 3 }, () => queue.admit({ keyId: "a" }, CALL).catch(() => "rejected"));
  await pass(A_TURN_MS);
  return { gate, queue, reservation, calls };
}

describe("a listener that is told who had to leave the queue", () => {
  it.each(["aborts the call that takes the place", "closes the queue"])(
    "leaves no call waiting that has its answer, where it %s",
    async (what) => {
      const { gate, queue, reservation } = await full();
      const abort = new AbortController();
      const closed: Promise<void>[] = [];
      queue.on("left", ({ outcome }) => {
        if (outcome !== "full") return;
        if (what === "closes the queue") closed.push(queue.close());
        else abort.abort(new Error("gone"));
      });
      const call = queue.admit({ keyId: "b" }, CALL, { signal: abort.signal }).catch((error) => error);
      await pass(A_TURN_MS);
      expect(await call).toBeInstanceOf(Error);
      expect(queue.status().waiting).toBe(what === "closes the queue" ? 0 : 2);
      await queue.close();
      await Promise.all(closed);
      await pass(A_TURN_MS);
      expect(vi.getTimerCount()).toBe(0);
      await gate.settle(reservation, {});
      await pass(A_TURN_MS);
      const usage = await gate.usage({ orgId: "o1", projectId: "p1" });
      expect(usage).toMatchObject([{ meter: "inFlight", used: 0 }]);
    },
  );

  it("may send another call, and no more wait than maxQueued", async () => {
    const { queue } = await full();
    const depths: number[] = [];
    queue.on("queued", ({ depth }) => depths.push(depth));
    const again = vi.fn(() => queue.admit({ keyId: "a" }, CALL).catch(() => "rejected"));
    queue.on("left", ({ outcome }) => {
      if (outcome === "full" && again.mock.calls.length === 0) again();
    });
    const call = queue.admit({ keyId: "b" }, CALL).catch(() => "rejected");
    await pass(A_TURN_MS);
    expect(again).toHaveBeenCalledTimes(1);
    expect(Math.max(...depths)).toBe(3);
    expect(queue.status().waiting).toBe(3);
    await queue.close();
    await call;
  });
});
