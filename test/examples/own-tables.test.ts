import { readFileSync } from "node:fs";
import { hashToken } from "tollgate";
import { directoryConformance } from "tollgate/testing";
import { describe, expect, it, vi } from "vitest";
import { directory, token } from "../../examples/own-tables/directory.js";

const example = ["directory.ts", "main.ts"].map(
  (file) => new URL(`../../examples/own-tables/${file}`, import.meta.url),
);

it("the example puts a gate over tables of one's own, in under 60 lines", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
  await import("../../examples/own-tables/main.js");
  expect(log.mock.calls.flat()).toEqual([
    "admitted: ada may call openai/gpt-5.4-mini",
    "settled: 1510 tokens",
    "org: 1 of 1000 requests",
    "key: 0.002295 of 5 USD",
    "refused: The API key may not call this model.",
  ]);
  log.mockRestore();
  const lines = example.flatMap((file) => readFileSync(file, "utf8").trimEnd().split("\n"));
  expect(lines.length).toBeLessThan(60);
});

describe("the directory of the example", () => {
  const keys = [{ keyId: "key-7", hash: hashToken(token) }];
  for (const { name, run } of directoryConformance(() => ({ directory, keys }))) it(name, run);
});
