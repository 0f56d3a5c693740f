import { describe, expect, it } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import { definePolicy, type Policy, type PolicySpec, standardPolicy } from "../../src/policy/index.js";

const spec = {
  permissions: { "doc.read": "owned", "doc.print": "project", "org.audit": "org" },
  orgRoles: { boss: { "org.audit": "all" }, base: {} },
  projectRoles: { editor: { "doc.read": "all" } },
  baseOrgRole: "base",
} as const satisfies PolicySpec;

const mfa = { conditions: { mfa: "a second factor" } };
const cap = (freeze: object) => ({ ...spec, caps: { freeze } });

/** The fields that a ValidationError names, when the change comes from JSON. */
function wrongFields(make: (json: never) => unknown, input: unknown): string[] {
  try {
    make(JSON.parse(JSON.stringify(input)) as never); // Sound: what comes from JSON has no type.
  } catch (error) {
    if (error instanceof ValidationError) return error.problems.map(({ field }) => field);
    throw error;
  }
  return [];
}

describe("a spec", () => {
  it.each([
    ["an unknown field", { ...spec, denies: {} }, "denies"],
    ["caps in a list", { ...spec, caps: [] }, "caps"],
    ["no permissions", { ...spec, permissions: undefined }, "permissions"],
    ["no such kind", { ...spec, permissions: { "doc.read": "global" } }, "permissions.doc.read"],
    ["a name with a slash", { ...spec, permissions: { "doc/read": "org" } }, "permissions.doc/read"],
    ["an empty name", { ...spec, orgRoles: { ...spec.orgRoles, "": {} } }, "orgRoles."],
    [
      "a name of 65",
      { ...spec, orgRoles: { ...spec.orgRoles, [`${"x-".repeat(32)}x`]: {} } },
      `orgRoles.${"x-".repeat(32)}`,
    ],
    ["a lone surrogate", { ...spec, projectRoles: { "\ud800": {} } }, "projectRoles.\ud800"],
    [
      "an unknown permission",
      { ...spec, orgRoles: { base: { "doc.burn": "all" } } },
      "orgRoles.base.doc.burn",
    ],
    [
      "a permission that every object inherits",
      { ...spec, orgRoles: { base: { toString: "all" } } },
      "orgRoles.base.toString",
    ],
    ["no such reach", { ...spec, orgRoles: { base: { "doc.read": "most" } } }, "orgRoles.base.doc.read"],
    [
      "an own project",
      { ...spec, projectRoles: { editor: { "doc.print": "own" } } },
      "projectRoles.editor.doc.print",
    ],
    ["an own org", { ...spec, orgRoles: { base: { "org.audit": "own" } } }, "orgRoles.base.org.audit"],
    [
      "a project role that reaches the org",
      { ...spec, projectRoles: { editor: { "org.audit": "all" } } },
      "projectRoles.editor.org.audit",
    ],
    ["an unknown base org role", { ...spec, baseOrgRole: "member" }, "baseOrgRole"],
    ["a base org role that every object inherits", { ...spec, baseOrgRole: "constructor" }, "baseOrgRole"],
    [
      "a row that asks about something else",
      { ...spec, rows: [{ label: "Read", ask: "org", permissions: ["doc.read"] }] },
      "rows[0].permissions[0]",
    ],
    [
      "a row with an unknown permission",
      { ...spec, rows: [{ label: "Read", ask: "own", permissions: ["doc.read", "doc.burn"] }] },
      "rows[0].permissions[1]",
    ],
    [
      "a row with a permission twice",
      { ...spec, rows: [{ label: "Read", ask: "own", permissions: ["doc.read", "doc.read"] }] },
      "rows[0].permissions[1]",
    ],
    [
      "a row without permissions",
      { ...spec, rows: [{ label: "Read", ask: "own", permissions: [] }] },
      "rows[0].permissions",
    ],
    [
      "two rows of one label",
      {
        ...spec,
        rows: [
          { label: "Read", ask: "own", permissions: ["doc.read"] },
          { label: "Read", ask: "others", permissions: ["doc.read"] },
        ],
      },
      "rows[1].label",
    ],
    [
      "a label that would break the table",
      { ...spec, rows: [{ label: "Read | write", ask: "own", permissions: ["doc.read"] }] },
      "rows[0].label",
    ],
    [
      "a grant with an unknown condition",
      { ...spec, orgRoles: { base: { "doc.read": { reach: "all", when: "mfa" } } } },
      "orgRoles.base.doc.read.when",
    ],
    [
      "a condition that every object inherits",
      { ...spec, orgRoles: { base: { "doc.read": { reach: "all", when: "toString" } } } },
      "orgRoles.base.doc.read.when",
    ],
    [
      "a conditional own project",
      { ...spec, ...mfa, projectRoles: { editor: { "doc.print": { reach: "own", when: "mfa" } } } },
      "projectRoles.editor.doc.print",
    ],
    [
      "a project that is otherwise one's own",
      {
        ...spec,
        ...mfa,
        orgRoles: { base: { "doc.print": { reach: "all", when: "mfa", otherwise: "own" } } },
      },
      "orgRoles.base.doc.print",
    ],
    [
      "a grant that is otherwise as wide",
      {
        ...spec,
        ...mfa,
        orgRoles: { base: { "doc.read": { reach: "own", when: "mfa", otherwise: "own" } } },
      },
      "orgRoles.base.doc.read.otherwise",
    ],
    ["a condition that nobody explains", { ...spec, conditions: { mfa: "" } }, "conditions.mfa"],
    [
      "more conditions than a proof can visit",
      { ...spec, conditions: Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`c${i}`, "c"])) },
      "conditions",
    ],
    ["a cap nowhere", cap({ permissions: ["doc.read"] }), "caps.freeze.at"],
    ["a cap on a role", cap({ at: "org", roles: ["boss"], permissions: ["doc.read"] }), "caps.freeze.roles"],
    ["a cap on no org", cap({ at: "org", orgIds: [], permissions: ["doc.read"] }), "caps.freeze.orgIds"],
    [
      "a cap on a project without its org",
      cap({ at: "project", projects: [{ projectId: "p" }], permissions: ["doc.read"] }),
      "caps.freeze.projects[0].orgId",
    ],
    ["a cap on nothing", cap({ at: "org", permissions: [] }), "caps.freeze.permissions"],
    [
      "a cap on an unknown permission",
      cap({ at: "org", permissions: ["doc.read", "doc.burn"] }),
      "caps.freeze.permissions[1]",
    ],
    [
      "a cap on a permission twice",
      cap({ at: "org", permissions: ["doc.read", "doc.read"] }),
      "caps.freeze.permissions[1]",
    ],
    [
      "a cap on a project for a permission about the org",
      cap({ at: "project", projects: [{ orgId: "o", projectId: "p" }], permissions: ["org.audit"] }),
      "caps.freeze.permissions[0]",
    ],
    [
      "a cap that an unknown condition lifts",
      cap({ at: "org", permissions: ["doc.read"], unless: "mfa" }),
      "caps.freeze.unless",
    ],
    [
      "more roles than a policy may have",
      { ...spec, orgRoles: Object.fromEntries(Array.from({ length: 257 }, (_, index) => [`r${index}`, {}])) },
      "orgRoles",
    ],
  ])("with %s is refused, and the field named", (_, wrong, field) => {
    expect(wrongFields(definePolicy, wrong)).toContain(field);
  });

  it("names every field that is wrong, not only the first", () => {
    const wrong = {
      ...spec,
      baseOrgRole: "nobody",
      orgRoles: { base: { "doc.burn": "all", "org.audit": "own" } },
    };
    expect(wrongFields(definePolicy, wrong)).toEqual([
      "baseOrgRole",
      "orgRoles.base.doc.burn",
      "orgRoles.base.org.audit",
    ]);
  });

  it("is kept as frozen data of the policy's own", () => {
    const orgRoles: Record<string, Record<string, "all">> = { base: {} };
    const policy = definePolicy({ ...spec, orgRoles, baseOrgRole: "base" });
    orgRoles.base = { "org.audit": "all" };
    expect(policy.spec.orgRoles).toEqual({ base: {} });
    expect(Object.isFrozen(policy) && Object.isFrozen(policy.spec.orgRoles.base)).toBe(true);
  });

  it("survives JSON: stored and loaded, it is the same policy", () => {
    const loaded: Policy = definePolicy(JSON.parse(JSON.stringify(standardPolicy.spec)));
    expect(loaded.spec).toEqual(standardPolicy.spec);
  });
});

describe("an extension", () => {
  const policy = definePolicy(spec);
  const conditional = definePolicy({
    ...spec,
    ...mfa,
    orgRoles: { ...spec.orgRoles, base: { "doc.read": { reach: "all", when: "mfa" } } },
    caps: { freeze: { at: "org", permissions: ["doc.read"] } },
  });

  it.each([
    ["a permission that is there", { permissions: { "doc.read": "org" } }, "permissions.doc.read"],
    ["an org role that is there", { orgRoles: { boss: {} } }, "orgRoles.boss"],
    ["a project role that is there", { projectRoles: { editor: {} } }, "projectRoles.editor"],
    ["an unknown role to raise", { raise: { orgRoles: { chief: {} } } }, "raise.orgRoles.chief"],
    [
      "a role to raise that every object inherits",
      { raise: { projectRoles: { toString: {} } } },
      "raise.projectRoles.toString",
    ],
    [
      "a lower reach",
      { raise: { projectRoles: { editor: { "doc.read": "own" } } } },
      "raise.projectRoles.editor.doc.read",
    ],
    [
      "an unknown permission to raise",
      { raise: { orgRoles: { base: { "doc.burn": "all" } } } },
      "raise.orgRoles.base.doc.burn",
    ],
    [
      "a project role raised to the org",
      { raise: { projectRoles: { editor: { "org.audit": "all" } } } },
      "raise.projectRoles.editor.org.audit",
    ],
    ["a new role with an unknown permission", { orgRoles: { chief: { x: "all" } } }, "orgRoles.chief.x"],
    ["a condition that is there", { conditions: { mfa: "mfa" } }, "conditions.mfa"],
    ["a cap that is there", { caps: { freeze: { at: "org", permissions: ["doc.read"] } } }, "caps.freeze"],
    [
      "a raise that takes away what needed no condition",
      {
        raise: { projectRoles: { editor: { "doc.read": { reach: "all", when: "mfa", otherwise: "own" } } } },
      },
      "raise.projectRoles.editor.doc.read",
    ],
    [
      "a raise that needs another condition",
      {
        conditions: { office: "office hours" },
        raise: { orgRoles: { base: { "doc.read": { reach: "all", when: "office" } } } },
      },
      "raise.orgRoles.base.doc.read",
    ],
    ["another base org role", { baseOrgRole: "boss" }, "baseOrgRole"],
  ])("with %s is refused, and the field named", (_, extension, field) => {
    expect(wrongFields(conditional.extend, extension)).toEqual([field]);
  });

  it("adds permissions, roles and raised grants, and leaves the policy it extends as it was", () => {
    const extended = policy.extend({
      permissions: { "doc.share": "owned" },
      orgRoles: { auditor: { "org.audit": "all", "doc.share": "own" } },
      projectRoles: { viewer: { "doc.read": "own" } },
      raise: {
        orgRoles: { base: { "org.audit": "all" } },
        projectRoles: { editor: { "doc.print": "all", "doc.share": "all" } },
      },
    });
    expect(extended.spec).toEqual({
      permissions: { ...spec.permissions, "doc.share": "owned" },
      orgRoles: {
        boss: { "org.audit": "all" },
        base: { "org.audit": "all" },
        auditor: { "org.audit": "all", "doc.share": "own" },
      },
      projectRoles: {
        editor: { "doc.read": "all", "doc.print": "all", "doc.share": "all" },
        viewer: { "doc.read": "own" },
      },
      baseOrgRole: "base",
      conditions: {},
      caps: {},
      rows: [],
    });
    expect(policy.spec).toEqual({ ...spec, conditions: {}, caps: {}, rows: [] });
  });

  it("with a row of a label that is there adds to that row, if it asks the same", () => {
    const added = { label: "Prompt management", permissions: ["prompt.publish"] } as const;
    const permissions = { "prompt.publish": "org" } as const;
    const extended = standardPolicy.extend({ permissions, rows: [{ ...added, ask: "org" }] });
    expect(extended.spec.rows.at(-1)).toEqual({
      label: "Prompt management",
      ask: "org",
      permissions: ["prompt.manage", "prompt.publish"],
    });
    const other = { permissions: { "prompt.publish": "project" }, rows: [{ ...added, ask: "project" }] };
    expect(wrongFields(standardPolicy.extend, other)).toEqual(["rows[0].ask"]);
  });

  it("with rows that do not fit names them by their place in the extension", () => {
    const billing = { label: "Billing & credits", ask: "org" };
    const fresh = { label: "Publish prompts", ask: "org", permissions: ["prompt.publish"] };
    const rows = [
      { ...billing, permissions: ["prompt.publish", "billing.view"] },
      { ...billing, permissions: ["prompt.publish", "prompt.burn"] },
      fresh,
      { ...fresh, permissions: ["key.view"] },
    ];
    expect(wrongFields(standardPolicy.extend, { permissions: { "prompt.publish": "org" }, rows })).toEqual([
      "rows[0].permissions[1]",
      "rows[1].permissions[0]",
      "rows[1].permissions[1]",
      "rows[3].label",
      "rows[3].permissions[0]",
    ]);
  });

  it("with a row of a new label has it behind those that are there", () => {
    const extended = standardPolicy.extend({
      permissions: { "prompt.publish": "org", "usage.export": "owned" },
      rows: [
        { label: "Publish prompts", ask: "org", permissions: ["prompt.publish"] },
        { label: "Manage all keys in a project", ask: "others", permissions: ["usage.export"] },
      ],
    });
    const rows = standardPolicy.spec.rows.map((row) =>
      row.label === "Manage all keys in a project"
        ? { ...row, permissions: [...row.permissions, "usage.export"] }
        : row,
    );
    expect(extended.spec.rows).toEqual([
      ...rows,
      { label: "Publish prompts", ask: "org", permissions: ["prompt.publish"] },
    ]);
  });

  it("adds conditions, conditional grants and caps, and widens a condition away", () => {
    const extended = conditional.extend({
      conditions: { office: "office hours" },
      orgRoles: { auditor: { "org.audit": { reach: "all", when: "office" } } },
      raise: {
        orgRoles: { base: { "doc.read": { reach: "all", when: "mfa", otherwise: "own" } } },
        projectRoles: { editor: { "doc.print": { reach: "all", when: "mfa" } } },
      },
      caps: { guard: { at: "org", orgIds: ["acme"], permissions: ["org.audit"], unless: "mfa" } },
    });
    expect(extended.spec).toEqual({
      ...conditional.spec,
      conditions: { mfa: "a second factor", office: "office hours" },
      orgRoles: {
        boss: { "org.audit": "all" },
        base: { "doc.read": { reach: "all", when: "mfa", otherwise: "own" } },
        auditor: { "org.audit": { reach: "all", when: "office" } },
      },
      projectRoles: { editor: { "doc.read": "all", "doc.print": { reach: "all", when: "mfa" } } },
      caps: {
        freeze: { at: "org", permissions: ["doc.read"] },
        guard: { at: "org", orgIds: ["acme"], permissions: ["org.audit"], unless: "mfa" },
      },
    });
    const always = extended.extend({ raise: { orgRoles: { auditor: { "org.audit": "all" } } } });
    expect(always.spec.orgRoles.auditor).toEqual({ "org.audit": "all" });
    const loaded: Policy = definePolicy(JSON.parse(JSON.stringify(extended.spec)));
    expect(loaded.spec).toEqual(extended.spec);
  });

  it("can be extended again", () => {
    const twice = policy
      .extend({ orgRoles: { auditor: {} } })
      .extend({ raise: { orgRoles: { auditor: { "org.audit": "all" } } } });
    expect(twice.spec.orgRoles.auditor).toEqual({ "org.audit": "all" });
  });
});

describe("undefined is the same as nothing", () => {
  it.each<[string, PolicySpec]>([
    ["a part", { ...spec, projectRoles: undefined, conditions: undefined, caps: undefined, rows: undefined }],
    ["a grant", { ...spec, orgRoles: { ...spec.orgRoles, base: { "doc.read": undefined } } }],
    [
      "what else a grant reaches",
      {
        ...spec,
        ...mfa,
        orgRoles: {
          base: { "doc.read": { reach: "all", when: "mfa", otherwise: undefined } },
          boss: { "doc.read": { reach: "own", when: "mfa", otherwise: undefined } },
        },
      },
    ],
    [
      "where a cap is, and what lifts it",
      {
        ...spec,
        caps: { freeze: { at: "org", orgIds: undefined, permissions: ["doc.read"], unless: undefined } },
      },
    ],
  ])("for %s of a spec", (_, loose) => {
    expect(definePolicy(loose).spec).toStrictEqual(definePolicy(JSON.parse(JSON.stringify(loose))).spec);
  });

  it("for a part of an extension, and for a role or a grant that it raises", () => {
    const policy = definePolicy(spec);
    const extension = {
      permissions: undefined,
      orgRoles: undefined,
      projectRoles: undefined,
      conditions: undefined,
      caps: undefined,
      rows: undefined,
    };
    expect(policy.extend({ ...extension, raise: undefined }).spec).toStrictEqual(policy.spec);
    const orgRoles = { boss: { "org.audit": undefined }, base: undefined };
    expect(policy.extend({ raise: { orgRoles, projectRoles: undefined } }).spec).toStrictEqual(policy.spec);
  });
});
