import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { TestContext } from "vitest";
import { parseTrace, type TraceCall } from "../../src/testing/trace.js";

/** The real hour, which stays outside the project. */
export const REAL_HOUR = resolve(import.meta.dirname, "../../../shared/data/azure-llm-2023-conv.csv");

/** The calls of the real hour; the test is skipped, and says why, where the file is not there. */
export function realHour(test: TestContext): TraceCall[] {
  if (!existsSync(REAL_HOUR)) test.skip("../shared/data/azure-llm-2023-conv.csv is not here");
  return parseTrace(readFileSync(REAL_HOUR, "utf8"));
}
