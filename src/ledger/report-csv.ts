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
 * Formats a report as CSV (RFC 4180): a header and one line per row, each ended by CR LF. It has no total, which
 * anybody adding up a column would count twice.
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

/** A text with a semicolon or a tab is quoted too, since some spreadsheets would start a new cell there. */
function cell(text: string): string {
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Puts an apostrophe before what OWASP lists as beginnings of a formula. Some spreadsheets treat the full-width forms
 * like the plain ones.
 */
function harmless(text: string): string {
  return /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;
}
