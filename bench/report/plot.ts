import type { Results } from "../results.js";
import { admitRaceId, BAR_KEYS, COUNTS_LOAD } from "../suites.js";
import { megabytes, time } from "./quantity.js";

/** Bars side by side, all of one unit. */
interface Panel {
  readonly title: string;
  readonly scale: "linear" | "log";
  readonly rows: readonly Row[];
  readonly format: (value: number) => string;
}

interface Row {
  readonly label: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const WIDTH = 860;
const LABELS = 300;
const VALUES = 90;
const BARS = WIDTH - LABELS - VALUES;
const ROW = 27;
const THICK = 15;
const GAP = 34;
const TOP = 16;

/** The main figures as a picture: shorter is better. Its colours suit a light ground and a dark one. */
export function plot(results: Results): string {
  const panels = panelsOf(results).filter(({ rows }) => rows.length > 0);
  let y = TOP;
  const drawn: string[] = [];
  for (const panel of panels) {
    drawn.push(...drawPanel(panel, y));
    y += GAP + panel.rows.length * ROW + 14;
  }
  const { machine, versions, date } = results;
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const notes = [
    "Medians of processor time, garbage collection included; the thin line below a bar spans four fifths of the rounds. Shorter is better.",
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${date.slice(0, 10)}. ${packages.join(", ")}.`,
  ];
  for (const note of notes) {
    drawn.push(text(0, y + 8, "note", note));
    y += 17;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-16 0 ${WIDTH + 32} ${y + 8}" width="${WIDTH + 32}" height="${y + 8}" role="img">
<title>tollgate: benchmark results</title>
<style>${STYLE}</style>
${drawn.join("\n")}
</svg>
`;
}

/** Greys and a green that are read on white and on black. */
const STYLE = `
text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif; fill: #7b848e }
.title { font-weight: 600; font-size: 14px }
.note { font-size: 11px }
.ours { fill: #2da44e } .others { fill: #8c959f } .hand { fill: #8c959f; fill-opacity: 0.5 }
.spread, .axis { stroke: #7b848e; fill: none }
.spread { stroke-width: 1.5 }`;

function panelsOf({ races, loads }: Results): Panel[] {
  const rowsOf = (id: string) =>
    (races.find((race) => race.id === id)?.entrants ?? []).map(({ label, cpuNs }) => ({
      label,
      value: cpuNs.median,
      low: cpuNs.p10,
      high: cpuNs.p90,
    }));
  const keys = BAR_KEYS.toLocaleString("en");
  const counts = loads.filter(({ id, keys }) => id === COUNTS_LOAD || keys !== BAR_KEYS);
  return [
    { title: "authorize, 10 projects, allowed", scale: "log", rows: rowsOf("authorize-allow"), format: time },
    { title: "authorize, 10 projects, denied", scale: "log", rows: rowsOf("authorize-deny"), format: time },
    {
      title: `admit + settle under nine limits, ${keys} keys`,
      scale: "linear",
      rows: rowsOf(admitRaceId(BAR_KEYS)),
      format: time,
    },
    {
      title: "memory of a million active keys: requests, tokens and a budget each",
      scale: "linear",
      rows: counts.map(({ label, heapBytes, arrayBufferBytes }) => {
        const value = heapBytes + arrayBufferBytes;
        return { label, value, low: value, high: value };
      }),
      format: megabytes,
    },
  ];
}

function drawPanel({ title, scale, rows, format }: Panel, top: number): string[] {
  const length = lengths(rows, scale);
  const bottom = top + GAP - 6 + rows.length * ROW;
  return [
    text(0, top + 12, "title", scale === "log" ? `${title} (logarithmic)` : title),
    `<path class="axis" d="M${LABELS} ${top + GAP - 12}V${bottom}"/>`,
    ...rows.flatMap(({ label, value, low, high }, i) => {
      const y = top + GAP - 6 + i * ROW;
      const middle = y + THICK / 2;
      const end = LABELS + length(value);
      return [
        text(LABELS - 10, middle + 4.5, undefined, label, "end"),
        `<rect class="${kindOf(label)}" x="${LABELS}" y="${y}" width="${round(length(value))}" height="${THICK}" rx="2"/>`,
        ...(low < high
          ? [
              `<path class="spread" d="M${round(LABELS + length(low))} ${y + THICK + 3}H${round(LABELS + length(high))}"/>`,
            ]
          : []),
        text(end + 8, middle + 4.5, undefined, format(value)),
      ];
    }),
  ];
}

function kindOf(label: string): "ours" | "others" | "hand" {
  if (label.startsWith("tollgate")) return "ours";
  return label.endsWith("by hand") ? "hand" : "others";
}

/** How long the bar of a value is. A logarithmic panel begins at half of its least value. */
function lengths(rows: readonly Row[], scale: Panel["scale"]): (value: number) => number {
  const most = Math.max(...rows.map(({ high }) => high));
  if (scale === "linear") return (value) => (BARS * value) / most;
  const least = Math.min(...rows.map(({ low }) => low)) / 2;
  return (value) => (BARS * Math.log(value / least)) / Math.log(most / least);
}

function text(x: number, y: number, kind: string | undefined, content: string, anchor = "start"): string {
  const attributes = `x="${round(x)}" y="${round(y)}"${kind ? ` class="${kind}"` : ""}`;
  return `<text ${attributes}${anchor === "start" ? "" : ` text-anchor="${anchor}"`}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
