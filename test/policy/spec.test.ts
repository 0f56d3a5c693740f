import { describe, expect, it } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import { definePolicy, type Policy, type PolicySpec, standardPolicy } from "../../src/policy/index.js";

const spec = {
  permissions: { "doc.read": "owned", "doc.print": "project", "org.audit": "org" },
  orgRoles: { boss: { "org.audit": "all" }, base: {} },
  projectRoles: { editor: { "doc.read": "all" } },
  baseOrgRole: "base",
} as const satisfies PolicySpec;

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
    ["an unknown field", { ...spec, caps: [] }, "caps"],
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
    ["another base org role", { baseOrgRole: "boss" }, "baseOrgRole"],
  ])("with %s is refused, and the field named", (_, extension, field) => {
    expect(wrongFields(policy.extend, extension)).toEqual([field]);
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
      rows: [],
    });
    expect(policy.spec).toEqual({ ...spec, rows: [] });
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

  it("can be extended again", () => {
    const twice = policy
      .extend({ orgRoles: { auditor: {} } })
      .extend({ raise: { orgRoles: { auditor: { "org.audit": "all" } } } });
    expect(twice.spec.orgRoles.auditor).toEqual({ "org.audit": "all" });
  });
});
