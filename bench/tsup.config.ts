import { defineConfig } from "tsup";

const common = { format: "esm", target: "node20", silent: true } as const;

/** Each file by itself; the load run as one file, with the examples in it. `tollgate` stays an import of the built package. */
export default defineConfig([
  {
    ...common,
    entry: [
      "bench/*.ts",
      "bench/{authorize,policy,admit,memory,postgres,redis,report,served,sqlite}/*.ts",
      "!bench/tsup.config.ts",
    ],
    bundle: false,
    outDir: "bench/dist",
    clean: ["!gateway"],
  },
  {
    ...common,
    entry: ["bench/gateway/{main,serve}.ts"],
    external: [/^[^./]/],
    outDir: "bench/dist/gateway",
  },
]);
