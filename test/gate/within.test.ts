import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, it, onTestFinished } from "vitest";
import { within } from "../../src/gate/within.js";

const late = () => new Error("late");

/** Somebody elsewhere who answers, and whom one can wait for without letting this thread go on. */
async function answerer() {
  const answered = new Int32Array(new SharedArrayBuffer(4));
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    parentPort.on("message", () => {
      parentPort.postMessage("answer");
      Atomics.store(workerData, 0, 1);
      Atomics.notify(workerData, 0);
    });
    parentPort.postMessage("ready");
  `;
  const worker = new Worker(code, { eval: true, workerData: answered });
  onTestFinished(async () => {
    await worker.terminate();
  });
  await once(worker, "message");
  return {
    async ask(): Promise<unknown> {
      const answer = once(worker, "message");
      worker.postMessage("question");
      return (await answer)[0];
    },
    standStillUntilAnswered: () => Atomics.wait(answered, 0, 0),
  };
}

function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it("an answer that came in time counts, although this process stood still until the time was over", async () => {
  const { ask, standStillUntilAnswered } = await answerer();
  const answer = within(20, ask(), late);
  setImmediate(() => {
    standStillUntilAnswered();
    standStill(40);
  });
  expect(await answer).toBe("answer");
});

it("an answer that does not come is late", async () => {
  await expect(within(1, new Promise(() => {}), late)).rejects.toThrow("late");
});
