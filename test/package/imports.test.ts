import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const source = resolve(import.meta.dirname, "../../src");

/** Which rooms a room may import from, besides itself. Imports go one way. */
const ALLOWED: Record<string, readonly string[]> = {
  model: [],
  policy: ["model"],
  pricing: ["model"],
  admission: ["model", "pricing"],
  storage: ["model"],
  counters: ["model", "admission"],
  ledger: ["model"],
  gate: ["model", "policy", "pricing", "admission", "storage", "counters", "ledger"],
  http: ["model", "policy", "pricing", "admission", "gate"],
  queue: ["model", "policy", "pricing", "admission", "gate"],
  testing: ["model", "policy", "pricing", "admission", "storage", "counters", "ledger", "gate"],
};

const PURE = new Set(["model", "policy", "pricing", "admission"]);
const PURE_PACKAGES = new Set(["zod", "temporal-polyfill"]);

interface Import {
  readonly file: string;
  readonly room: string;
  readonly target: string;
}

function importsOf(root: string): Import[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => {
      const text = readFileSync(join(root, file), "utf8");
      const room = file.includes("/") ? (file.split("/")[0] ?? "") : "";
      const matches = text.matchAll(/(?:^import|\bfrom|\bimport\() ?"([^"]+)"/gm);
      return [...matches].map(([, target = ""]) => ({ file, room, target }));
    });
}

function roomOf({ file, target }: Import): string {
  const path = relative(source, resolve(source, dirname(file), target));
  return path.includes("/") ? (path.split("/")[0] ?? "") : "";
}

describe("imports", () => {
  const all = importsOf(source);
  const local = all.filter(({ target }) => target.startsWith("."));
  const external = all.filter(({ target }) => !target.startsWith("."));

  it("are seen at all", () => {
    expect(local.length).toBeGreaterThan(50);
    expect(external.map(({ target }) => target)).toContain("node:crypto");
  });

  it("go one way between the rooms", () => {
    const wrong = local.filter((one) => {
      const target = roomOf(one);
      return one.room !== "" && target !== one.room && !ALLOWED[one.room]?.includes(target);
    });
    expect(wrong).toEqual([]);
  });

  it("of the pure core name nothing of Node and no adapter", () => {
    const wrong = external.filter(({ room, target }) => PURE.has(room) && !PURE_PACKAGES.has(target));
    expect(wrong).toEqual([]);
  });

  it("of the whole package name no database client", () => {
    const known = new Set(["zod", "temporal-polyfill", "lru-cache", "node:crypto", "node:zlib"]);
    expect(external.filter(({ target }) => !known.has(target))).toEqual([]);
  });
});
