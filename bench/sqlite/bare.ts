import type { Served } from "../served/served.js";
import { openFile } from "./file.js";

/** A row and its commit, with the same settings and nothing else: what the disk and the driver take by themselves. */
export async function insert(): Promise<Served> {
  const { database, close } = openFile();
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  database.exec("CREATE TABLE row (id INTEGER PRIMARY KEY, charged INTEGER NOT NULL)");
  const statement = database.prepare("INSERT INTO row (charged) VALUES (?)");
  let commits = 0;
  return {
    async call() {
      commits++;
      statement.run(commits);
    },
    get statements() {
      return commits;
    },
    async close() {
      close();
    },
  };
}
