import type { Limit } from "../../admission/limit.js";
import type { Limits } from "../../model/limits.js";
import { limitsOf } from "./counters-trial.js";
import type { Draw } from "./draw.js";

export const TRACE_KEYS = ["ada", "bob"] as const;
export type TraceKey = (typeof TRACE_KEYS)[number];

type Name = "org" | "project" | "member" | TraceKey;

/** Counters may recognize limits by their objects, which stay the same in a gate. Every few calls they are those of another. */
const COMPILED_AGAIN_EVERY = 5;

/** The limits of a random trace. They change while calls are under way. */
export class TraceLimits {
  readonly #draw: Draw;
  readonly #written: Record<Name, Limits>;
  #compiled = new Map<Name, Limit[]>();
  #calls = 0;

  constructor(draw: Draw) {
    this.#draw = draw;
    this.#written = {
      org: { rpm: draw.upTo(30), tpd: draw.upTo(600), budget: this.#budgets() },
      project: { tpm: 40 + draw.upTo(60), inFlight: draw.upTo(8) },
      member: { rpd: 50 + draw.upTo(60), budget: this.#budgets(), mode: draw.oneOf(["shadow", "enforce"]) },
      ada: { tpm: 20 + draw.upTo(40), perModel: { fast: { tpm: 30 }, slow: { rpm: 3, mode: "shadow" } } },
      bob: { rpm: draw.upTo(8), inFlight: draw.upTo(3), budget: { usd: "0.000003", reset: "never" } },
    };
  }

  /** The limits that a call of a key counts against, of all scopes. */
  of(key: TraceKey): Limit[] {
    if (this.#calls++ % COMPILED_AGAIN_EVERY === 0) this.#compiled.clear();
    return (["org", "project", "member", key] as const).flatMap((name) => this.#compiledOf(name));
  }

  /** Changes a max or a mode. Returns a text that says what it is now. */
  change(): string {
    const draw = this.#draw;
    const name = draw.oneOf(["org", "project", "member", ...TRACE_KEYS] as const);
    const limits = this.#written[name];
    const scale = (max: number | undefined) =>
      max && Math.max(1, Math.floor(max * draw.oneOf([0.5, 0.8, 1.3, 2])));
    this.#written[name] = {
      ...limits,
      ...(limits.rpm && { rpm: scale(limits.rpm) }),
      ...(limits.tpm && { tpm: scale(limits.tpm) }),
      ...(limits.inFlight && { inFlight: scale(limits.inFlight) }),
      mode: draw.chance(0.2) ? "shadow" : "enforce",
    };
    this.#compiled.delete(name);
    return `limits of ${name}: ${JSON.stringify(this.#written[name])}`;
  }

  #compiledOf(name: Name): Limit[] {
    let compiled = this.#compiled.get(name);
    if (compiled === undefined) {
      compiled = limitsOf(this.#written[name], scopeOf(name));
      this.#compiled.set(name, compiled);
    }
    return compiled;
  }

  #budgets(): NonNullable<Limits["budget"]> {
    const draw = this.#draw;
    return [
      { usd: `0.00000${2 + draw.upTo(6)}`, reset: draw.oneOf(["daily", "weekly"]) },
      { usd: `0.0000${2 + draw.upTo(6)}`, reset: "monthly" },
    ];
  }
}

function scopeOf(name: Name): Parameters<typeof limitsOf>[1] {
  if (name === "org") return { kind: "org", timeZone: "Europe/Berlin" };
  return name === "project" || name === "member" ? { kind: name } : { id: name };
}
