import { afterEach, describe, expect, it, vi } from "vitest";
import {
  type CountingCall,
  GroupedCalls,
  type SendCalls,
} from "../../../src/counters/postgres/grouped-calls.js";
import { CountersUnavailableError } from "../../../src/model/errors.js";

/** A call that is told from others by its id, under limits of an org. */
function callOf(id: string, org?: string, name: CountingCall["name"] = "reserve"): CountingCall {
  const rows = org === undefined ? [] : [{ name: org, lock: org, scope: org, models: "=" }];
  return { name, rows, locks: [`id ${id}`], told: "", values: [id] };
}

interface Sent {
  readonly ids: readonly unknown[];
  answer(): Promise<void>;
  fail(error: Error): Promise<void>;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A sender that notes what is sent, and answers each call with its id when it is told to. */
function recorder() {
  const sent: Sent[] = [];
  const send: SendCalls = (calls) =>
    new Promise((resolve, reject) => {
      const ids = calls.map(({ values }) => values[0]);
      sent.push({
        ids,
        answer: async () => {
          resolve(ids.map((id) => [id]));
          await turn();
        },
        fail: async (error) => {
          reject(error);
          await turn();
        },
      });
    });
  const calls = new GroupedCalls(send, (error) => error instanceof RangeError, 500);
  return { sent, calls, ids: () => sent.map(({ ids }) => ids) };
}

const namesOf = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `c${from + i}`);

describe("calls of counters in Postgres", () => {
  afterEach(() => vi.useRealTimers());

  it("go alone and at once while few are under way", async () => {
    const { sent, calls, ids } = recorder();
    const answers = namesOf(2).map((id) => calls.run(callOf(id, `org of ${id}`)));
    await turn();
    expect(ids()).toEqual([["c0"], ["c1"]]);
    for (const one of sent) await one.answer();
    expect(await Promise.all(answers)).toEqual([["c0"], ["c1"]]);
  });

  it("that come meanwhile go together, in the order in which they came, each with its own answer", async () => {
    const { sent, calls, ids } = recorder();
    const first = namesOf(2).map((id) => calls.run(callOf(id)));
    await turn();
    const later = namesOf(70, 2).map((id) => calls.run(callOf(id)));
    await turn();
    expect(sent).toHaveLength(2);
    await sent[1]?.answer();
    expect(ids().slice(2)).toEqual([namesOf(64, 2)]);
    await sent[2]?.answer();
    expect(ids().slice(3)).toEqual([namesOf(6, 66)]);
    for (const one of sent) await one.answer();
    expect(await Promise.all([...first, ...later])).toEqual(namesOf(72).map((id) => [id]));
  });

  it("are shared out among the statements that may still be sent", async () => {
    const { sent, calls } = recorder();
    const answers = namesOf(62).map((id) => calls.run(callOf(id)));
    await turn();
    expect(sent.map((one) => one.ids.length)).toEqual([31, 31]);
    for (const one of sent) await one.answer();
    await Promise.all(answers);
  });

  it("wait here for one under way that holds the widest of their rows, and keep nobody else back", async () => {
    const { sent, calls, ids } = recorder();
    const first = calls.run(callOf("c0", "acme"));
    await turn();
    const same = namesOf(3, 1).map((id) => calls.run(callOf(id, "acme")));
    const other = calls.run(callOf("c4", "globex"));
    await turn();
    expect(ids()).toEqual([["c0"], ["c4"]]);
    await sent[1]?.answer();
    expect(sent).toHaveLength(2);
    await sent[0]?.answer();
    expect(ids().slice(2).flat()).toEqual(["c1", "c2", "c3"]);
    for (const one of sent) await one.answer();
    expect(await Promise.all([first, ...same, other])).toHaveLength(5);
  });

  it("go in halves, in their order, where a value of one of them has failed a group", async () => {
    const { sent, calls, ids } = recorder();
    const first = calls.run(callOf("c0", "acme"));
    await turn();
    const all = ["a", "b", "bad", "d"].map((id) => calls.run(callOf(id, "acme")));
    const outcomes = Promise.allSettled(all);
    await sent[0]?.answer();
    await sent[1]?.fail(new RangeError("a value"));
    await sent[2]?.answer();
    await sent[3]?.fail(new RangeError("a value"));
    await sent[4]?.fail(new RangeError("its own fault"));
    await sent[5]?.answer();
    expect(ids().slice(1)).toEqual([["a", "b", "bad", "d"], ["a", "b"], ["bad", "d"], ["bad"], ["d"]]);
    expect((await outcomes).map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    await first;
  });

  it("all fail where nobody knows what was done, and none is sent twice", async () => {
    const { sent, calls } = recorder();
    const first = namesOf(2).map((id) => calls.run(callOf(id)));
    await turn();
    const lost = namesOf(3, 2).map((id) => calls.run(callOf(id)));
    const failed = Promise.all(lost.map((one) => expect(one).rejects.toThrow("connection lost")));
    await sent[0]?.answer();
    await sent[2]?.fail(new Error("connection lost"));
    await failed;
    expect(sent).toHaveLength(3);
    for (const one of sent.slice(1, 2)) await one.answer();
    await Promise.all(first);
  });

  it("have a bounded number of locks together", async () => {
    const { sent, calls } = recorder();
    const rows = Array.from({ length: 39 }, (_, i) => ({
      name: `${i}`,
      lock: `${i}`,
      scope: "acme",
      models: "=",
    }));
    const answers = namesOf(10).map((id) => calls.run({ ...callOf(id), rows }));
    await turn();
    expect(sent.map((one) => one.ids.length)).toEqual([4]);
    for (const one of sent) await one.answer();
    await Promise.all(answers);
    expect(sent.map((one) => one.ids.length)).toEqual([4, 4, 2]);
  });

  it("go beside statements that are held up, but for those that would be held up with them", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { sent, calls, ids } = recorder();
    const held = ["acme", "globex"].map((org) => calls.run(callOf(org, org)));
    await turn();
    const others = ["other", "acme"].map((org) => calls.run(callOf(`more of ${org}`, org)));
    await turn();
    expect(sent).toHaveLength(2);
    vi.advanceTimersByTime(1_000);
    await turn();
    expect(ids().slice(2)).toEqual([["more of other"]]);
    for (const one of sent) await one.answer();
    await Promise.all([...held, ...others]);
    // As many as before may go at once again.
    const later = namesOf(3).map((id) => calls.run(callOf(id)));
    await turn();
    expect(ids().slice(4)).toEqual([["c0", "c1"], ["c2"]]);
    for (const one of sent) await one.answer();
    await Promise.all(later);
  });

  it("that waited unsent for too long fail with nothing charged, but for settles: nobody waits for them any more", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const { sent, calls, ids } = recorder();
    const stalled = calls.run(callOf("stalled", "acme"));
    await turn();
    const old = namesOf(3).map((id) => calls.run(callOf(id, "acme")));
    const given = Promise.allSettled(old);
    const settling = calls.run(callOf("settling", "acme", "settle"));
    vi.advanceTimersByTime(1);
    const justInTime = calls.run(callOf("just in time", "acme"));
    vi.advanceTimersByTime(500);
    await sent[0]?.answer();
    expect(ids().slice(1)).toEqual([["settling", "just in time"]]);
    await sent[1]?.answer();
    await Promise.all([stalled, settling, justInTime]);
    for (const one of await given) {
      expect(one).toMatchObject({ status: "rejected", reason: expect.any(CountersUnavailableError) });
    }
  });

  it("go on after a statement whose connection is gone without a word, a few seconds later; they are not kept back for good", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const { sent, calls, ids } = recorder();
    const gone = ["acme", "globex"].map((org) => calls.run(callOf(`gone of ${org}`, org)));
    await turn();
    const settling = calls.run(callOf("settling", "acme", "settle"));
    vi.advanceTimersByTime(2_900);
    await turn();
    expect(sent).toHaveLength(2);
    vi.advanceTimersByTime(200);
    await turn();
    expect(ids().slice(2)).toEqual([["settling"]]);
    // What is let go and ends at last gives back nothing that another has by now.
    await sent[0]?.answer();
    const next = calls.run(callOf("next", "acme"));
    await turn();
    expect(sent).toHaveLength(3);
    await sent[2]?.answer();
    expect(ids().slice(3)).toEqual([["next"]]);
    for (const one of sent) await one.answer();
    expect(await Promise.all([...gone, settling, next])).toHaveLength(4);
  });

  it("that are not answered fail: no answer is made up", async () => {
    const calls = new GroupedCalls(
      async () => [["c0"]],
      () => false,
      500,
    );
    const answers = await Promise.allSettled(namesOf(2).map((id) => calls.run(callOf(id, "acme"))));
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  });

  it("are sent again after a failure: it leaves no place taken and no row held", async () => {
    const { sent, calls } = recorder();
    for (let round = 0; round < 9; round++) {
      const one = calls.run(callOf("one", "acme"));
      const failed = expect(one).rejects.toThrow("gone");
      await turn();
      await sent[round]?.fail(new Error("gone"));
      await failed;
    }
    expect(sent).toHaveLength(9);
  });
});
