import { defineConfig } from "tsup";

/** File by file and without bundling, so that `tollgate` stays an import of the built package. */
export default defineConfig({
  entry: ["bench/*.ts", "bench/{authorize,admit,memory,report}/*.ts", "!bench/tsup.config.ts"],
  bundle: false,
  format: "esm",
  target: "node20",
  outDir: "bench/dist",
  clean: true,
  silent: true,
});
