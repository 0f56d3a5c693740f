import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

const source = resolve(import.meta.dirname, "../../src");

/** Which rooms a room may import from, besides itself. Imports go one way. */
const ALLOWED: Record<string, readonly string[]> = {
  model: [],
  policy: ["model"],
  pricing: ["model"],
  admission: ["model", "pricing"],
  sqlite: ["model"],
  postgres: ["model"],
  storage: ["model", "sqlite", "postgres"],
  counters: ["model", "admission", "sqlite", "postgres"],
  ledger: ["model", "sqlite", "postgres"],
  gate: ["model", "policy", "pricing", "admission", "storage", "counters", "ledger"],
  metrics: ["model", "gate"],
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
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
    .flatMap((file) => {
      const text = readFileSync(join(root, file), "utf8");
      const room = file.includes("/") ? (file.split("/")[0] ?? "") : "";
      const matches = text.matchAll(/(?:^import|\bfrom|\bimport\() ?"([^"\n]+)"/gm);
      return [...matches].map(([, target = ""]) => ({ file, room, target }));
    });
}

function roomOf({ file, target }: Import): string {
  const path = relative(source, resolve(source, dirname(file), target));
  return path.includes("/") ? (path.split("/")[0] ?? "") : "";
}

/** Whether a file's imports, and theirs in turn, come to another one. */
function reaches(targets: ReadonlyMap<string, readonly string[]>, from: string, to: string): boolean {
  const open = [...(targets.get(from) ?? [])];
  const seen = new Set(open);
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (file === to) return true;
    const next = (targets.get(file) ?? []).filter((target) => !seen.has(target));
    for (const target of next) seen.add(target);
    open.push(...next);
  }
  return false;
}

describe("the pure core", () => {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && PURE.has(file.split("/")[0] ?? ""),
  );

  it("reads no clock, draws no random numbers and names no global of Node", () => {
    const impure =
      /Date\.now|new Date\(\)|Temporal\.Now|Math\.random|\b(performance|crypto|process|Buffer)\.\w|\bset(Timeout|Interval)\(/;
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((file) => impure.test(readFileSync(join(source, file), "utf8")))).toEqual([]);
  });
});

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

  it("go one way between files: none leads back to where it began, types included", () => {
    const targets = new Map<string, string[]>();
    for (const { file, target } of local) {
      const path = relative(source, resolve(source, dirname(file), target)).replace(/\.js$/, ".ts");
      targets.set(file, [...(targets.get(file) ?? []), path]);
    }
    expect(targets.get("queue/line.ts")).toContain("queue/call.ts");
    const circles = [...targets.keys()].filter((file) => reaches(targets, file, file));
    expect(circles).toEqual([]);
  });

  it("of the pure core name nothing of Node and no adapter", () => {
    const wrong = external.filter(({ room, target }) => PURE.has(room) && !PURE_PACKAGES.has(target));
    expect(wrong).toEqual([]);
  });

  it("of the entry point that runs in a browser are of the pure core alone", () => {
    const rooms = local.filter(({ file }) => file === "core.ts").map(roomOf);
    expect(rooms.length).toBeGreaterThan(10);
    expect(rooms.filter((room) => !PURE.has(room))).toEqual([]);
  });

  it("of zod bring a browser none of its fifty languages but English", async () => {
    const { metafile } = await build({
      stdin: { contents: 'export { standardPolicy } from "./core.ts";', resolveDir: source },
      bundle: true,
      format: "esm",
      metafile: true,
      write: false,
      outdir: "nowhere",
    });
    const [bundle] = Object.values(metafile.outputs);
    const used = Object.entries(bundle?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
    const languages = used.map(([file]) => /zod.*locales\/(.+)\.js$/.exec(file)?.[1]).filter(Boolean);
    expect(languages).toEqual(["en"]);
  });

  it("of the whole package name only what is listed here, which is no database client", () => {
    const known = new Set([
      "zod",
      "temporal-polyfill",
      "lru-cache",
      "node:async_hooks",
      "node:crypto",
      "node:util",
      "node:zlib",
      "node:timers/promises",
      "bottleneck/light.js",
    ]);
    // The arbitraries name fast-check's types; `import type` is gone when they are built.
    const arbitraries = external.filter(({ file }) => file.startsWith("testing/arbitraries/"));
    const others = external.filter((one) => !arbitraries.includes(one) || one.target !== "fast-check");
    expect(others.filter(({ target }) => !known.has(target))).toEqual([]);
  });

  it("of bottleneck are in one file of a room, and those of `tollgate` wait until something is batched", () => {
    const files = external.filter(({ target }) => target.startsWith("bottleneck"));
    expect(files.map(({ file }) => file).sort()).toEqual(["ledger/batches.ts", "queue/turns.ts"]);
    expect(readFileSync(join(source, "ledger/batches.ts"), "utf8")).not.toMatch(/from "bottleneck/);
  });

  it("of OpenTelemetry there are none, not even of types: a meter is whatever has its methods", () => {
    expect(external.filter(({ target }) => target.includes("opentelemetry"))).toEqual([]);
  });
});
