import { expect, it } from "vitest";
import { latestUsed } from "../../src/gate/latest-used.js";

it("keeps so many values, the ones used last, and tells of each that is dropped", () => {
  const dropped: number[] = [];
  const cache = latestUsed<number>(2, (value) => dropped.push(value));
  cache.set("a", 1).set("b", 2);
  cache.get("a");
  cache.set("c", 3);
  expect([...cache.keys()].sort()).toEqual(["a", "c"]);
  cache.delete("a");
  expect(dropped).toEqual([2, 1]);
});

it("takes no memory for values that are not there", () => {
  const before = process.memoryUsage().arrayBuffers;
  const caches = Array.from({ length: 3 }, () => latestUsed<number>(10_000_000));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  expect(caches.map(({ size }) => size)).toEqual([0, 0, 0]);
});
