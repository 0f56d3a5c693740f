import type { ServedRace } from "../served/race.js";

/** Admissions that are on the disk when they are answered, beside the smallest thing that is. */
export const sqliteRace: ServedRace = {
  id: "sqlite-durable",
  title:
    "SQLite on disk, WAL and synchronous = FULL; admit under nine limits, 10,000 keys; statements are commits",
  contenders: [
    { name: "sqlite/tollgate", parameter: "", label: "tollgate admit", concurrency: 64 },
    { name: "sqlite/tollgate", parameter: "", label: "tollgate admit", concurrency: 1 },
    { name: "sqlite/bare", parameter: "", label: "one row and its commit", concurrency: 1 },
  ],
  compared: false,
};
