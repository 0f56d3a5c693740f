import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { bundled } from "./bundled.js";

const script = await bundled(join(import.meta.dirname, "closing.ts"));
afterAll(() => script.remove());

describe("a process whose gate is closed ends by itself, where the sink of its ledger", () => {
  it.each([
    ["fails", "3 usage events were not written"],
    ["hangs", "3 usage events were not written"],
    ["takes", "closed"],
  ])("%s", async (sink, said) => {
    // One that does not end is killed, which rejects, as does one that fails.
    const ended = promisify(execFile)(process.execPath, [script.path, sink], { timeout: 60_000 });
    expect((await ended).stdout).toBe(said);
  });
});
