import { describe, expect, it } from "vitest";
import {
  type CallSender,
  type CountingCall,
  GroupedCalls,
} from "../../../src/counters/postgres/grouped-calls.js";

/** A call that is told from others by its id, under limits of an org. */
function callOf(id: string, org?: string): CountingCall {
  const rows = org === undefined ? [] : [{ name: org, scope: org, models: "=" }];
  return { name: "reserve", rows, toldJson: "", values: [id] };
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
  const sender: CallSender = {
    send: (calls) =>
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
      }),
    wasUndone: (error) => error instanceof RangeError,
  };
  return { sent, calls: new GroupedCalls(sender), ids: () => sent.map(({ ids }) => ids) };
}

const namesOf = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `c${from + i}`);

describe("calls of counters in Postgres", () => {
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

  it("go alone where a group has done nothing because of one of them", async () => {
    const { sent, calls, ids } = recorder();
    const first = namesOf(2).map((id) => calls.run(callOf(id)));
    await turn();
    const [good, bad] = [calls.run(callOf("good")), calls.run(callOf("bad"))];
    const failed = expect(bad).rejects.toThrow("its own fault");
    await sent[0]?.answer();
    await sent[2]?.fail(new RangeError("nothing was done"));
    expect(ids().slice(2)).toEqual([["good", "bad"], ["good"], ["bad"]]);
    await sent[3]?.answer();
    await sent[4]?.fail(new Error("its own fault"));
    await failed;
    expect(await good).toEqual(["good"]);
    for (const one of sent.slice(1, 2)) await one.answer();
    await Promise.all(first);
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

  it("that are not answered fail: no answer is made up", async () => {
    const calls = new GroupedCalls({ send: async () => [["c0"]], wasUndone: () => false });
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
