import type { Layout } from "../wire/layout.js";
import { kindOf, type PlannedScope } from "../wire/plan-text.js";
import type { KeyNames } from "./key-names.js";
import type { Shape } from "./lua/straight-rows.js";
import { type Script, scriptsOf } from "./scripts.js";

/** A layout with what only Redis needs. */
export interface RedisLayout extends Layout {
  /** The hash of each scope. */
  readonly keys: readonly string[];
  /** The key of its plan. */
  readonly planKey: string;
  readonly reserve: Script;
  readonly settle: Script;
  /** Until when Redis surely keeps the plan, by `performance.now()`. */
  planKeptUntil: number;
}

export function redisLayout(layout: Layout, names: KeyNames): RedisLayout {
  const { orgId, scopes, isWide } = layout;
  return {
    ...layout,
    keys: scopes.map(({ limit }) => names.scope(orgId, limit.scopeKey)),
    planKey: names.plan(orgId, layout.tags),
    planKeptUntil: Number.NEGATIVE_INFINITY,
    // Wide layouts are too rare for scripts of their own.
    ...scriptsOf(isWide ? undefined : shapeOf(scopes)),
  };
}

/** The shape for which a script of the short way is made. */
function shapeOf(scopes: readonly PlannedScope[]): Shape {
  const rows = scopes.flatMap((scope, i) => scope.rows.map((row) => ({ ...row, scope: i })));
  return {
    rows: rows.map(({ scope, field, counts }) => ({
      scope,
      field,
      counts: counts.map(({ limit: { window }, amount, period }) => {
        const widthMs = Math.max(0, kindOf(window));
        return { kind: window.kind, widthMs, amount, period };
      }),
    })),
  };
}
