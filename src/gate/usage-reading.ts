import * as z from "zod";
import { scopeLimits } from "../admission/compiled-chain.js";
import type { Limit } from "../admission/limit.js";
import { type LimitReading, limitReading } from "../admission/limit-reading.js";
import { NotFoundError, ValidationError } from "../model/errors.js";
import { idSchema } from "../model/text.js";
import { parse, schemaOf } from "../model/validation.js";
import type { Engine } from "./engine.js";
import { guarded } from "./outage/guarded-counters.js";

/** The scopes to read: the org, and each scope below it that is named. A key includes its project and its holder. */
export interface UsageQuery {
  readonly orgId: string;
  readonly projectId?: string | undefined;
  /** The member of `projectId` to read. It needs `projectId`, unless `keyId` is given. */
  readonly userId?: string | undefined;
  readonly keyId?: string | undefined;
}

const usageQuerySchema: z.ZodType<UsageQuery> = schemaOf<UsageQuery>()(
  z.strictObject({
    orgId: idSchema,
    projectId: idSchema.optional(),
    userId: idSchema.optional(),
    keyId: idSchema.optional(),
  }),
);

/**
 * Reads every limit of the given scopes, in the order org, project, member, key.
 *
 * @throws NotFoundError if the org has no such project, member or key
 */
export async function readUsage(engine: Engine, query: UsageQuery): Promise<LimitReading[]> {
  const now = engine.settings.clock.now();
  const asked = parse(usageQuerySchema, query, "query");
  const limits =
    asked.keyId === undefined
      ? await limitsOfScope(engine, asked)
      : await limitsOfKey(engine, asked, asked.keyId, now);
  const charges = limits.map((limit) => ({
    limit,
    amount: 0,
    period: engine.calendar.clockOf(limit)?.at(now),
  }));
  const readings = await guarded(engine.settings).read({ orgId: asked.orgId, now, charges });
  return limits.map((limit, i) => limitReading(limit, readings[i] ?? NO_READING, now));
}

const NO_READING = { used: 0, resetMs: Number.POSITIVE_INFINITY };

async function limitsOfKey(
  engine: Engine,
  asked: UsageQuery,
  keyId: string,
  now: number,
): Promise<readonly Limit[]> {
  const chain = await engine.keys.find({ keyId }, now);
  const { orgId, projectId = chain?.projectId, userId = chain?.userId } = asked;
  if (
    chain === undefined ||
    chain.orgId !== orgId ||
    chain.projectId !== projectId ||
    chain.userId !== userId
  ) {
    throw new NotFoundError("key", keyId);
  }
  return chain.limits;
}

async function limitsOfScope(engine: Engine, asked: UsageQuery): Promise<readonly Limit[]> {
  const { directory } = engine;
  if (directory.scope === undefined) {
    throw new ValidationError([
      { field: "query.keyId", expected: "a key id, as the directory has no scope method" },
    ]);
  }
  if (asked.userId !== undefined && asked.projectId === undefined) {
    throw new ValidationError([
      { field: "query.projectId", expected: "the project of which userId is a member" },
    ]);
  }
  const found = await directory.scope(asked);
  if (found === undefined) throw new NotFoundError("org", asked.orgId);
  if (asked.projectId !== undefined && !found.project) throw new NotFoundError("project", asked.projectId);
  if (asked.userId !== undefined && !found.holder) throw new NotFoundError("member", asked.userId);
  return scopeLimits(found, engine.limitCache);
}
