import type { UsageEvent } from "./usage-event.js";

// How an event lies in a row of a SQL table.

/** What a column holds. */
export type ColumnType = "text" | "integer" | "boolean" | "tags";

/** The column of each field of an event, in the order of the table. */
export const COLUMNS = {
  id: { name: "id", type: "text" },
  outcome: { name: "outcome", type: "text" },
  admittedAt: { name: "admitted_at", type: "integer" },
  expiresAt: { name: "expires_at", type: "integer" },
  endedAt: { name: "ended_at", type: "integer" },
  orgId: { name: "org_id", type: "text" },
  projectId: { name: "project_id", type: "text" },
  userId: { name: "user_id", type: "text" },
  keyId: { name: "key_id", type: "text" },
  model: { name: "model", type: "text" },
  requested: { name: "requested", type: "text" },
  countedAs: { name: "counted_as", type: "text" },
  mcp: { name: "mcp", type: "boolean" },
  byok: { name: "byok", type: "boolean" },
  inputTokens: { name: "input_tokens", type: "integer" },
  cachedInputTokens: { name: "cached_input_tokens", type: "integer" },
  cacheWriteTokens: { name: "cache_write_tokens", type: "integer" },
  cacheWrite1hTokens: { name: "cache_write_1h_tokens", type: "integer" },
  audioInputTokens: { name: "audio_input_tokens", type: "integer" },
  imageInputTokens: { name: "image_input_tokens", type: "integer" },
  outputTokens: { name: "output_tokens", type: "integer" },
  reasoningTokens: { name: "reasoning_tokens", type: "integer" },
  audioOutputTokens: { name: "audio_output_tokens", type: "integer" },
  imageOutputTokens: { name: "image_output_tokens", type: "integer" },
  costNanoUsd: { name: "cost_nano_usd", type: "integer" },
  tags: { name: "tags", type: "tags" },
} as const satisfies Readonly<Record<keyof UsageEvent, { readonly name: string; readonly type: ColumnType }>>;

/** The types of columns as a database calls them. */
type TypeNames = Readonly<Record<ColumnType, string>>;

const FIELDS = Object.keys(COLUMNS) as (keyof UsageEvent)[]; // sound: a literal has the keys of its type

export const COLUMN_NAMES = FIELDS.map((field) => COLUMNS[field].name);

/** Each column with its type. */
export function typedColumns(types: TypeNames): string[] {
  return FIELDS.map((field) => `${COLUMNS[field].name} ${types[COLUMNS[field].type]}`);
}

/** The columns of a new table. Only the end of a call may be unknown. */
export function columnDefinitions(types: TypeNames): string {
  return FIELDS.map((field) => {
    const { name, type } = COLUMNS[field];
    return `${name} ${types[type]}${field === "endedAt" ? "" : " not null"}`;
  }).join(", ");
}

/** A row as a database returns it. */
export type Row = Readonly<Record<string, unknown>>;

/** Events as one JSON text: an array of objects by column. */
export function rowsJson(events: readonly UsageEvent[]): string {
  return JSON.stringify(
    events.map((event) => {
      const row: Record<string, unknown> = {};
      for (const field of FIELDS) {
        const value = event[field];
        const { name } = COLUMNS[field];
        if (typeof value === "string") row[name] = storedText(value);
        else if (typeof value === "object") row[name] = storedTags(value);
        else row[name] = value ?? null;
      }
      return row;
    }),
  );
}

/** The event in a row of all columns. */
export function eventOf(row: Row): UsageEvent {
  const event: Record<string, unknown> = {};
  for (const field of FIELDS) {
    const { name, type } = COLUMNS[field];
    event[field] = loaded(row[name], type);
  }
  return event as unknown as UsageEvent; // sound: every field was set, from a column that holds its type
}

/** The values that drivers return for true: SQLite has numbers, and a driver of Postgres may be set to return text. */
const TRUE: ReadonlySet<string> = new Set(["true", "t", "1"]);

function loaded(value: unknown, type: ColumnType): unknown {
  switch (type) {
    case "text":
      return loadedText(String(value));
    case "integer":
      return value === null ? undefined : Number(value);
    case "boolean":
      return TRUE.has(String(value));
    case "tags":
      return loadedTags(value);
  }
}

/**
 * An escape character. Followed by `0` it stands for U+0000, which no text of PostgreSQL may contain; followed by `1`,
 * for itself.
 */
const ESCAPE = "\uE000";

/** A well-formed text in a form that the databases can hold. Nearly every text is unchanged. */
export function storedText(text: string): string {
  return text.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll("\0", `${ESCAPE}0`);
}

export function loadedText(text: string): string {
  return text.replaceAll(`${ESCAPE}0`, "\0").replaceAll(`${ESCAPE}1`, ESCAPE);
}

function storedTags(tags: UsageEvent["tags"]): object {
  const entries = Object.entries(tags).map(([name, value]) => [storedText(name), storedText(value)]);
  return Object.fromEntries(entries);
}

function loadedTags(value: unknown): Record<string, string> {
  const stored: unknown = typeof value === "string" ? JSON.parse(value) : value;
  const entries = Object.entries(stored as Record<string, string>); // sound: it was written by `storedTags`
  return Object.fromEntries(entries.map(([name, text]) => [loadedText(name), loadedText(text)]));
}
