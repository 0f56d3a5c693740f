import { describe, expect, it } from "vitest";
import { Progress } from "../../examples/replay/progress.js";

/** What a replay of so many calls writes, up to its end. */
function written(calls: number, isTTY: boolean): string[] {
  const texts: string[] = [];
  const progress = new Progress({ isTTY, write: (text) => texts.push(String(text)) > 0 }, calls);
  for (let i = 0; i < calls; i++) progress.step();
  progress.end();
  return texts;
}

describe("the progress bar of a replay", () => {
  it("fills a line of a terminal from left to right, up to all of it", () => {
    const bars = written(1_000, true).slice(0, -1);
    const filled = bars.map((bar) => bar.match(/█/g)?.length ?? 0);
    expect(filled).toEqual(Array.from({ length: 41 }, (_, cells) => cells));
    expect(bars.at(20)).toBe(`\r  ${"█".repeat(20)}${"·".repeat(20)} 50 %`);
    expect(bars.at(-1)).toBe(`\r  ${"█".repeat(40)} 100 %`);
  });

  it("is drawn at every call of a few, and removed wholly at the end, so that the report has the line", () => {
    const texts = written(3, true);
    const [end = "", ...bars] = texts.reverse();
    expect(bars).toHaveLength(3);
    const longest = Math.max(...bars.map((bar) => bar.slice(1).length));
    expect(end).toMatch(/^\r *\r$/);
    expect(end.length - 2).toBeGreaterThanOrEqual(longest);
  });

  it("is not drawn where nothing is replayed, or into a file", () => {
    expect(written(0, true)).toEqual([]);
    expect(written(1_000, false)).toEqual([]);
  });
});
