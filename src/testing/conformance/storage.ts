import type { Storage } from "../../storage/storage.js";
import { type ConformanceCase, conformanceCases } from "./case.js";
import { commits } from "./storage-commits.js";
import { concurrent } from "./storage-concurrency.js";
import { finding } from "./storage-finding.js";

/** Makes an empty storage for one case, apart from that of every other. The suite closes it. */
export type MakeStorage = () => Storage | Promise<Storage>;

/**
 * What every adapter of storage has to hold, as cases for any runner.
 *
 * @param make makes the storage of one case
 */
export function storageConformance(make: MakeStorage): ConformanceCase[] {
  return conformanceCases(
    { ...commits, ...finding, ...concurrent },
    async () => make(),
    (storage) => storage.close(),
  );
}
