import { matrix, type RefusalReason, standardPolicy } from "tollgate";
import type { AuditReport, LimitResult, ReasonCounts, ReplayResult } from "tollgate/testing";
import type { Observed, Waits } from "./observed.js";
import {
  compact,
  count,
  countOrDash,
  date,
  dollars,
  duration,
  percent,
  plural,
  timeOfDay,
} from "./quantities.js";
import { bar, type Cell, type Column, type Paint, sparkline, table } from "./table.js";

/** A budget that reached a threshold. */
export interface Alert {
  readonly at: number;
  readonly whose: string;
  readonly threshold: number;
  readonly window: string;
}

export interface ReportInput {
  /** Where the trace comes from, in words. */
  readonly source: string;
  readonly result: ReplayResult;
  readonly audit: AuditReport;
  readonly observed: Observed;
  readonly alerts: readonly Alert[];
  /** The holder of each key, by the name of its caller. */
  readonly holders: ReadonlyMap<string, string>;
}

/** The whole report as text, in lines of at most 100 columns. */
export function report(input: ReportInput, paint: Paint): string {
  const sections = [title, permissions, traffic, keys, limits, spend, verdict];
  return `${sections.map((section) => section(input, paint).join("\n")).join("\n\n")}\n`;
}

function heading(text: string, note: string, paint: Paint): string {
  return `${paint("bold", text)}${note === "" ? "" : `  ${paint("dim", note)}`}`;
}

function title({ source, result, holders }: ReportInput, paint: Paint): string[] {
  const { startsAt, endsAt, callers, limits } = result;
  const different = (values: Iterable<string>) => new Set(values).size;
  const projects = plural(different(callers.map(({ projectId }) => projectId)), "project");
  const people = plural(different(holders.values()), "person", "people");
  return [
    paint("bold", "tollgate replay"),
    `  ${plural(result.calls, "call")} of ${source}`,
    `  ${date(startsAt)} ${timeOfDay(startsAt)} to ${timeOfDay(endsAt)} UTC, on a virtual clock`,
    `  through org ${callers[0]?.orgId}: ${projects}, ${plural(callers.length, "key")} of ${people}, ` +
      plural(limits.length, "limit"),
  ];
}

const CELLS = { yes: ["yes", "green"], own: ["own", "yellow"], no: ["·", "dim"] } as const;

function permissions(_: ReportInput, paint: Paint): string[] {
  const { columns, rows } = matrix(standardPolicy);
  const titles = [{ title: "" }, ...columns.map((name) => ({ title: name }))];
  const cells = rows.map(({ label, cells }): Cell[] => [label, ...cells.map((cell) => CELLS[cell])]);
  const note = "the standard policy; own: what they were added to, or what is theirs";
  return [heading("Who may do what", note, paint), ...table(titles, cells, paint)];
}

function traffic({ result, observed }: ReportInput, paint: Paint): string[] {
  const { calls, admitted, refused, reasons } = result;
  const { callsByMinute, refusedByMinute } = observed;
  const columns: Column[] = [
    { title: "refused because" },
    { title: "calls", align: "right" },
    { title: "of all", align: "right" },
    { title: "would pass after" },
  ];
  const rows = reasonsOf(reasons).map(([reason, many]): Cell[] => {
    const waits = observed.waits.get(reason);
    const after = waits === undefined ? "-" : waitText(reason, waits);
    return [[reason, "yellow"], count(many), percent(many, calls), after];
  });
  return [
    heading("What came", "and what became of it", paint),
    `  ${paint("green", `${count(admitted)} admitted`)} (${percent(admitted, calls)}), ` +
      `${paint("yellow", `${count(refused)} refused`)} (${percent(refused, calls)})`,
    "",
    ...everyMinute("calls  ", callsByMinute),
    ...everyMinute("refused", refusedByMinute),
    "",
    ...(rows.length > 0 ? table(columns, rows, paint) : []),
  ];
}

/** A slot ends with its reservation at the latest, but is free as soon as one of the calls ends. */
function waitText(reason: RefusalReason, { shortestMs, longestMs }: Waits): string {
  const longest = duration(longestMs);
  if (reason === "in_flight_limited") return `the end of a call, at most ${longest}`;
  const shortest = duration(shortestMs);
  return shortest === longest ? longest : `${shortest} to ${longest}`;
}

/** A longer trace is shown in groups of minutes. */
const MINUTES_MAX = 60;

function everyMinute(label: string, counts: readonly number[]): string[] {
  const range = `${count(Math.min(...counts))} to ${count(Math.max(...counts))} a minute`;
  return counts.length < 2 ? [] : [`  ${label}  ${sparkline(grouped(counts))}  ${range}`];
}

function grouped(counts: readonly number[]): number[] {
  const size = Math.ceil(counts.length / MINUTES_MAX);
  const groups = Math.ceil(counts.length / size);
  return Array.from({ length: groups }, (_, i) => {
    const group = counts.slice(i * size, (i + 1) * size);
    return group.reduce((sum, one) => sum + one, 0) / group.length;
  });
}

function keys({ result, holders }: ReportInput, paint: Paint): string[] {
  const columns: Column[] = [
    { title: "key" },
    { title: "holder" },
    { title: "project" },
    { title: "calls", align: "right" },
    { title: "admitted", align: "right" },
    { title: "", align: "right" },
    { title: "tokens", align: "right" },
    { title: "cost", align: "right" },
    { title: "refused" },
  ];
  const rows = result.callers.flatMap(
    ({ name, projectId, calls, admitted, reasons, inputTokens, outputTokens, usd }): Cell[][] => {
      const tokens = compact(inputTokens + outputTokens);
      const [first = "", ...more] = reasonsOf(reasons).map(([reason, many]) => `${count(many)} ${reason}`);
      const facts = [count(calls), count(admitted), percent(admitted, calls), tokens, dollars(usd)];
      const rest = more.map((text): Cell[] => ["", "", "", "", "", "", "", "", text]);
      return [[[name, "cyan"], holders.get(name) ?? "", projectId, ...facts, first], ...rest];
    },
  );
  return [heading("Keys", "tokens and cost are of the settled calls", paint), ...table(columns, rows, paint)];
}

function limits({ result }: ReportInput, paint: Paint): string[] {
  const columns: Column[] = [
    { title: "limit" },
    { title: "admitted", align: "right" },
    { title: "over", align: "right" },
    { title: "mean", align: "right" },
    { title: "peak", align: "right" },
    { title: "" },
    { title: "refused" },
  ];
  const rows = result.limits.flatMap((limit, i): Cell[][] => {
    const { reading, admitted, reasons, overdrafts, mean, peak } = limit;
    const isShadow = reading.mode === "shadow";
    const [first = "", ...more] = reasonsOf(reasons).map(([reason, many]) =>
      isShadow ? `${count(many)} in shadow mode` : `${count(many)} ${reason}`,
    );
    const shares = [percent(mean, 1, 0), percent(peak, 1, 0), bar(mean, peak, 10)];
    const row = [`  ${limitName(limit)}`, countOrDash(admitted), countOrDash(overdrafts), ...shares];
    const rest = more.map((text): Cell[] => ["", "", "", "", "", "", [text, "yellow"]]);
    const whose = scopeName(limit);
    const before = result.limits[i - 1];
    const isNew = before === undefined || scopeName(before) !== whose;
    return [...(isNew ? [[[whose, "cyan"] as const]] : []), [...row, [first, "yellow"]], ...rest];
  });
  const note = "over: overdrafts; mean █ and peak ░: the share of the limit that was in use";
  return [heading("Limits", note, paint), ...table(columns, rows, paint)];
}

const METERS = {
  requests: "requests",
  tokens: "tokens",
  inputTokens: "input tokens",
  outputTokens: "output tokens",
  inFlight: "calls",
} as const;

const SHORT: Readonly<Record<string, string>> = { minute: "min" };

function limitName({ reading: { meter, max, usd, window, perModel } }: LimitResult): string {
  const about = perModel === undefined ? "" : ` of ${perModel}`;
  if (meter === "cost") return `${dollars(usd?.max ?? 0)} ${window}${about}`;
  return `${count(max)} ${METERS[meter]}${meter === "inFlight" ? " at a time" : `/${SHORT[window] ?? window}`}${about}`;
}

function scopeName({ reading: { scope, scopeId }, projectId }: LimitResult): string {
  return `${scope} ${scopeId}${scope === "member" ? ` of ${projectId}` : ""}`;
}

function spend({ result, alerts }: ReportInput, paint: Paint): string[] {
  const columns: Column[] = [
    { title: "budget of" },
    { title: "spent", align: "right" },
    { title: "of", align: "right" },
    { title: "left", align: "right" },
    { title: "share", align: "right" },
    { title: "" },
    { title: "resets (UTC)" },
  ];
  const rows = result.limits.flatMap((limit): Cell[][] => {
    const { usd, used, max, window, resetsAt } = limit.reading;
    if (usd === undefined) return [];
    const share = max === 0 ? 1 : used / max;
    const resets = resetsAt === undefined ? "-" : `${window}, ${date(resetsAt)}`;
    const amounts = [dollars(usd.used), dollars(usd.max), dollars(usd.remaining), percent(share)];
    return [[[scopeName(limit), "cyan"], ...amounts, bar(share, share, 12), resets]];
  });
  const told = alerts.map(
    ({ at, whose, threshold, window }) =>
      `  ${timeOfDay(at)}  ${whose} reached ${percent(threshold, 1, 0)} of its ${window} budget`,
  );
  return [
    heading("Spend against budget", "", paint),
    ...table(columns, rows, paint),
    ...(told.length > 0 ? ["", ...told] : []),
  ];
}

function verdict({ result, audit }: ReportInput, paint: Paint): string[] {
  const { calls, elapsedMs, callsPerSecond } = result;
  const { checks, limits, overdrafts, violations } = audit;
  const held = overdrafts === 0 ? "" : `, but by ${plural(overdrafts, "recorded overdraft")}`;
  return [
    violations.length === 0
      ? `${paint("green", `No enforced limit was passed${held}`)}: ${count(checks)} counts of ${limits} limits checked.`
      : `${paint("red", `A limit was passed in silence, ${plural(violations.length, "time")}`)}:\n  ${violations[0]}`,
    `${count(calls)} calls in ${duration(elapsedMs)}: ${count(callsPerSecond)} calls per second of real time.`,
  ];
}

function reasonsOf(reasons: ReasonCounts): [RefusalReason, number][] {
  return Object.entries(reasons) as [RefusalReason, number][]; // sound: the keys of ReasonCounts are reasons
}
