import { readFileSync } from "node:fs";
import { expect, it, vi } from "vitest";

const example = new URL("../../examples/own-tables/main.ts", import.meta.url);

it("the example puts a gate over tables of one's own, in under 60 lines", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
  await import("../../examples/own-tables/main.js");
  expect(log.mock.calls.flat()).toEqual([
    "admitted: ada of search may call openai/gpt-5.4-mini",
    "settled: 1510 tokens",
    "org: 1 of 1000 requests",
    "key: 0.002295 of 5 USD",
    "refused: The API key may not call this model.",
  ]);
  log.mockRestore();
  expect(readFileSync(example, "utf8").split("\n").length).toBeLessThan(60);
});
