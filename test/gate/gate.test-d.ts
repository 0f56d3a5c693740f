import {
  type Counters,
  createGate,
  createLedger,
  type Directory,
  definePolicy,
  type Gate,
  type GateOptions,
  type LedgerSink,
  type Storage,
  standardPolicy,
} from "tollgate";

// Checked by the compiler alone: `npm run types`.

const ada = { userId: "ada" };
const org = { orgId: "acme" };
const project = { orgId: "acme", projectId: "web" };
const raised = standardPolicy.extend({
  permissions: { "budget.raise": "project" },
  raise: { orgRoles: { owner: { "budget.raise": "all" } } },
});

// A gate takes the permissions of its policy, each with what kind of resource it takes.
const gate = createGate({ policy: raised });
void gate.authorize(ada, "budget.raise", project);
void gate.authorize(ada, "key.revoke", { ...project, userId: "bea" });
// @ts-expect-error it is about a project
void gate.authorize(ada, "budget.raise", org);
// @ts-expect-error nobody has such a permission
void gate.authorize(ada, "budget.lower", project);

// The standard one without a policy, and with options whose policy is not known here.
const options: GateOptions = {};
for (const standard of [createGate(), createGate(options), createGate({ policy: standardPolicy })]) {
  void standard.authorize(ada, "project.create", org);
  // @ts-expect-error it is of an extension
  void standard.authorize(ada, "budget.raise", project);
}

// What takes any gate takes one of an extension.
const middleware = (_: Gate) => {};
middleware(gate);

// The control plane asks for the standard permissions.
const other = definePolicy({
  baseOrgRole: "owner",
  permissions: { "a.b": "org" },
  orgRoles: { owner: { "a.b": "all" } },
});
// @ts-expect-error they are missing
createGate({ policy: other });

// Limits have their type wherever they are written.
const plane = createGate().as(ada);
void plane.keys.create({ ...project, limits: { rpm: 3, perModel: { "openai/*": { tpm: 5 } } } });
// @ts-expect-error a misspelt limit
void plane.keys.create({ ...project, limits: { rmp: 3 } });
// @ts-expect-error no limits at all
void plane.orgs.create({ name: "Acme", limits: "lots" });
// @ts-expect-error nobody has a yearly budget
void plane.keys.update({ keyId: "k", limits: { budget: { usd: 1, reset: "yearly" } } });
// @ts-expect-error a limit per model is no limit
void plane.projects.update({ projectId: "web", limits: { perModel: { "openai/*": 5 } } });

// A configuration that nothing may change.
const fixed = { rpm: 3, budget: { usd: 5, reset: "daily", alertAt: [0.8, 1] } } as const;
void plane.projects.update({ projectId: "web", limits: fixed });

// A reading says which windows there are.
void gate.usage(org).then(([reading]) => {
  void (reading?.window === "monthly");
  // @ts-expect-error no limit has such a window
  void (reading?.window === "yearly");
});

// A directory gives what its tables have or not as it is, with `exactOptionalPropertyTypes` too.
const row: { role?: string; project?: { id: string } } = {};
const directory: Directory = {
  key: async () => undefined,
  principal: async (userId, orgId) => ({ userId, orgId, orgRole: row.role, projectRoles: {} }),
  scope: async () => ({ org: { id: "acme" }, project: row.project, holder: undefined }),
};
createGate({ directory });

// A part that wraps another passes on what that may leave out.
declare const parts: { directory: Directory; storage: Storage; counters: Counters; sink: LedgerSink };
const { key, principal, scope, isToken, watch } = parts.directory;
const { reserve, settle, read, close, inProcess } = parts.counters;
const { storage, sink } = parts;
createGate({
  directory: { key, principal, scope, isToken, watch },
  storage: {
    get: (kind, id) => storage.get(kind, id),
    find: (kind, where, page) => storage.find(kind, where, page),
    commit: (changes) => storage.commit(changes),
    close: () => storage.close(),
    findAny: storage.findAny?.bind(storage),
    watch: storage.watch?.bind(storage),
  },
  counters: { reserve, settle, read, close, inProcess },
  ledger: createLedger({
    sink: {
      write: (events) => sink.write(events),
      sum: sink.sum?.bind(sink),
      sumWithin: sink.sumWithin?.bind(sink),
      open: undefined,
      close: sink.close?.bind(sink),
    },
  }),
});
