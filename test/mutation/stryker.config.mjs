import rooms from "./rooms.json" with { type: "json" };

const room = process.env.TOLLGATE_ROOM ?? "policy";

/** @type {import("@stryker-mutator/api/core").PartialStrykerOptions} */
export default {
  mutate: rooms[room].mutate,
  testRunner: "vitest",
  vitest: { configFile: "test/mutation/vitest.config.ts" },
  coverageAnalysis: "perTest",
  concurrency: 2,
  // Laws take seconds where the machine is busy; a mutant that loops is told by its hits, long before that.
  timeoutMS: 60_000,
  ignorePatterns: ["/bench", "/docs", "/examples", "/dist", "/.stryker-tmp", "/reports"],
  // Undone again by the runner on each file of the sandbox; type errors are the compiler's to find, not the tests'.
  disableTypeChecks: true,
  reporters: ["clear-text", "progress-append-only", "json"],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false, reportMutants: true },
  jsonReporter: { fileName: `reports/mutation/${room}.json` },
  thresholds: { high: 100, low: 95, break: 95 },
};
