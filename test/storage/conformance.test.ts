import { memoryStorage } from "tollgate";
import { storageConformance } from "tollgate/testing";
import { describe, expect, it } from "vitest";
import { storageAdapters } from "../scenarios/adapters.js";

const everyStorage = storageAdapters();

describe.each(everyStorage)("storage: %s", (_, make) => {
  for (const { name, run } of storageConformance(make)) it(name, run);
});

it("no two cases of the suite have the same name", () => {
  const names = storageConformance(memoryStorage).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
