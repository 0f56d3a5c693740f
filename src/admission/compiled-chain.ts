import type { KeyChain } from "../model/chain.js";
import { matches } from "../model/patterns.js";
import { keyRefusal } from "./key-checks.js";
import { compileLimits, creditLimit, type Limit, type Scope, scopeKey } from "./limit.js";
import type { LimitCache } from "./limit-cache.js";
import type { LimitShapes } from "./limit-shape.js";
import { Plan } from "./plan.js";
import type { KeyRefusalReason } from "./reasons.js";
import { mcpServerAllowed, permittedModels } from "./targets.js";

/** Plans kept per chain. Callers make up model names as they like, so there has to be a bound. */
const PLANS_MAX = 64;

/**
 * A key's chain with its limits compiled, ready for many calls.
 *
 * It is itself the plan with every limit, including those for single models, in the order org, project, member, key. If
 * no limit and no list concerns single models, it is the plan for every model, which saves a call one memory access.
 */
export class CompiledChain extends Plan {
  // The fields that every call reads come last, so that they are adjacent in memory, next to those of a subclass.
  readonly chain: KeyChain;
  readonly #shapes: LimitShapes;
  #models: Map<string, Plan> | undefined;
  #mcpServers: Map<string, Plan> | undefined;
  readonly keyId: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly userId: string;
  /** False if the key, the project or the org switches it off. */
  readonly contentLogging: boolean;
  /** Why no call passes, apart from what expires. */
  readonly #standing: KeyRefusalReason | undefined;
  /** The first expiry of all, in epoch milliseconds. */
  readonly endsAt: number | undefined;
  /** Whether no limit or list concerns single models. */
  readonly #isUniform: boolean;

  constructor(chain: KeyChain, shapes: LimitShapes, limitCache: LimitCache) {
    const limits = [...scopeLimits(chain, limitCache), ...compileLimits(chain.key.limits, keyScope(chain))];
    super(true, undefined, limits, shapes.of(limits));
    this.chain = chain;
    this.#shapes = shapes;
    const { org, project, holder, key } = chain;
    this.keyId = key.id;
    this.orgId = org.id;
    this.projectId = project.id;
    this.userId = holder.userId;
    this.contentLogging = ![org, project, key].some(({ contentLogging }) => contentLogging === false);
    this.#standing = keyRefusal(chain, Number.NEGATIVE_INFINITY);
    this.endsAt = earlier(key.expiresAt, holder.expiresAt);
    this.#isUniform = isUniform(chain, limits);
  }

  /** Like {@link keyRefusal}, which is asked only once something may have expired. */
  refusalAt(now: number): KeyRefusalReason | undefined {
    return this.endsAt === undefined || now < this.endsAt ? this.#standing : keyRefusal(this.chain, now);
  }

  /** The plan of a call that names this model. */
  forModel(model: string): Plan {
    if (this.#isUniform) return this;
    this.#models ??= new Map();
    return remembered(this.#models, model, () => {
      const models = permittedModels(this.chain, model);
      return this.#plan(models.length > 0, models, [models[0] ?? model, model]);
    });
  }

  /** Like {@link forModel}, if only some of its models can be reached. The limits are those of the first of them. */
  forTargets(targets: readonly string[], model: string): Plan {
    const whole = this.forModel(model);
    if (isSameList(targets, whole.models ?? [model])) return whole;
    return this.#plan(targets.length > 0, targets, [targets[0] ?? model, model]);
  }

  /** The same for an MCP server, which limits per model do not concern. */
  forMcpServer(mcpServer: string): Plan {
    this.#mcpServers ??= new Map();
    return remembered(this.#mcpServers, mcpServer, () =>
      this.#plan(mcpServerAllowed(this.chain, mcpServer), [], []),
    );
  }

  #plan(allowed: boolean, models: readonly string[], names: readonly string[]): Plan {
    const limits = this.limits.filter(concerns(names));
    // A copy, as admissions hand the list out, and it may be the org's own.
    return new Plan(allowed, Object.freeze([...models]), limits, this.#shapes.of(limits));
  }
}

/** Whether every model is allowed, has the same limits and is not virtual. */
function isUniform({ org, project, key }: KeyChain, limits: readonly Limit[]): boolean {
  const lists = [project.models, key.models];
  const aliases = Object.keys(org.virtualModels ?? {});
  return (
    aliases.length === 0 &&
    lists.every((list) => list == null) &&
    limits.every(({ perModel }) => perModel === undefined)
  );
}

/** The limits above the key: of the org, the project and the member, as far as they are given. */
export function scopeLimits({ org, project, holder }: UpperScopes, limitCache: LimitCache): Limit[] {
  const timeZone = org.timeZone ?? "UTC";
  const orgScope: Scope = { kind: "org", id: org.id, key: scopeKey("org", org.id), timeZone };
  const limits = [...limitCache.compile(org.limits, orgScope)];
  if (org.creditsNanoUsd !== undefined) limits.push(creditLimit(org.creditsNanoUsd, orgScope));
  if (!project) return limits;
  const projectKey = scopeKey("project", org.id, project.id);
  const projectScope: Scope = { kind: "project", id: project.id, key: projectKey, timeZone };
  limits.push(...limitCache.compile(project.limits, projectScope));
  if (!holder) return limits;
  const memberKey = scopeKey("member", org.id, project.id, holder.userId);
  const memberScope: Scope = { kind: "member", id: holder.userId, key: memberKey, timeZone };
  limits.push(...limitCache.compile(holder.limits, memberScope));
  return limits;
}

interface UpperScopes {
  readonly org: KeyChain["org"];
  readonly project?: Pick<KeyChain["project"], "id" | "limits"> | undefined;
  readonly holder?: Pick<KeyChain["holder"], "userId" | "limits"> | undefined;
}

function keyScope({ org, key }: KeyChain): Scope {
  return { kind: "key", id: key.id, key: scopeKey("key", org.id, key.id), timeZone: org.timeZone ?? "UTC" };
}

/** Whether a limit concerns a call to a model known by `names`: the model itself, and the alias it was called by. */
function concerns(names: readonly string[]): (limit: Limit) => boolean {
  return ({ perModel }) => perModel === undefined || names.some((name) => matches(perModel, name));
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function remembered(plans: Map<string, Plan>, name: string, make: () => Plan): Plan {
  const known = plans.get(name);
  if (known !== undefined) return known;
  if (plans.size >= PLANS_MAX) plans.clear();
  const made = make();
  plans.set(name, made);
  return made;
}
