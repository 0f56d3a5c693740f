import { AsyncLocalStorage } from "node:async_hooks";
import { createQueue } from "tollgate/queue";
import { expect, it } from "vitest";
import { limited, world } from "../gate/world.js";
import { passed } from "../scenarios/answers.js";
import { A_TURN_MS, onVirtualTime, pass } from "./virtual-time.js";

onVirtualTime();

const KEY = { keyId: "k1" };
const CALL = { model: "free", inputTokens: 1 };

/** A queue in front of one slot, and who seems to be calling whenever anybody is told or asked of a call. */
function setUp() {
  const caller = new AsyncLocalStorage<string>();
  const seen: string[] = [];
  const see = (what: string) => seen.push(`${what}: ${caller.getStore()}`);
  const estimate = () => {
    see("estimate");
    return 1;
  };
  const { gate } = world(limited({ key: { inFlight: 1 } }), { clock: Date, estimate });
  const queue = createQueue(gate, { maxWaitMs: 30_000 });
  gate.on("admission", () => see("admission"));
  queue.on("left", ({ outcome }) => see(outcome));
  return { caller, gate, queue, seen };
}

it("a call that waited is decided in its own async context, not in that of the call that made room", async () => {
  const { caller, gate, queue, seen } = setUp();
  const first = await caller.run("ada", () => queue.admit(KEY, CALL));
  const second = caller.run("bob", () => queue.admit(KEY, CALL));
  await pass(A_TURN_MS);
  seen.length = 0;
  await caller.run("ada", () => gate.settle(passed(first).reservation, {}));
  await second;
  expect(seen).toEqual(["estimate: bob", "admission: bob", "admitted: bob"]);
});

it("a call that waited too long leaves in its own async context", async () => {
  const { caller, queue, seen } = setUp();
  await caller.run("ada", () => queue.admit(KEY, CALL));
  const second = caller.run("bob", () => queue.admit(KEY, CALL));
  await pass(31_000);
  await second;
  expect(seen.at(-1)).toBe("timeout: bob");
  expect(seen.filter((one) => one.endsWith("undefined"))).toEqual([]);
});
