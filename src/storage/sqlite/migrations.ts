/**
 * The steps that create the tables of records: one table for each kind, with a column for each field in `INDEXES` and
 * the whole record as JSON. A published step is never changed.
 *
 * A process of the version before may go on writing, and deletes and inserts the columns that it knows. So a column that
 * is added later is one that SQLite derives from the record (`GENERATED ALWAYS AS (record ->> '$.name') VIRTUAL`), and
 * `insert` leaves it out. Any other would be empty in what such a process writes, and `find` would miss it.
 *
 * There are no foreign keys: a storage takes records in any order and on their own, an audit event outlives what it is
 * about, and the control plane writes what belongs together in one commit.
 */
export const STORAGE_MIGRATIONS: readonly string[] = [
  `
CREATE TABLE tollgate_org (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  org_id TEXT NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE INDEX tollgate_org_by_org ON tollgate_org (org_id, id);
CREATE TABLE tollgate_org_member (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  org_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  role TEXT NOT NULL,
  record TEXT NOT NULL,
  UNIQUE (org_id, user_id)
) STRICT;
CREATE INDEX tollgate_org_member_by_org ON tollgate_org_member (org_id, id);
CREATE INDEX tollgate_org_member_by_role ON tollgate_org_member (org_id, role, id);
CREATE TABLE tollgate_invitation (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  org_id TEXT NOT NULL,
  hash TEXT NOT NULL,
  status TEXT NOT NULL,
  record TEXT NOT NULL,
  UNIQUE (hash)
) STRICT;
CREATE INDEX tollgate_invitation_by_org ON tollgate_invitation (org_id, id);
CREATE TABLE tollgate_project (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  org_id TEXT NOT NULL,
  status TEXT NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE INDEX tollgate_project_by_org ON tollgate_project (org_id, id);
CREATE TABLE tollgate_project_member (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  org_id TEXT NOT NULL,
  project_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  record TEXT NOT NULL,
  UNIQUE (org_id, project_id, user_id)
) STRICT;
CREATE INDEX tollgate_project_member_by_org ON tollgate_project_member (org_id, id);
CREATE INDEX tollgate_project_member_by_user_id ON tollgate_project_member (org_id, user_id, id);
CREATE TABLE tollgate_key (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  org_id TEXT NOT NULL,
  project_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  status TEXT NOT NULL,
  hash TEXT NOT NULL,
  previous_hash TEXT,
  record TEXT NOT NULL,
  UNIQUE (hash),
  UNIQUE (previous_hash)
) STRICT;
CREATE INDEX tollgate_key_by_org ON tollgate_key (org_id, id);
CREATE INDEX tollgate_key_by_project_id ON tollgate_key (org_id, project_id, id);
CREATE INDEX tollgate_key_by_user_id ON tollgate_key (org_id, user_id, id);
CREATE TABLE tollgate_key_use (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  org_id TEXT NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE INDEX tollgate_key_use_by_org ON tollgate_key_use (org_id, id);
CREATE TABLE tollgate_virtual_model (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  org_id TEXT NOT NULL,
  alias TEXT NOT NULL,
  record TEXT NOT NULL,
  UNIQUE (org_id, alias)
) STRICT;
CREATE INDEX tollgate_virtual_model_by_org ON tollgate_virtual_model (org_id, id);
CREATE TABLE tollgate_mcp_server (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  org_id TEXT NOT NULL,
  name TEXT NOT NULL,
  record TEXT NOT NULL,
  UNIQUE (org_id, name)
) STRICT;
CREATE INDEX tollgate_mcp_server_by_org ON tollgate_mcp_server (org_id, id);
CREATE TABLE tollgate_external_key (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  org_id TEXT NOT NULL,
  project_id TEXT,
  provider TEXT NOT NULL,
  record TEXT NOT NULL,
  UNIQUE (org_id, project_id, provider)
) STRICT;
CREATE INDEX tollgate_external_key_by_org ON tollgate_external_key (org_id, id);
CREATE TABLE tollgate_credit_grant (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  org_id TEXT NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE INDEX tollgate_credit_grant_by_org ON tollgate_credit_grant (org_id, id);
CREATE TABLE tollgate_trail (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  org_id TEXT NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE INDEX tollgate_trail_by_org ON tollgate_trail (org_id, id);
CREATE TABLE tollgate_audit_event (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  org_id TEXT NOT NULL,
  project_id TEXT,
  actor_user_id TEXT NOT NULL,
  action TEXT NOT NULL,
  outcome TEXT NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE INDEX tollgate_audit_event_by_org ON tollgate_audit_event (org_id, id);
CREATE INDEX tollgate_audit_event_by_subject_id ON tollgate_audit_event (org_id, subject_id, id);
CREATE INDEX tollgate_audit_event_by_actor_user_id ON tollgate_audit_event (org_id, actor_user_id, id);
CREATE INDEX tollgate_audit_event_by_project_id ON tollgate_audit_event (org_id, project_id, id);
CREATE TABLE tollgate_change (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  org_id TEXT NOT NULL
) STRICT;
`,
  // Finds the orgs of a user. Without it, every member of every org would be looked at.
  "CREATE INDEX tollgate_org_member_by_user_id ON tollgate_org_member (user_id, id);",
  // Finds the members and external keys of a project, and what has a rare status or outcome. Without it, all of the org
  // would be looked at, which has every invitation, revoked key and audit event that there ever was.
  `
CREATE INDEX tollgate_project_member_by_project_id ON tollgate_project_member (org_id, project_id, id);
CREATE INDEX tollgate_external_key_by_project_id ON tollgate_external_key (org_id, project_id, id);
CREATE INDEX tollgate_invitation_by_status ON tollgate_invitation (org_id, status, id);
CREATE INDEX tollgate_key_by_status ON tollgate_key (org_id, status, id);
CREATE INDEX tollgate_audit_event_by_outcome ON tollgate_audit_event (org_id, outcome, id);
`,
  // The same for what is rarely done, or done to a rare kind of record.
  `
CREATE INDEX tollgate_audit_event_by_action ON tollgate_audit_event (org_id, action, id);
CREATE INDEX tollgate_audit_event_by_subject_kind ON tollgate_audit_event (org_id, subject_kind, id);
`,
];
