import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^tollgate$/, replacement: source("./src/index.ts") },
      { find: /^tollgate\/testing$/, replacement: source("./src/testing/index.ts") },
    ],
  },
  test: { include: ["test/**/*.test.ts"], testTimeout: 30_000 },
});
