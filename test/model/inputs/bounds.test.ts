import { expect, it } from "vitest";
import type * as z from "zod";
import { controlSchemas } from "../../../src/model/inputs/control-schemas.js";

const { keys, invitations, virtualModels, mcpServers, externalKeys, credits } = controlSchemas;

const IN_ORG = { orgId: "acme" };
const KEY = { ...IN_ORG, projectId: "web" };
const INVITATION = { ...IN_ORG, role: "member" };
const VIRTUAL = { ...IN_ORG, alias: "smart", models: ["gpt-4o"] };
const EXTERNAL = { ...IN_ORG, provider: "openai", secretRef: "vault/openai" };

const text = (length: number) => "a".repeat(length);
const texts = (length: number) => Array.from({ length }, (_, i) => `m${i}`);
const tags = (length: number) => Object.fromEntries(texts(length).map((name) => [name, "x"]));
const grants = (length: number) => texts(length).map((projectId) => ({ projectId, role: "member" }));

/** A field of an input, the rest of the input, the last value of the field in range, and the first one beyond. */
type Bound = readonly [
  verb: string,
  field: string,
  schema: z.ZodType,
  rest: object,
  last: unknown,
  beyond: unknown,
];

it.each<Bound>([
  ["keys.create", "id", keys.create, KEY, text(200), text(201)],
  ["keys.create", "id", keys.create, KEY, text(1), ""],
  ["keys.create", "name", keys.create, KEY, text(200), text(201)],
  ["keys.create", "name", keys.create, KEY, text(1), ""],
  ["keys.create", "tags", keys.create, KEY, tags(50), tags(51)],
  ["keys.create", "tags", keys.create, KEY, { [text(100)]: "x" }, { [text(101)]: "x" }],
  ["keys.create", "tags", keys.create, KEY, { team: text(200) }, { team: text(201) }],
  ["keys.create", "models", keys.create, KEY, texts(1_000), texts(1_001)],
  ["keys.create", "mcpServers", keys.create, KEY, texts(1_000), texts(1_001)],
  ["keys.rotate", "graceMs", keys.rotate, { keyId: "k" }, 31_536_000_000, 31_536_000_001],
  ["keys.rotate", "graceMs", keys.rotate, { keyId: "k" }, 0, -1],
  ["keys.revoke", "version", keys.revoke, { keyId: "k" }, 1, 0],
  ["keys.list", "limit", keys.list, IN_ORG, 1_000, 1_001],
  ["keys.list", "limit", keys.list, IN_ORG, 1, 0],
  ["invitations.create", "projects", invitations.create, INVITATION, grants(100), grants(101)],
  ["invitations.create", "projects", invitations.create, INVITATION, grants(1), [...grants(1), ...grants(1)]],
  ["invitations.create", "email", invitations.create, INVITATION, text(320), text(321)],
  ["invitations.create", "email", invitations.create, INVITATION, text(1), ""],
  ["virtualModels.create", "alias", virtualModels.create, VIRTUAL, text(300), text(301)],
  ["virtualModels.create", "alias", virtualModels.create, VIRTUAL, "constructor", "__proto__"],
  ["virtualModels.create", "alias", virtualModels.create, VIRTUAL, "gpt", "gpt*"],
  ["virtualModels.create", "models", virtualModels.create, VIRTUAL, texts(50), texts(51)],
  ["virtualModels.create", "models", virtualModels.create, VIRTUAL, texts(1), []],
  ["mcpServers.create", "name", mcpServers.create, IN_ORG, text(300), text(301)],
  ["mcpServers.create", "url", mcpServers.create, { ...IN_ORG, name: "s" }, text(2_000), text(2_001)],
  ["mcpServers.create", "description", mcpServers.create, { ...IN_ORG, name: "s" }, text(2_000), text(2_001)],
  ["externalKeys.create", "provider", externalKeys.create, EXTERNAL, text(200), text(201)],
  ["externalKeys.create", "secretRef", externalKeys.create, EXTERNAL, text(1_000), text(1_001)],
  ["credits.grant", "note", credits.grant, { ...IN_ORG, usd: 1 }, text(1_000), text(1_001)],
  ["credits.grant", "usd", credits.grant, IN_ORG, 9_000_000, 9_000_001],
])("%s takes the %s that its type says, and no other", (_verb, field, schema, rest, last, beyond) => {
  expect(schema.safeParse({ ...rest, [field]: last }).success).toBe(true);
  const refused = schema.safeParse({ ...rest, [field]: beyond });
  expect(refused.error?.issues.map(({ path }) => path[0])).toEqual([field]);
});
