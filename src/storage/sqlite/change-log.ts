import type { RecordKind } from "../../model/records.js";
import type { Connection } from "../../sqlite/connection.js";
import { storedText, textIn } from "../../sqlite/text.js";
import type { Changed } from "../storage.js";

/** How many of the latest changes are kept: far more than are made between two looks. */
const KEPT = 10_000;

/** What the commits of all processes have changed, in order, in a table of the database. */
export class ChangeLog {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The number of the last change. 0 before the first. */
  get last(): number {
    return Number(this.#connection.first("SELECT max(sequence) AS last FROM tollgate_change")?.last ?? 0);
  }

  /** Appends changes, within the transaction that makes them. */
  append(changes: readonly Changed[]): void {
    for (const { kind, id, orgId } of changes) {
      this.#connection.run(
        "INSERT INTO tollgate_change (kind, id, org_id) VALUES (?, ?, ?)",
        kind,
        storedText(id),
        storedText(orgId),
      );
    }
    this.#connection.run("DELETE FROM tollgate_change WHERE sequence <= ?", this.last - KEPT);
  }

  /**
   * What was changed after number `after`. If some of that is no longer kept, every existing org is returned as changed
   * and `isWhole` is false, since an org that is gone by now may have changed too.
   */
  since(after: number): {
    readonly last: number;
    readonly changed: readonly Changed[];
    readonly isWhole: boolean;
  } {
    const rows = this.#connection.all(
      "SELECT sequence, kind, id, org_id FROM tollgate_change WHERE sequence > ? ORDER BY sequence",
      after,
    );
    const first = Number(rows[0]?.sequence ?? after + 1);
    const last = Number(rows.at(-1)?.sequence ?? after);
    if (first > after + 1) return { last, changed: this.#everyOrg(), isWhole: false };
    const changed = rows.map(({ kind, id, org_id }) => ({
      kind: kind as RecordKind, // sound: only kinds are appended
      id: textIn(id),
      orgId: textIn(org_id),
    }));
    return { last, changed, isWhole: true };
  }

  #everyOrg(): Changed[] {
    const rows = this.#connection.all("SELECT record FROM tollgate_org");
    return rows.map(({ record }) => {
      const { id } = JSON.parse(String(record));
      return { kind: "org", id, orgId: id };
    });
  }
}
