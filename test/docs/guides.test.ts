import { readdirSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test, vi } from "vitest";
import { load, programOf } from "./programs.js";

const readme = fileURLToPath(new URL("../../README.md", import.meta.url));
const guides = fileURLToPath(new URL("../../docs/guides/", import.meta.url));
const generated = fileURLToPath(new URL("./.generated/", import.meta.url));

/** Runs the code of a page from a file beside this one. */
const run = (name: string, markdown: string) => load(generated, name, programOf(markdown));

afterAll(() => rmSync(generated, { recursive: true, force: true }));

describe("the code of a guide runs as it stands there", () => {
  test.each(readdirSync(guides).filter((name) => name.endsWith(".md")))("%s", async (name) => {
    // What a guide prints is for who runs it.
    vi.spyOn(console, "warn").mockImplementation(() => {});
    await run(name, readFileSync(guides + name, "utf8"));
  });
});

describe("the code of the README", () => {
  test("admits two calls of 0.0064 USD and refuses the third, as the README says", async () => {
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    await run("readme.md", readFileSync(readme, "utf8"));
    expect(log.mock.calls).toEqual([
      [0.0064, "USD"],
      [0.0064, "USD"],
      ["rate_limited", expect.any(Number), expect.stringContaining("2 requests per minute")],
    ]);
    log.mockRestore();
  });
});
