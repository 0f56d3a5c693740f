import { defineConfig } from "tsup";

/** One file for each entry point. */
const entry = ["src/*.ts"];
const target = "node20";

export default defineConfig([
  { entry, target, format: "esm" },
  {
    entry,
    target,
    format: "cjs",
    // Shared chunks here too: an error from one entry point is an instance of the class from the other.
    splitting: true,
    // The polyfill ships as ESM only; inside, it also serves CommonJS hosts that cannot require ESM (Jest).
    noExternal: ["temporal-polyfill"],
  },
  {
    entry,
    target,
    format: ["esm", "cjs"],
    // tsup hands its declaration build a baseUrl, which TypeScript 6 calls deprecated.
    dts: { only: true, compilerOptions: { ignoreDeprecations: "6.0" } },
  },
]);
