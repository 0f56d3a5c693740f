import { defineConfig } from "tsup";

const entry = { index: "src/index.ts", testing: "src/testing/index.ts" };

export default defineConfig([
  {
    entry,
    format: "esm",
    target: "node20",
    clean: true,
    // tsup hands its declaration build a baseUrl, which TypeScript 6 calls deprecated.
    dts: { compilerOptions: { ignoreDeprecations: "6.0" } },
  },
  {
    entry,
    format: "cjs",
    target: "node20",
    dts: { compilerOptions: { ignoreDeprecations: "6.0" } },
    // The polyfill ships as ESM only; inside, it also serves CommonJS hosts that cannot require ESM (Jest).
    noExternal: ["temporal-polyfill"],
  },
]);
