import { ValidationError } from "../model/errors.js";
import { usdOf } from "../model/money.js";
import { localDays } from "./local-time.js";
import type { Report } from "./report.js";

const DAYS_MAX = 400;
const WIDTH = 720;
const HEIGHT = 240;
const LEFT = 72;
const TOP = 28;
const BOTTOM = 28;
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM;

/**
 * Draws what was spent day by day as a bar chart: a self-contained SVG that includes days without calls.
 *
 * @param report a report by day that is not split, over at most 400 days
 * @throws ValidationError for any other report
 */
export function spendSvg(report: Report): string {
  const { from, to, timeZone } = report;
  if (report.groupBy !== "day") throw wrong("report.groupBy", "day");
  if (report.splitBy !== undefined) throw wrong("report.splitBy", "absent");
  const days = localDays(from, to, timeZone, DAYS_MAX);
  if (days === undefined) throw wrong("report.to", `at most ${DAYS_MAX} days after from`);
  const spent = new Map(report.rows.map((row) => [row.group, row]));
  const top = niceCeiling(Math.max(...report.rows.map(({ costNanoUsd }) => costNanoUsd), 1));
  const step = (WIDTH - LEFT - 8) / days.length;
  const bars = days.map((name, i) => {
    const row = spent.get(name);
    const height = ((row?.costNanoUsd ?? 0) / top) * PLOT_HEIGHT;
    const box = `x="${at(LEFT + i * step)}" y="${at(TOP + PLOT_HEIGHT - height)}" width="${at(step * 0.8)}" height="${at(height)}"`;
    return `<rect ${box}><title>${escaped(`${name}: ${row?.usd ?? "0"} USD`)}</title></rect>`;
  });
  const title = `${report.key ?? report.user ?? report.project ?? report.org}: ${report.total.usd} USD`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<text x="8" y="16">${escaped(title)}</text>`,
    ...[top, top / 2, 0].map((nano) => rule(nano, top)),
    `<g fill="#2f6f9f">${bars.join("")}</g>`,
    `<text x="${LEFT}" y="${HEIGHT - 8}">${days[0]}</text>`,
    `<text x="${WIDTH - 8}" y="${HEIGHT - 8}" text-anchor="end">${days.at(-1)}</text>`,
    "</svg>\n",
  ].join("\n");
}

/** A line across the chart with its amount in US dollars. */
function rule(nano: number, top: number): string {
  const y = at(TOP + PLOT_HEIGHT * (1 - nano / top));
  const usd = Number(usdOf(nano).toPrecision(3));
  const label = `<text x="${LEFT - 8}" y="${y}" dy="4" text-anchor="end">${usd} USD</text>`;
  return `<line x1="${LEFT}" x2="${WIDTH - 8}" y1="${y}" y2="${y}" stroke="#ccc"/>${label}`;
}

/** The next of 1, 2, 5, 10, 20, … */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5].find((factor) => factor * power >= value) ?? 10);
}

function at(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** Ids are the caller's own: in XML they are text, and what XML has no character for is left out. */
function escaped(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\uFFFD\u{10000}-\u{10FFFF}]/gu, "")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function wrong(field: string, expected: string): ValidationError {
  return new ValidationError([{ field, expected }]);
}
