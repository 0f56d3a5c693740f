/**
 * Text as a column of SQLite keeps it whole: as JSON. That has escapes for NUL, at which a driver may end what it
 * reads, and for halves of surrogate pairs, which UTF-8 has no form for.
 */
export function storedText(text: string): string {
  return JSON.stringify(text);
}

/** The text that {@link storedText} was made of. */
export function textIn(stored: unknown): string {
  return JSON.parse(String(stored));
}
