import { type Change, INDEXES, type Records, type Storage } from "tollgate";

type RecordKind = keyof Records;

/** Orgs come before what belongs to them, for storages that hold references. */
const KINDS = Object.keys(INDEXES) as RecordKind[]; // sound: INDEXES has every kind and nothing else

const PAGE = 500;

/**
 * Copies every record of a storage into an empty one, while no gate writes to either. Keys stay valid, and the audit trail goes on.
 *
 * A record is created at version 1 and raised to its own version: callers, and the trail of an org, rely on it.
 */
export async function copyRecords(from: Storage, to: Storage): Promise<void> {
  for (const kind of KINDS) {
    for (let after: string | undefined; ; ) {
      const page = await from.find(kind, {}, { after, limit: PAGE });
      for (let version = 1, rest = page; rest.length > 0; version++) {
        await to.commit(rest.map((record) => changeTo(kind, record, version)));
        // Nobody relies on the version of a `keyUse`, which is written once a minute.
        rest = kind === "keyUse" ? [] : rest.filter((record) => record.version > version);
      }
      after = page.at(-1)?.id;
      if (page.length < PAGE) break;
    }
  }
}

function changeTo(kind: RecordKind, record: Records[RecordKind], version: number): Change {
  const { id } = record;
  // Sound: the record was found as one of this kind.
  return { kind, id, expectedVersion: version - 1, record: { ...record, version } } as Change;
}
