import { describe, expect, it } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import { definePolicy, type PolicySpec } from "../../src/policy/index.js";

const spec = {
  permissions: { "doc.read": "owned", "doc.print": "project", "org.audit": "org" },
  orgRoles: { boss: { "org.audit": "all" }, base: {} },
  projectRoles: {
    editor: { "doc.read": "all" },
    keeper: { "doc.read": { reach: "all", when: "mfa", otherwise: "own" } },
  },
  conditions: { mfa: "a second factor" },
  caps: { freeze: { at: "org", permissions: ["doc.read"] } },
  baseOrgRole: "base",
  rows: [{ label: "Read", ask: "own", permissions: ["doc.read"] }],
} as const satisfies PolicySpec;

const policy = definePolicy(spec);

/** What a refusal says, line by line; nothing where there is none. What comes from JSON has no type. */
function said(make: (json: never) => unknown, input: object): string[] {
  try {
    make(input as never);
  } catch (error) {
    if (error instanceof ValidationError) return error.problems.map((one) => `${one.field}: ${one.expected}`);
    throw error;
  }
  return [];
}

const named = (count: number, value: unknown) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`n${index}`, value]));

const cap = (said: object) => ({ caps: { freeze: { at: "org", permissions: ["doc.read"], ...said } } });
const row = (said: object) => ({ rows: [{ label: "Read", ask: "own", permissions: ["doc.read"], ...said }] });
const grant = (given: unknown) => ({ orgRoles: { base: { "doc.read": given } } });

const NAME = "a name of 1 to 64 letters, digits, '_', '.' or '-', beginning with a letter or digit";
const LABEL = "one line of 1 to 120 characters without '|' or '\\'";
const GRANT = '"none", "own" or "all", or { reach, when, otherwise? }';

describe("a spec that is refused", () => {
  it.each<[string, object, string]>([
    ["a name", { permissions: { "-": "org" } }, `permissions.-: ${NAME}`],
    ["a name that is text", { baseOrgRole: 7 }, `baseOrgRole: ${NAME}`],
    ["a name that ends", { baseOrgRole: "base " }, `baseOrgRole: ${NAME}`],
    ["a label", row({ label: "a|b" }), `rows[0].label: ${LABEL}`],
    ["a label that is text", row({ label: 7 }), `rows[0].label: ${LABEL}`],
    ["a label of one line", row({ label: "a\nb" }), `rows[0].label: ${LABEL}`],
    ["a grant", grant("most"), `orgRoles.base.doc.read: ${GRANT}`],
    ["a grant that is one", grant(7), `orgRoles.base.doc.read: ${GRANT}`],
    ["as many names as there may be", { permissions: named(257, "org") }, "permissions: at most 256 names"],
    [
      "as many conditions as a proof can visit",
      { conditions: named(7, "c") },
      "conditions: at most 6 conditions",
    ],
    [
      "as many rows as there may be",
      { rows: Array.from({ length: 257 }, () => spec.rows[0]) },
      "rows: at most 256 rows",
    ],
    ["a row of something", row({ permissions: [] }), "rows[0].permissions: at least one permission"],
    ["a cap on something", cap({ permissions: [] }), "caps.freeze.permissions: at least one permission"],
    ["a cap on orgs or projects", cap({ at: "team" }), 'caps.freeze.at: "org" or "project"'],
    ["a cap", { caps: { freeze: "doc.read" } }, "caps.freeze: expected object, received string"],
    [
      "a cap somewhere",
      cap({ orgIds: [] }),
      "caps.freeze.orgIds: at least one: a cap has to apply somewhere",
    ],
    [
      "a cap on as many orgs as there may be",
      cap({ orgIds: Array.from({ length: 10_001 }, (_, index) => `o${index}`) }),
      "caps.freeze.orgIds: at most 10000",
    ],
    ["a base role that there is", { baseOrgRole: "nobody" }, "baseOrgRole: one of orgRoles"],
    [
      "a grant of a permission",
      { orgRoles: { base: { "doc.burn": "all" } } },
      "orgRoles.base.doc.burn: one of the permissions",
    ],
    [
      "a project role in its project",
      { projectRoles: { editor: { "org.audit": "all" } } },
      "projectRoles.editor.org.audit: a permission of kind project or owned",
    ],
    [
      "a reach that the permission has",
      { orgRoles: { base: { "doc.print": "own" } } },
      "orgRoles.base.doc.print: none or all",
    ],
    [
      "a condition that there is",
      grant({ reach: "all", when: "vpn" }),
      "orgRoles.base.doc.read.when: one of the conditions",
    ],
    [
      "a cap on a permission",
      cap({ permissions: ["doc.burn"] }),
      "caps.freeze.permissions[0]: one of the permissions",
    ],
    [
      "a cap on a permission once",
      cap({ permissions: ["doc.read", "doc.read"] }),
      "caps.freeze.permissions[1]: each permission once",
    ],
    [
      "a cap on a project for what is in it",
      {
        caps: {
          freeze: { at: "project", projects: [{ orgId: "o", projectId: "p" }], permissions: ["org.audit"] },
        },
      },
      "caps.freeze.permissions[0]: a permission of kind project or owned",
    ],
    [
      "a cap that a known condition lifts",
      cap({ unless: "vpn" }),
      "caps.freeze.unless: one of the conditions",
    ],
    [
      "a row of the kind it asks about",
      row({ ask: "org" }),
      "rows[0].permissions[0]: a permission of kind org",
    ],
    [
      "a row with a permission once",
      row({ permissions: ["doc.read", "doc.read"] }),
      "rows[0].permissions[1]: each permission once",
    ],
    [
      "a row with a label of its own",
      { rows: [spec.rows[0], { ...spec.rows[0], ask: "others" }] },
      "rows[1].label: a label of its own",
    ],
  ])("says that it expects %s", (_, change, problem) => {
    expect(said(definePolicy, { ...spec, ...change })).toEqual([problem]);
  });

  it.each<[string, object]>([
    ["256 names", { permissions: { ...spec.permissions, ...named(253, "org") } }],
    ["6 conditions", { conditions: { ...spec.conditions, ...named(5, "c") } }],
    [
      "256 rows",
      { rows: Array.from({ length: 256 }, (_, index) => ({ ...spec.rows[0], label: `Row ${index}` })) },
    ],
    ["a cap on 10,000 orgs", cap({ orgIds: Array.from({ length: 10_000 }, (_, index) => `o${index}`) })],
    [
      "a row for each way of asking",
      {
        rows: [
          { label: "1", ask: "org", permissions: ["org.audit"] },
          { label: "2", ask: "project", permissions: ["doc.print"] },
          { label: "3", ask: "anyProject", permissions: ["doc.print"] },
          { label: "4", ask: "own", permissions: ["doc.read"] },
          { label: "5", ask: "others", permissions: ["doc.read"] },
          { label: "6", ask: "othersElsewhere", permissions: ["doc.read"] },
          { label: "7", ask: "owned", permissions: ["doc.read"] },
        ],
      },
    ],
    ["a name of 64", { orgRoles: { base: {}, ["x".repeat(64)]: {} } }],
    ["a name of one digit, and one with all signs", { orgRoles: { base: {}, "7": {}, "a_b.c-D": {} } }],
    ["a label of 120", row({ label: "x".repeat(120) })],
    ["a label of one", row({ label: "x" })],
    ["a grant of each form", grant({ reach: "all", when: "mfa", otherwise: "own" })],
    ["an own grant with a condition", grant({ reach: "own", when: "mfa" })],
    ["a project permission that is granted to nobody", { orgRoles: { base: { "doc.print": "none" } } }],
    [
      "a cap on a project",
      {
        caps: {
          a: { at: "project", projects: [{ orgId: "o", projectId: "p" }], permissions: ["doc.print"] },
        },
      },
    ],
    ["a cap on the org for a permission about it", cap({ permissions: ["org.audit"], unless: "mfa" })],
  ])("may have %s", (_, change) => {
    expect(said(definePolicy, { ...spec, ...change })).toEqual([]);
  });
});

describe("an extension that is refused", () => {
  it.each<[string, object, string]>([
    ["permissions", { permissions: { "doc.read": "org" } }, "permissions.doc.read: a name that is not taken"],
    ["org roles", { orgRoles: { boss: {} } }, "orgRoles.boss: a name that is not taken"],
    ["project roles", { projectRoles: { editor: {} } }, "projectRoles.editor: a name that is not taken"],
    ["conditions", { conditions: { mfa: "mfa" } }, "conditions.mfa: a name that is not taken"],
    ["caps", cap({}), "caps.freeze: a name that is not taken"],
    ["roles to raise", { raise: { orgRoles: { chief: {} } } }, "raise.orgRoles.chief: a role of the policy"],
    [
      "what a role grants",
      { raise: { projectRoles: { editor: { "doc.read": "own" } } } },
      "raise.projectRoles.editor.doc.read: at least what the role grants already",
    ],
    [
      "what a role grants whatever holds",
      { raise: { projectRoles: { keeper: { "doc.read": { reach: "all", when: "mfa" } } } } },
      "raise.projectRoles.keeper.doc.read: at least what the role grants already",
    ],
    [
      "rows",
      { rows: [{ label: "Read", ask: "others", permissions: ["doc.read"] }] },
      "rows[0].ask: own, as this row asks already",
    ],
  ])("says what it expects of %s", (_, extension, problem) => {
    expect(said(policy.extend, extension)).toEqual([problem]);
  });
});
