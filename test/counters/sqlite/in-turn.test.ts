import { countersConformance } from "tollgate/testing";
import { afterEach, describe, it } from "vitest";
import { sqliteCounters } from "../../../src/counters/sqlite/counters.js";
import { driverName, newFile, openDatabase } from "../../sqlite/drivers.js";
import { inTurn } from "../in-turn.js";

/** Random traces take half a second each here, so they are others than on one connection. */
const SEEDS = [11, 12, 13, 14, 15];

describe(`counters in one file of SQLite over three connections in turn, on ${driverName}`, () => {
  const remove: (() => void)[] = [];
  afterEach(() => {
    for (const one of remove.splice(0)) one();
  });

  function make() {
    const file = newFile();
    const databases = Array.from({ length: 3 }, () => openDatabase(file.path));
    remove.push(...databases.map((database) => () => database.close()), file.remove);
    return inTurn(databases.map((database) => sqliteCounters({ database })));
  }

  for (const { name, run } of countersConformance(make, { seeds: SEEDS })) it(name, run);
});
