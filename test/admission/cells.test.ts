import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Cells } from "../../src/admission/cells.js";

const step = fc.oneof(
  { weight: 1, arbitrary: fc.record({ extend: fc.nat(60), by: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 3, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 2, arbitrary: fc.record({ giveBack: fc.nat(60) }) },
);

describe("cells", () => {
  it("law: a block holds what was put into it until it is given back, whatever else is taken and given back", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const cells = new Cells();
        const kept: { at: number; numbers: number[]; handle: number; list: number[] }[] = [];
        let made = 0;
        for (const one of steps) {
          if ("take" in one) {
            const numbers = Array.from({ length: one.take }, () => ++made);
            const list = [++made];
            kept.push({ at: cells.take(numbers), numbers, handle: cells.takeList(list), list });
          } else if ("extend" in one) {
            const longer = kept[one.extend];
            if (longer === undefined) continue;
            const more = Array.from({ length: one.by }, () => ++made);
            longer.at = cells.extend(longer.at, longer.numbers.length, more);
            longer.numbers.push(...more);
          } else {
            const [gone] = kept.splice(one.giveBack, 1);
            if (gone === undefined) continue;
            cells.giveBack(gone.at, gone.numbers.length);
            cells.giveBackList(gone.handle);
          }
          for (const { at, numbers, handle, list } of kept) {
            expect([...cells.numbers.subarray(at, at + numbers.length)]).toEqual(numbers);
            expect(cells.list(handle)).toBe(list);
          }
        }
      }),
    );
  });

  it("use again what was given back", () => {
    const cells = new Cells();
    const blocks = [cells.take([1, 2, 3]), cells.take([4, 5, 6])];
    cells.take([7]);
    for (const block of blocks) cells.giveBack(block, 3);
    const again = [cells.take([8, 9, 10]), cells.take([11, 12, 13])];
    expect(again.toSorted()).toEqual(blocks);
    expect(blocks).not.toContain(cells.take([14, 15, 16]));

    const handle = cells.takeList([1]);
    cells.giveBackList(handle);
    expect(cells.list(handle)).toEqual([]);
    expect(cells.takeList([2])).toBe(handle);
    expect(cells.takeList([3])).not.toBe(handle);
  });

  it("make a block longer in its place where nothing lies behind it, else elsewhere", () => {
    const cells = new Cells();
    const block = cells.take([1, 2]);
    expect(cells.extend(block, 2, [3])).toBe(block);
    cells.take([4]);
    const moved = cells.extend(block, 3, [5]);
    expect(moved).not.toBe(block);
    expect([...cells.numbers.subarray(moved, moved + 4)]).toEqual([1, 2, 3, 5]);
    expect(cells.take([6, 7, 8])).toBe(block);
  });

  it("have no list under the handle of none, which is nobody's to give back", () => {
    const cells = new Cells();
    cells.giveBackList(0);
    expect(cells.takeList([1])).not.toBe(0);
    expect(cells.list(0)).toEqual([]);
  });

  it("replace a list in its place", () => {
    const cells = new Cells();
    const handle = cells.takeList([1]);
    cells.replaceList(handle, [1, 2]);
    expect(cells.list(handle)).toEqual([1, 2]);
  });
});
