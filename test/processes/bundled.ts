import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { build } from "tsup";

const root = resolve(import.meta.dirname, "../..");

export interface Bundled {
  /** What Node runs. */
  readonly path: string;
  remove(): void;
}

/** A script of the tests as one file of JavaScript: a process that is started often starts at once. */
export async function bundled(script: string): Promise<Bundled> {
  // Inside the project, so that packages are found from there.
  const cache = join(root, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  const outDir = mkdtempSync(join(cache, "tollgate-test-"));
  const tsconfig = join(root, "tsconfig.json");
  await build({
    entry: [script],
    outDir,
    format: "esm",
    target: "node20",
    tsconfig,
    config: false,
    silent: true,
  });
  return {
    path: join(outDir, basename(script).replace(/\.ts$/, ".js")),
    remove: () => rmSync(outDir, { recursive: true, force: true }),
  };
}
