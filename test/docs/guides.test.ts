import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const guides = fileURLToPath(new URL("../../docs/guides/", import.meta.url));
const generated = fileURLToPath(new URL("./.generated/", import.meta.url));

/** The TypeScript blocks of a guide as one module, each on the lines that it has in the guide. */
function programOf(markdown: string): string {
  let inBlock = false;
  const lines = markdown.split("\n").map((line) => {
    if (line.startsWith("```")) {
      inBlock = !inBlock && line === "```ts";
      return "";
    }
    return inBlock ? line : "";
  });
  return lines.join("\n");
}

describe("the code of a guide runs as it stands there", () => {
  afterAll(() => rmSync(generated, { recursive: true, force: true }));

  test.each(readdirSync(guides).filter((name) => name.endsWith(".md")))("%s", async (name) => {
    const program = programOf(readFileSync(guides + name, "utf8"));
    expect(program).toContain('from "tollgate');
    mkdirSync(generated, { recursive: true });
    const file = `${generated}${name.replace(/\.md$/, "")}.ts`;
    writeFileSync(file, program);
    await import(/* @vite-ignore */ file);
  });
});
