import { fileURLToPath } from "node:url";
import { mergeConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import shared from "../../vitest.config.js";
import rooms from "./rooms.json" with { type: "json" };

const { tests } = rooms[process.env.TOLLGATE_ROOM === "admission" ? "admission" : "policy"];

/** The order of the list: the quick files first, so that most mutants are dead before a law is tried on them. */
class InOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => tests.findIndex((test) => moduleId.endsWith(test));
    return [...files].sort((a, b) => place(a) - place(b));
  }
}

const fastCheck = fileURLToPath(new URL("./fast-check.ts", import.meta.url));

const config = mergeConfig(shared, {
  resolve: { alias: [{ find: /^fast-check$/, replacement: fastCheck }] },
  test: { sequence: { sequencer: InOrder } },
});

export default { ...config, test: { ...config.test, include: tests } };
