import type { Authentication, Gate } from "tollgate";
import { type HttpAnswer, type Profile, toResponse } from "tollgate/http";

/** The models, virtual ones included, that a gateway offers and a key may call: `GET /v1/models`. */
export async function modelList(gate: Gate, token: string, offered: readonly string[]): Promise<HttpAnswer> {
  const refused = await refusalOf(gate, token);
  if (refused !== undefined) return refused;
  const may = await Promise.all(offered.map((model) => mayCall(gate, token, model)));
  const data = offered
    .filter((_, i) => may[i])
    .map((id) => ({ id, object: "model", created: 0, owned_by: "gateway" }));
  return { status: 200, headers: {}, body: { object: "list", data } };
}

/** Whether a key may call a model at all, though perhaps not at this moment. */
async function mayCall(gate: Gate, token: string, model: string): Promise<boolean> {
  const answer = await gate.check(token, { model, inputTokens: 0, maxOutputTokens: 0 });
  return answer.admitted || (answer.reason !== "model_not_allowed" && answer.reason !== "model_unpriced");
}

/** What a key may know about itself, its limits and those of its holder in the project: `GET /v1/key`. */
export async function keyInfo(gate: Gate, token: string): Promise<HttpAnswer> {
  const who = await gate.authenticate(token);
  if (!who.authenticated) return unauthenticated(who, "openai");
  const { orgId, projectId, keyId, expiresAt } = who;
  const readings = await gate.usage({ orgId, keyId });
  // What the whole project and the whole org have used is not for every key to see.
  const limits = readings.filter(({ scope }) => scope === "key" || scope === "member");
  return { status: 200, headers: {}, body: { object: "key", keyId, projectId, orgId, expiresAt, limits } };
}

/**
 * The answer for a token that does not work, before anything else of the request is looked at; undefined if it works, or if nobody
 * can say: while the records do not answer, the gate still knows the keys that were used a moment ago, and its `admit` decides.
 */
export async function refusalOf(
  gate: Gate,
  token: string,
  profile: Profile = "openai",
): Promise<HttpAnswer | undefined> {
  const who = await gate.authenticate(token).catch(() => undefined);
  return who === undefined || who.authenticated ? undefined : unauthenticated(who, profile);
}

function unauthenticated(
  { reason, message }: Extract<Authentication, { authenticated: false }>,
  profile: Profile,
): HttpAnswer {
  return toResponse({ admitted: false, reason, message, limits: [] }, { profile });
}
