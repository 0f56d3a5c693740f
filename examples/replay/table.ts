import { styleText } from "node:util";

export type Style = "bold" | "dim" | "green" | "yellow" | "red" | "cyan";

/** Colours a text, or leaves it as it is if the output takes no colour. */
export type Paint = (style: Style, text: string) => string;

export function painter(hasColour: boolean): Paint {
  // The caller has decided about colour, so the terminal is not asked again.
  return (style, text) =>
    hasColour && text !== "" ? styleText(style, text, { validateStream: false }) : text;
}

/** A text, or a text in a style. */
export type Cell = string | readonly [text: string, style: Style];

export interface Column {
  readonly title: string;
  readonly align?: "right";
}

const GAP = "  ";

/** Rows under their titles, each column as wide as its widest cell. A row of one cell is a heading over the next rows. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  paint: Paint,
): string[] {
  const widths = columns.map(({ title }, i) => {
    const cells = rows.filter((row) => row.length > 1).map((row) => textOf(row[i] ?? "").length);
    return Math.max(title.length, ...cells);
  });
  const line = (cells: readonly Cell[]) => {
    const aligned = cells.map((cell, i) => padded(cell, widths[i] ?? 0, columns[i]?.align, paint));
    return `  ${aligned.join(GAP)}`.trimEnd();
  };
  const titles = line(columns.map(({ title }): Cell => [title, "dim"]));
  return [titles, ...rows.map(line)];
}

function padded(cell: Cell, width: number, align: Column["align"], paint: Paint): string {
  const text = textOf(cell);
  const space = " ".repeat(Math.max(0, width - text.length));
  const painted = typeof cell === "string" ? text : paint(cell[1], text);
  return align === "right" ? space + painted : painted + space;
}

function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : cell[0];
}

/** A bar of a share from 0 to 1: full up to the mean, light up to the peak. */
export function bar(mean: number, peak: number, width: number): string {
  const cells = (share: number) => Math.round(Math.min(1, Math.max(0, share)) * width);
  // A share above zero is never drawn as nothing.
  const light = Math.max(cells(peak), peak > 0 ? 1 : 0);
  const full = Math.min(cells(mean), light);
  return "█".repeat(full) + "░".repeat(light - full) + "·".repeat(width - light);
}

const STEPS = "▁▂▃▄▅▆▇█";

/** One column for each value, its height in proportion to the highest; nothing for zero. */
export function sparkline(values: readonly number[]): string {
  const highest = Math.max(...values);
  const step = (value: number) => Math.min(STEPS.length - 1, Math.floor((value / highest) * STEPS.length));
  return values.map((value) => (value > 0 ? STEPS[step(value)] : " ")).join("");
}
