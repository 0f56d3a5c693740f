import type { Storage } from "../../storage/storage.js";
import { type ConformanceCase, conformanceCases } from "./case.js";
import { commits } from "./storage-commits.js";
import { concurrent } from "./storage-concurrency.js";
import { finding } from "./storage-finding.js";
import { withParents } from "./storage-parents.js";

/** Makes an empty storage for one case, separate from that of every other case. The suite closes it. */
export type MakeStorage = () => Storage | Promise<Storage>;

/**
 * What every adapter of storage must do, as cases for any test runner. An adapter may enforce references: the org and
 * the project of a record are always stored before it.
 *
 * @param make makes the storage of one case
 */
export function storageConformance(make: MakeStorage): ConformanceCase[] {
  return conformanceCases(
    { ...commits, ...finding, ...concurrent },
    async () => withParents(await make()),
    (storage) => storage.close(),
  );
}
