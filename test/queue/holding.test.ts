import { expect, it } from "vitest";
import type { Call } from "../../src/queue/call.js";
import { Holding } from "../../src/queue/holding.js";
import { Lines } from "../../src/queue/lines.js";

const nothing = () => {};

function callOf(order: number): Call {
  return {
    key: { keyId: `k${order}` },
    usage: { model: "m" },
    inContext: (run) => run(),
    priority: 5,
    order,
    arrivedAt: 0,
    deadlineAt: 1,
    askAt: 0,
    state: "waiting",
    finish() {},
  };
}

function holdingOf(...calls: readonly Call[]) {
  const lines = new Lines({ onTurn: nothing, onNext: nothing, onBroken: nothing });
  for (const call of calls) lines.add(call);
  const freed = { times: 0 };
  return { holding: new Holding(lines, () => freed.times++), freed };
}

it("a call that was let go and waits behind another one now is not let go by the first once more", () => {
  const [first, second, held] = [callOf(1), callOf(2), callOf(3)];
  const { holding, freed } = holdingOf(first, second, held);
  holding.hold(held, first);
  holding.letGo(first);
  expect([held.heldBy, freed.times]).toEqual([undefined, 1]);
  holding.hold(held, second);
  holding.letGo(first);
  expect([held.heldBy, freed.times]).toEqual([second, 1]);
});

it("of the calls held behind one that has its slot, the first is asked about, and the others wait behind that", () => {
  const [before, second, third] = [callOf(1), callOf(2), callOf(3)];
  const { holding, freed } = holdingOf(before, second, third);
  holding.hold(second, before);
  holding.hold(third, before);
  holding.handOver(before);
  expect([second.heldBy, third.heldBy, freed.times]).toEqual([undefined, second, 1]);
  holding.letGo(before);
  expect([third.heldBy, freed.times]).toEqual([second, 1]);
});
