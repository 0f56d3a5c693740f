import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

it.each(["express/middleware.ts", "fastify/plugin.ts"])("%s is at most 60 lines", (file) => {
  const text = readFileSync(new URL(`../../../examples/${file}`, import.meta.url), "utf8");
  expect(text.trimEnd().split("\n").length).toBeLessThanOrEqual(60);
});
