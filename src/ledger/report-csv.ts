import type { Report, ReportRow } from "./report.js";
import { TOKEN_KINDS } from "./usage-event.js";

const COLUMNS = [
  "calls",
  "released",
  "disconnected",
  "expired",
  ...TOKEN_KINDS,
  "costNanoUsd",
  "usd",
  "byokNanoUsd",
] as const satisfies readonly (keyof ReportRow)[];

/**
 * A report as CSV (RFC 4180): a header, then a line for each row, each ended by CR LF. A total is not in it: whoever adds
 * a column up would count it twice.
 *
 * A text that a spreadsheet would run as a formula is given a leading apostrophe.
 */
export function reportCsv({ groupBy, rows }: Report): string {
  const lines = [
    [groupBy, ...COLUMNS],
    ...rows.map((row) => [harmless(row.group), ...COLUMNS.map((column) => String(row[column]))]),
  ];
  return lines.map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
}

/** Quotes a text with a semicolon or a tab too: some spreadsheets would begin a new cell there. */
function cell(text: string): string {
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Puts an apostrophe before what OWASP lists as the beginnings of a formula. Some spreadsheets take the full-width forms for the plain ones. */
function harmless(text: string): string {
  return /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
}
