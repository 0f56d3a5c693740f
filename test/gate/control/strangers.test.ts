import { type ControlPlane, controlSchemas, createGate, createLedger, memoryLedgerSink } from "tollgate";
import { describe, expect, test } from "vitest";

/** What each method is given. A new method has to be added: the compiler says so. */
type Inputs = {
  readonly [Noun in keyof ControlPlane]: {
    readonly [Verb in keyof ControlPlane[Noun]]: ControlPlane[Noun][Verb] extends (
      input: infer Input,
    ) => unknown
      ? NonNullable<Input>
      : ControlPlane[Noun][Verb] extends (input?: infer Input) => unknown
        ? NonNullable<Input>
        : never;
  };
};

const org = { orgId: "acme" };
const web = { ...org, projectId: "web" };

/** An org of Olga's with something of each kind in it; Mia is a member of it and in no project. */
async function createWorld() {
  const gate = createGate({ auditDenied: true, ledger: createLedger({ sink: memoryLedgerSink() }) });
  const as = (userId: string) => gate.as({ userId });
  const olga = as("olga");
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.projects.create({ ...org, id: "web", name: "Web" });
  for (const userId of ["mia", "max", "pat"]) await olga.orgMembers.add({ ...org, userId, role: "member" });
  await olga.projectMembers.add({ ...web, userId: "max", role: "member" });
  const { key } = await olga.keys.create({ ...web, userId: "max" });
  const { invitation } = await olga.invitations.create({ ...org, role: "member" });
  const { token } = await olga.invitations.create({ ...org, role: "member", userId: "ivo" });
  const alias = await olga.virtualModels.create({ ...org, alias: "fast", models: ["openai/gpt-4o"] });
  const server = await olga.mcpServers.create({ ...org, name: "search", url: "https://example.com" });
  const external = await olga.externalKeys.create({
    ...org,
    name: "ours",
    provider: "openai",
    secretRef: "x",
  });
  const grant = await olga.credits.grant({ ...org, usd: 1 });
  const ids = {
    key: { keyId: key.id },
    invitation: { invitationId: invitation.id },
    alias: { virtualModelId: alias.id },
    server: { mcpServerId: server.id },
    external: { externalKeyId: external.id },
  };
  const max = { ...web, userId: "max" };
  const inputs: Inputs = {
    orgs: {
      create: { name: "Own" },
      get: org,
      list: {},
      update: { ...org, name: "Acme Ltd" },
      delete: { ...org, confirm: "acme" },
    },
    orgMembers: {
      add: { ...org, userId: "new", role: "member" },
      list: org,
      setRole: { ...org, userId: "pat", role: "owner" },
      remove: { ...org, userId: "pat" },
    },
    invitations: {
      create: { ...org, role: "member" },
      get: ids.invitation,
      list: org,
      revoke: ids.invitation,
      accept: { token },
    },
    projects: {
      create: { ...org, name: "Api" },
      get: web,
      list: org,
      update: { ...web, name: "Site" },
      delete: web,
    },
    projectMembers: {
      add: { ...web, userId: "pat", role: "member" },
      list: web,
      setRole: { ...max, role: "admin" },
      setLimits: { ...max, limits: { rpm: 1 } },
      setExpiry: { ...max, expiresAt: null },
      remove: max,
    },
    keys: {
      create: { ...web, userId: "max" },
      get: ids.key,
      list: org,
      update: { ...ids.key, name: "laptop" },
      disable: ids.key,
      enable: ids.key,
      revoke: ids.key,
      rotate: ids.key,
      effective: ids.key,
    },
    virtualModels: {
      create: { ...org, alias: "slow", models: ["openai/o3"] },
      get: ids.alias,
      list: org,
      update: { ...ids.alias, models: ["openai/o3"] },
      delete: ids.alias,
    },
    mcpServers: {
      create: { ...org, name: "files", url: "https://example.com" },
      get: ids.server,
      list: org,
      update: { ...ids.server, name: "found" },
      delete: ids.server,
    },
    externalKeys: {
      create: { ...org, name: "more", provider: "openai", secretRef: "x" },
      get: ids.external,
      list: org,
      update: { ...ids.external, name: "yours" },
      delete: ids.external,
    },
    credits: {
      grant: { ...org, usd: 1 },
      list: org,
      revoke: { creditGrantId: grant.id },
      balance: org,
    },
    audit: { list: org },
    ledger: { report: { org: "acme", from: 0, to: 1, groupBy: "model" } },
  };
  return { as, inputs };
}

/** What the audit trail calls what was denied: the write, or the permission to read. */
const ACTIONS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ["orgs", "orgMembers", "invitations", "projects", "projectMembers", "keys"].flatMap((noun) =>
      ["get", "list"].map((verb) => [`${noun}.${verb}`, `${noun.slice(0, -1)}.view`]),
    ),
  ),
  ...Object.fromEntries(
    ["virtualModels", "mcpServers", "externalKeys"].flatMap((noun) =>
      ["get", "list"].map((verb) => [`${noun}.${verb}`, `${noun.slice(0, -1)}.manage`]),
    ),
  ),
  "keys.effective": "key.view",
  "credits.list": "billing.view",
  "credits.balance": "billing.view",
  "audit.list": "audit.view",
  "ledger.report": "usage.view",
};

/** Of what: the record that was named, if there is one, else where it was to be. */
function subjectOf(noun: string, verb: string, input: Record<string, string>): object {
  const { orgId = "acme", projectId, userId } = input;
  if (["list", "balance", "report"].includes(verb)) {
    return projectId === undefined
      ? { subjectKind: "org", subjectId: orgId }
      : { subjectKind: "project", subjectId: projectId, projectId };
  }
  if (noun === "orgs") return { subjectKind: "org", subjectId: orgId };
  if (noun.endsWith("Members")) {
    const ids = [orgId, projectId, userId].filter((id) => id !== undefined);
    return { subjectKind: noun.slice(0, -1), subjectId: JSON.stringify(ids) };
  }
  const subjectKind = noun === "credits" ? "creditGrant" : noun.slice(0, -1);
  if (verb === "create" || verb === "grant") return { subjectKind };
  return { subjectKind, subjectId: input[`${subjectKind}Id`] };
}

/** What somebody without any permission may do all the same, and why that shows and changes nothing of others. */
const OPEN: Readonly<Record<string, string>> = {
  "orgs.create": "everybody may have an org of their own",
  "orgs.list": "it has those that they may see",
  "projects.list": "it has those that they may see",
  "keys.list": "it has those that they may see",
};

const methods = Object.entries(controlSchemas).flatMap(([noun, verbs]) =>
  Object.keys(verbs).map((verb) => [`${noun}.${verb}`, noun, verb] as const),
);

/** A method of somebody's in a world of its own, with its input. */
async function methodOf(noun: string, verb: string, userId: string) {
  const { as, inputs } = await createWorld();
  const method = Reflect.get(Reflect.get(as(userId), noun), verb);
  const input = Reflect.get(Reflect.get(inputs, noun), verb);
  const call = (): Promise<unknown> => method(input);
  const denied = async () => (await as("olga").audit.list({ ...org, outcome: "denied" })).items;
  return { call, input, denied };
}

describe.each(methods)("%s", (name, noun, verb) => {
  test.each([
    ["eve", "who is not in the org", "not_in_org"],
    ["mia", "who is in no project of it", "not_granted"],
  ])("refuses %s, %s, and the trail says so", async (who, _, reason) => {
    const { call, input, denied } = await methodOf(noun, verb, who);
    const answer = await call().catch(({ code }) => ({ code }));
    const refusals = [{ code: "permission" }, { code: "not_found" }];
    if (name === "orgs.create") expect(answer).toMatchObject({ name: "Own" });
    else expect(name in OPEN ? [...refusals, { items: [] }] : refusals).toContainEqual(answer);

    // The token of somebody else's invitation is one that there is not, which is no attempt on an org.
    if (name in OPEN || name === "invitations.accept") return expect(await denied()).toEqual([]);
    const singular = noun === "credits" ? "credit" : noun.slice(0, -1);
    expect(await denied()).toMatchObject([
      {
        actorUserId: who,
        action: ACTIONS[name] ?? `${singular}.${verb}`,
        reason: expect.stringMatching(new RegExp(`^\\S+ is not allowed: ${reason}$`)),
        ...subjectOf(noun, verb, input),
      },
    ]);
  });

  test("does for whoever may what it is asked", async () => {
    const { call } = await methodOf(noun, verb, name === "invitations.accept" ? "ivo" : "olga");
    await call();
  });
});
