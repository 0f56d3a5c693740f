import { expect, it, vi } from "vitest";

it("the example counts with a real tokenizer, special tokens in the text included", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
  await import("../../examples/token-counter/main.js");
  expect(log.mock.calls.flat()).toEqual([
    "input: 34 tokens, by characters 31",
    "output: 9 tokens, by characters 11",
  ]);
  log.mockRestore();
});
