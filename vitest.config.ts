import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^tollgate$/, replacement: source("./src/index.ts") },
      { find: /^tollgate\/(\w+)$/, replacement: source("./src/$1.ts") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // What is waited for may take its time on a busy machine.
    expect: { poll: { timeout: 30_000 } },
    // One more than two cores: many tests wait for servers and processes.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    // Files share their process, which saves a third of the time; the setup holds each to leave it as it was.
    isolate: false,
    setupFiles: ["test/shared-process.ts"],
  },
});
