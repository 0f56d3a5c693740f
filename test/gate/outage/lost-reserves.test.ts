import type { ReserveOutcome, ReserveRequest, SettleOutcome, SettleRequest } from "tollgate";
import { describe, expect, it } from "vitest";
import { LostReserves } from "../../../src/gate/outage/lost-reserves.js";

const request = (id: string, key?: string): ReserveRequest => ({
  id,
  orgId: "o1",
  now: 0,
  ttlMs: 60_000,
  charges: [],
  idempotency: key === undefined ? undefined : { key, fingerprint: "f" },
});

/** Counters that undo what they are asked to. */
function undoing() {
  const undone: string[] = [];
  const settle = async ({ id }: SettleRequest): Promise<SettleOutcome> => {
    undone.push(id);
    return { outcome: "settled", used: [] };
  };
  return { undone, counters: { settle } };
}

describe("reserves that failed without an answer", () => {
  it("are undone each time, however many outages a process lives through", async () => {
    const { undone, counters } = undoing();
    const lost = new LostReserves();
    for (let outage = 0; outage < 20; outage++) {
      for (let call = 0; call < 256; call++) lost.note(request(`${outage}-${call}`), new Error("broken"));
      await lost.undo(counters, "o1", 0);
    }
    expect(undone).toHaveLength(20 * 256);
  });

  it("are left alone while any of several tries of the same request is under way", async () => {
    const { undone, counters } = undoing();
    const lost = new LostReserves();
    lost.note(request("first", "k"), new Error("broken"));
    const answers: ((answer: ReserveOutcome) => void)[] = [];
    const tries = ["second", "third"].map((id) =>
      lost.during(request(id, "k"), () => new Promise((resolve) => answers.push(resolve))),
    );
    answers[0]?.({ outcome: "conflict" });
    await tries[0];
    await lost.undo(counters, "o1", 0);
    expect(undone).toEqual([]);
    answers[1]?.({ outcome: "conflict" });
    await tries[1];
    await lost.undo(counters, "o1", 0);
    expect(undone).toEqual(["first"]);
  });

  it("are undone before a try of the same request that begins meanwhile is asked about", async () => {
    const steps: string[] = [];
    let answer = () => {};
    const settle = async ({ id }: SettleRequest): Promise<SettleOutcome> => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      steps.push(`undone: ${id}`);
      return { outcome: "settled", used: [] };
    };
    const lost = new LostReserves();
    lost.note(request("first", "k"), new Error("broken"));
    const undoing = lost.undo({ settle }, "o1", 0);
    const tryIt = (id: string, key: string) =>
      lost.during(request(id, key), async () => {
        steps.push(`asked: ${id}`);
        return { outcome: "conflict" };
      });
    const second = tryIt("second", "k");
    await tryIt("other", "k2");
    answer();
    await Promise.all([undoing, second]);
    expect(steps).toEqual(["asked: other", "undone: first", "asked: second"]);
  });
});
