import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const dist = join(root, "dist");

/** Runs code against the built package, as an importer of it would. */
function run(...args: string[]): string {
  return execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" }).trim();
}

const BODY = `
  const gate = createGate();
  const ada = gate.as({ userId: "ada" });
  const org = await ada.orgs.create({ name: "Acme" });
  const project = await ada.projects.create({ orgId: org.id, name: "Search" });
  const { token } = await ada.keys.create({ orgId: org.id, projectId: project.id, limits: { rpm: 1 } });
  const first = await gate.admit(token, { model: "gpt-4o" });
  const second = await gate.admit(token, { model: "gpt-4o" });
  console.log(first.admitted, second.reason);
`;

// `.ci/run` builds before it tests; on a fresh clone there is nothing built that could be tested.
describe.skipIf(!existsSync(join(dist, "index.js")))(
  "the built package (skipped where nothing is built)",
  () => {
    it("works from ESM", () => {
      const code = `import { createGate } from "tollgate"; ${BODY}`;
      expect(run("--input-type=module", "-e", code)).toBe("true rate_limited");
    });

    it("works from CommonJS, without requiring an ES module", () => {
      const code = `const { createGate } = require("tollgate"); (async () => { ${BODY} })();`;
      expect(run("--no-experimental-require-module", "-e", code)).toBe("true rate_limited");
    });

    it.each(["import", "require"])("has one ValidationError for all entry points, by %s", (how) => {
      const load = (name: string) => (how === "import" ? `await import("${name}")` : `require("${name}")`);
      const code = `(async () => {
      const { ValidationError } = ${load("tollgate")};
      const { parseTrace } = ${load("tollgate/testing")};
      try { parseTrace("nonsense"); } catch (error) { console.log(error instanceof ValidationError); }
    })();`;
      expect(run("-e", code)).toBe("true");
    });

    it.each(["import", "require"])("tells a client the same of an error of the other copy, by %s", (how) => {
      const load = (name: string, by = how) =>
        by === "import" ? `await import("${name}")` : `require("${name}")`;
      const code = `(async () => {
      const { createGate } = ${load("tollgate")};
      const { Failure } = ${load("tollgate/http")};
      const { toErrorResponse } = ${load("tollgate/http", how === "import" ? "require" : "import")};
      const errors = [new Failure(404, "not_found", "No such path.")];
      await createGate().admit("x", { model: 5 }).catch((error) => errors.push(error));
      await createGate().as({ userId: "eve" }).orgs.get({ orgId: "acme" }).catch((error) => errors.push(error));
      console.log(errors.map((error) => toErrorResponse(error, { profile: "openai" }).status).join());
    })();`;
      expect(run("-e", code)).toBe("404,400,403");
    });

    it("has a file behind everything that package.json exports", () => {
      const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
      const files = JSON.stringify(exports).match(/\.\/[\w./-]+/g) ?? [];
      expect(files.length).toBeGreaterThan(5);
      expect(
        files.filter((file) => !file.endsWith(".") && /\.\w+$/.test(file) && !existsSync(join(root, file))),
      ).toEqual([]);
    });

    it("exports an entry point for each file of src, and no other", () => {
      const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
      const entries = readdirSync(join(root, "src")).filter((file) => file.endsWith(".ts"));
      const names = entries.map((file) => (file === "index.ts" ? "." : `./${file.replace(/\.ts$/, "")}`));
      expect(Object.keys(exports).sort()).toEqual([...names, "./package.json"].sort());
    });

    it("names fast-check in the types of its arbitraries alone: nobody else has to have it", () => {
      const types = readdirSync(dist).filter((file) => /\.d\.c?ts$/.test(file));
      const naming = types.filter((file) =>
        /["']fast-check["']/.test(readFileSync(join(dist, file), "utf8")),
      );
      expect(naming.sort()).toEqual(["arbitraries.d.cts", "arbitraries.d.ts"]);
    });

    it("names no type of Node in its declarations: a project without @types/node compiles", () => {
      const types = readdirSync(dist).filter((file) => /\.d\.c?ts$/.test(file));
      const code = types.map((file) =>
        readFileSync(join(dist, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ""),
      );
      expect(types.filter((_, i) => /\bBuffer\b|\bNodeJS\b|["']node:/.test(code[i] ?? ""))).toEqual([]);
    });

    it("names no path of the machine that built it", () => {
      const texts = readdirSync(dist).map((file) => readFileSync(join(dist, file), "utf8"));
      expect(texts.filter((text) => text.includes(root))).toEqual([]);
    });
  },
);

describe("what is packed", () => {
  it("has the guides, and not the API reference that was built beside them", () => {
    const folder = mkdtempSync(join(tmpdir(), "tollgate-packed-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    copyFileSync(join(root, "package.json"), join(folder, "package.json"));
    for (const file of ["docs/guides/limits.md", "docs/api/index.html"]) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), "");
    }
    const packed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: folder,
      encoding: "utf8",
    });
    const [{ files }] = JSON.parse(packed);
    const paths: string[] = files.map(({ path }: { path: string }) => path);
    expect(paths.sort()).toEqual(["docs/guides/limits.md", "package.json"]);
  });
});
