import { ValidationError } from "../model/errors.js";
import { inCell } from "../model/markdown.js";
import { usdText } from "../model/money.js";
import type { CallAnswer, LimitComparison, ReplayComparison } from "./compare-replays.js";
import type { LimitResult } from "./replay-result.js";

/** How many calls are listed by default. */
const CALLS_SHOWN = 10;

/**
 * Renders a comparison as Markdown, for people or a pull request: the sums, each caller, each limit that refused
 * something or differs, and the first calls whose answer changed.
 *
 * @param callsShown how many of those calls to list, 0 or more. Default: 10.
 * @throws ValidationError if `callsShown` is below 0
 */
export function comparisonToMarkdown(comparison: ReplayComparison, callsShown = CALLS_SHOWN): string {
  if (!(callsShown >= 0)) {
    throw new ValidationError([{ field: "callsShown", expected: "a number of calls, 0 or more" }]);
  }
  return [sumsOf(comparison), callersOf(comparison), limitsOf(comparison), callsOf(comparison, callsShown)]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

function sumsOf({ before, after, gained, lost, usd }: ReplayComparison): string[] {
  return [
    `Of ${count(before.calls, "call")}, ${before.admitted} are admitted before and ${after.admitted} after: ` +
      `${lost} are refused that were admitted, ${gained} admitted that were refused. The cost changes by ${signed(usd)} USD.`,
  ];
}

function callersOf({ callers }: ReplayComparison): string[] {
  const rows = callers.map(({ name, before, after, gained, lost, usd }) => [
    name,
    before.calls,
    before.admitted,
    after.admitted,
    gained,
    lost,
    money(before.usd),
    money(after.usd),
    signed(usd),
  ]);
  const heads = [
    "caller",
    "calls",
    "admitted before",
    "after",
    "gained",
    "lost",
    "USD before",
    "after",
    "change",
  ];
  return table(heads, rows);
}

function limitsOf({ limits }: ReplayComparison): string[] {
  const rows = limits
    .filter(isWorthTelling)
    .map(({ before, after }) => [
      nameOf(after ?? before),
      maxOf(before),
      maxOf(after),
      before?.refused ?? "",
      after?.refused ?? "",
      peakOf(before),
      peakOf(after),
    ]);
  return table(["limit", "max before", "after", "refused before", "after", "peak before", "after"], rows);
}

function isWorthTelling({ before, after }: LimitComparison): boolean {
  if (before === undefined || after === undefined) return true;
  return before.refused > 0 || after.refused > 0 || maxOf(before) !== maxOf(after);
}

function callsOf({ changes }: ReplayComparison, shown: number): string[] {
  const rows = changes
    .slice(0, shown)
    .map(({ index, at, caller, before, after }) => [
      index,
      new Date(at).toISOString(),
      caller,
      answer(before),
      answer(after),
    ]);
  const more = changes.length - rows.length;
  return [
    ...table(["call", "at", "caller", "before", "after"], rows, 5),
    ...(more > 0 && rows.length > 0 ? ["", `and ${count(more, "more call")} whose answer changes.`] : []),
  ];
}

function answer(one: CallAnswer): string {
  return one.admitted ? "admitted" : `${one.reason}: ${one.message}`;
}

/** A user may be a member of several projects, with a limit in each. */
function nameOf(limit: LimitResult | undefined): string {
  if (limit === undefined) return "";
  const { scope, scopeId, meter, window, perModel } = limit.reading;
  const inProject = scope === "member" ? ` of ${limit.projectId}` : "";
  return `${scope} ${scopeId}${inProject}: ${meter}, ${window}${perModel === undefined ? "" : `, ${perModel}`}`;
}

/** The max of a limit as it was written, and whether the limit is in shadow mode. */
function maxOf(limit: LimitResult | undefined): string {
  if (limit === undefined) return "none";
  const { meter, max, mode } = limit.reading;
  return `${meter === "cost" ? `${usdText(max)} USD` : max}${mode === "shadow" ? " (shadow)" : ""}`;
}

function peakOf(limit: LimitResult | undefined): string {
  return limit === undefined ? "" : `${Math.round(limit.peak * 100)} %`;
}

function count(many: number, what: string): string {
  return `${many} ${what}${many === 1 ? "" : "s"}`;
}

/** US dollars rounded to a hundredth of a cent; more is noise for people. */
function money(usd: number): string {
  return String(Math.round(usd * 10_000) / 10_000);
}

function signed(usd: number): string {
  const rounded = money(usd);
  return Number(rounded) > 0 ? `+${rounded}` : rounded;
}

/** Rows under their heads, with all but the first `texts` columns aligned right. Nothing if there are no rows. */
function table(
  heads: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  texts = 1,
): string[] {
  if (rows.length === 0) return [];
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => inCell(String(cell))).join(" | ")} |`;
  return [line(heads), `|${heads.map((_, i) => (i < texts ? "---" : "---:")).join("|")}|`, ...rows.map(line)];
}
