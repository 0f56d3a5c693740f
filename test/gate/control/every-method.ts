import {
  type ControlPlane,
  controlSchemas,
  createGate,
  createLedger,
  memoryLedgerSink,
  type StandardPermission,
  standardPolicy,
} from "tollgate";

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

/**
 * An org of Olga's with something of each kind in it; Mia is a member of it and in no project. Una has every permission, but for one
 * where it is given.
 */
async function createWorld(lacking?: StandardPermission) {
  const kinds = Object.entries(standardPolicy.spec.permissions).filter(
    ([permission]) => permission !== lacking,
  );
  const una = Object.fromEntries(kinds.map(([permission]) => [permission, "all" as const]));
  const policy = standardPolicy.extend({ orgRoles: { una } });
  const ledger = createLedger({ sink: memoryLedgerSink() });
  const gate = createGate({ auditDenied: true, ledger, policy });
  const as = (userId: string) => gate.as({ userId });
  const olga = as("olga");
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.projects.create({ ...org, id: "web", name: "Web" });
  for (const userId of ["mia", "max", "pat"]) await olga.orgMembers.add({ ...org, userId, role: "member" });
  await olga.orgMembers.add({ ...org, userId: "una", role: "una" });
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
      create: { ...org, name: "more", provider: "anthropic", secretRef: "x" },
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

/** Every method there is, as `keys.create`, with its noun and its verb. */
export const methods = Object.entries(controlSchemas).flatMap(([noun, verbs]) =>
  Object.keys(verbs).map((verb) => [`${noun}.${verb}`, noun, verb] as const),
);

/** A method of somebody's in a world of its own, with its input. */
export async function methodOf(noun: string, verb: string, userId: string, lacking?: StandardPermission) {
  const { as, inputs } = await createWorld(lacking);
  const method = Reflect.get(Reflect.get(as(userId), noun), verb);
  const input = Reflect.get(Reflect.get(inputs, noun), verb);
  const call = (): Promise<unknown> => method(input);
  const denied = async () => (await as("olga").audit.list({ ...org, outcome: "denied" })).items;
  return { call, input, denied };
}
