import { mkdirSync, writeFileSync } from "node:fs";
import { expect } from "vitest";

/** The TypeScript blocks of a guide as one module, each on the lines that it has in the guide. */
export function programOf(markdown: string): string {
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

/** Runs a program as a module in a folder of its own. */
export async function load(folder: string, name: string, program: string): Promise<Record<string, unknown>> {
  expect(program).toContain('from "tollgate');
  mkdirSync(folder, { recursive: true });
  const file = `${folder}${name.replace(/\.md$/, "")}.ts`;
  writeFileSync(file, program);
  return import(/* @vite-ignore */ file);
}
