import type { Report, Spend } from "./report.js";
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
] as const satisfies readonly (keyof Spend)[];

/**
 * Formats a report as CSV (RFC 4180): a header and one line per row, each ended by CR LF. It has no total, which
 * anybody adding up a column would count twice.
 *
 * A text that a spreadsheet would run as a formula is given a leading apostrophe.
 */
export function reportCsv({ groupBy, splitBy, rows }: Report): string {
  const lines = [
    [groupBy, ...(splitBy === undefined ? [] : [splitBy]), ...COLUMNS],
    ...rows.map(({ group, split, ...row }) => [
      ...(split === undefined ? [group] : [group, split]).map(harmless),
      ...COLUMNS.map((column) => String(row[column])),
    ]),
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
