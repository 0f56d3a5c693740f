import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { METRICS } from "../../src/metrics/metrics.js";

const file = new URL("../../examples/grafana/tollgate.json", import.meta.url);

const dashboard = z
  .object({
    panels: z.array(
      z.object({
        id: z.number(),
        title: z.string(),
        gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
        targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(file, "utf8")));

/** What Prometheus calls a metric that comes to it by OTLP: underscores, the unit, `_total` for a counter. */
function prometheusNames([name, { kind, unit }]: [string, (typeof METRICS)[keyof typeof METRICS]]): string[] {
  const base = name.replaceAll(".", "_") + (unit === "s" ? "_seconds" : "");
  if (kind === "histogram") return ["bucket", "sum", "count"].map((part) => `${base}_${part}`);
  return [kind === "gauge" ? base : `${base}_total`];
}

const series = new Map(
  Object.entries(METRICS).flatMap((entry) => prometheusNames(entry).map((name) => [name, entry[0]] as const)),
);
const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
/** Names of series: what stands before a selector, a range or the end of the call around it. */
const used = expressions.flatMap((expr) => expr.match(/\b(?:tollgate|gen_ai)_\w+(?=[[{)])/g) ?? []);

describe("the dashboard of examples/grafana", () => {
  it("names only metrics that exist", () => {
    expect(used.length).toBeGreaterThanOrEqual(expressions.length);
    const labels = new Set(expressions.flatMap((expr) => expr.match(/(?<=by \()[^)]*/g) ?? []).values());
    const names = used.filter((name) => ![...labels].some((list) => list.split(", ").includes(name)));
    expect(names.filter((name) => !series.has(name))).toEqual([]);
  });

  it("shows every metric", () => {
    const shown = new Set(used.map((name) => series.get(name)));
    expect(Object.keys(METRICS).filter((name) => !shown.has(name))).toEqual([]);
  });

  it("groups by the labels that its legends name", () => {
    for (const { targets } of dashboard.panels) {
      for (const { expr, legendFormat } of targets) {
        for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          expect(expr).toMatch(new RegExp(`by \\([^)]*\\b${label}\\b`));
        }
      }
    }
  });

  it("has panels side by side, each with an id of its own", () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const places = dashboard.panels.map(({ gridPos: { x, y } }) => `${x} ${y}`);
    expect(new Set(places).size).toBe(places.length);
  });
});
