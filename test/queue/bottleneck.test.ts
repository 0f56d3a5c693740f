import Bottleneck from "bottleneck/light.js";
import { describe, expect, it, vi } from "vitest";
import { Turns } from "../../src/queue/turns.js";
import { A_TURN_MS, onVirtualTime, pass } from "./virtual-time.js";

onVirtualTime();

describe("turns, by whichever library", () => {
  it("are given one at a time, the best priority first, and in the order in which they were asked for", async () => {
    const turns = new Turns();
    const order: string[] = [];
    let running = 0;
    const ask = (name: string, priority: number) =>
      turns.ask(priority, async () => {
        expect(++running).toBe(1);
        order.push(name);
        await new Promise((resolve) => setTimeout(resolve, 10));
        running--;
      });
    const asked = [ask("first", 9)];
    await pass(A_TURN_MS / 4);
    asked.push(ask("9", 9), ask("5, early", 5), ask("5, late", 5), ask("0", 0));
    await pass(1_000);
    await Promise.all(asked);
    expect(order).toEqual(["first", "0", "5, early", "5, late", "9"]);
  });

  it("go on after one that rejects", async () => {
    const turns = new Turns();
    const rejected = turns.ask(5, () => Promise.reject(new Error("down"))).catch(({ message }) => message);
    const next = turns.ask(5, async () => {});
    await pass(A_TURN_MS);
    expect(await rejected).toBe("down");
    await next;
  });

  it("are given at once although the clock of the machine was set back by an hour", async () => {
    const turns = new Turns();
    await Promise.all([turns.ask(5, async () => {}), pass(A_TURN_MS)]);
    vi.setSystemTime(Date.now() - 3_600_000);
    const taken = vi.fn(async () => {});
    turns.ask(5, taken);
    await pass(A_TURN_MS);
    expect(taken).toHaveBeenCalled();
  });

  it("leave no timer behind", async () => {
    const turns = new Turns();
    await Promise.all([turns.ask(5, async () => {}), pass(A_TURN_MS)]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("what turns.ts steers around in bottleneck 2.19.5, and could stop to once one of these fails", () => {
  it("is that version", () => {
    expect(Reflect.get(Bottleneck, "version")).toBe("2.19.5");
  });

  it("a job waits for as long as the clock was set back", async () => {
    const limiter = new Bottleneck({ maxConcurrent: 1 });
    await Promise.all([limiter.schedule(async () => {}), pass(A_TURN_MS)]);
    vi.setSystemTime(Date.now() - 3_600_000);
    const job = vi.fn(async () => {});
    limiter.schedule(job);
    await pass(3_500_000);
    expect(job).not.toHaveBeenCalled();
    await pass(200_000);
    expect(job).toHaveBeenCalled();
  });

  it("a queued job cannot be taken back: there is stopping all of them, and nothing else", () => {
    const methods = Object.getOwnPropertyNames(Bottleneck.prototype);
    expect(methods).toContain("stop");
    expect(methods.filter((name) => /cancel|remove|abort|delete|dequeue/i.test(name))).toEqual([]);
  });

  it("a priority that it does not know becomes another one", async () => {
    const limiter = new Bottleneck({ maxConcurrent: 1 });
    const order: string[] = [];
    const say = (name: string, priority: number) =>
      limiter.schedule({ priority }, async () => void order.push(name));
    limiter.schedule(() => new Promise((resolve) => setTimeout(resolve, 50)));
    await pass(10);
    say("4.5, which becomes 5", 4.5);
    say("5", 5);
    say("4", 4);
    await pass(200);
    expect(order).toEqual(["4", "4.5, which becomes 5", "5"]);
  });

  it("a job costs several turns of the timer, so that one job for each call would hold calls back", async () => {
    const limiter = new Bottleneck({ maxConcurrent: 1 });
    vi.useRealTimers(); // a spy on virtual ones would bring those back when it is restored
    const timers = vi.spyOn(globalThis, "setTimeout");
    await limiter.schedule(async () => {});
    await vi.waitFor(() => expect(timers.mock.calls.length).toBeGreaterThanOrEqual(4));
  });
});
