import { describe, expect, it } from "vitest";
import { definePolicy, matrix, type Policy, standardPolicy, toMarkdown } from "../../src/policy/index.js";

const table = `
| | owner | admin | member | none |
|---|---|---|---|---|
| Create projects | yes | no | no | no |
| View project | yes | own | own | no |
| Edit project settings | yes | yes | no | no |
| Delete project | yes | no | no | no |
| View project members | yes | yes | no | no |
| Add project members | yes | yes | no | no |
| Edit member roles | yes | yes | no | no |
| Create & manage own keys | yes | yes | yes | no |
| Manage all keys in a project | yes | yes | no | no |
| Manage keys across all projects | yes | no | no | no |
| Billing & credits | yes | no | no | no |
| Manage organization members | yes | no | no | no |
| External keys (BYOK) | yes | no | no | no |
| Virtual models | yes | no | no | no |
| MCP servers | yes | no | no | no |
| Prompt management | yes | no | no | no |
`.trim();

describe("the standard policy", () => {
  it("is the table written out here, cell by cell", () => {
    expect(toMarkdown(matrix(standardPolicy))).toBe(table);
  });

  it("has every permission in a row that governs it", () => {
    const governed = new Set(standardPolicy.spec.rows.flatMap(({ permissions }) => permissions));
    expect([...governed].sort()).toEqual(Object.keys(standardPolicy.spec.permissions).sort());
  });

  it("gives nothing to somebody who is only in the org", () => {
    expect(Object.values(standardPolicy.spec.orgRoles.member)).toEqual([]);
  });
});

it("a matrix is what the policy answers, not what its spec says", () => {
  const closed: Policy = { ...standardPolicy, authorize: () => ({ allowed: false, reason: "not_granted" }) };
  const cells = matrix(closed).rows.flatMap((row) => row.cells);
  expect(new Set(cells)).toEqual(new Set(["no"]));
  expect(cells).toHaveLength(64);
});

it("a matrix is of orgs and projects that no cap names, whatever the caps name", () => {
  const capped = standardPolicy.extend({
    caps: {
      org: { at: "org", orgIds: ["org"], permissions: ["project.create"] },
      project: { at: "project", projects: [{ orgId: "org", projectId: "here" }], permissions: ["key.view"] },
    },
  });
  expect(toMarkdown(matrix(capped))).toBe(table);
});

describe("each way to ask", () => {
  const policy = definePolicy({
    permissions: { audit: "org", open: "project", note: "owned" },
    orgRoles: {
      base: {},
      auditor: { audit: "all" },
      reader: { open: "all", note: "all" },
      writer: { note: "own" },
    },
    projectRoles: { guest: { open: "all", note: "own" }, lead: { open: "all", note: "all" } },
    baseOrgRole: "base",
    rows: [
      { label: "org", ask: "org", permissions: ["audit"] },
      { label: "project", ask: "project", permissions: ["open"] },
      { label: "anyProject", ask: "anyProject", permissions: ["open"] },
      { label: "own", ask: "own", permissions: ["note"] },
      { label: "others", ask: "others", permissions: ["note"] },
      { label: "othersElsewhere", ask: "othersElsewhere", permissions: ["note"] },
      { label: "owned", ask: "owned", permissions: ["note"] },
    ],
  });

  it.each([
    ["org", { auditor: "yes", reader: "no", writer: "no", guest: "no", lead: "no", none: "no" }],
    ["project", { auditor: "no", reader: "yes", writer: "no", guest: "yes", lead: "yes", none: "no" }],
    ["anyProject", { auditor: "no", reader: "yes", writer: "no", guest: "own", lead: "own", none: "no" }],
    ["own", { auditor: "no", reader: "yes", writer: "yes", guest: "yes", lead: "yes", none: "no" }],
    ["others", { auditor: "no", reader: "yes", writer: "no", guest: "no", lead: "yes", none: "no" }],
    ["othersElsewhere", { auditor: "no", reader: "yes", writer: "no", guest: "no", lead: "no", none: "no" }],
    ["owned", { auditor: "no", reader: "yes", writer: "own", guest: "own", lead: "yes", none: "no" }],
  ])("%s", (label, wanted) => {
    const { columns, rows } = matrix(policy);
    const cells = rows.find((row) => row.label === label)?.cells ?? [];
    expect(Object.fromEntries(columns.map((column, index) => [column, cells[index]]))).toEqual(wanted);
  });
});

describe("nothing is hidden", () => {
  it("a row splits into one per distinct answer", () => {
    const policy = standardPolicy.extend({
      raise: { orgRoles: { member: { "audit.view": "all", "orgMember.view": "all" } } },
    });
    const rows = matrix(policy).rows.filter(({ label }) => label.startsWith("Manage organization members"));
    expect(rows).toEqual([
      {
        label:
          "Manage organization members (org.view, org.update, org.delete, orgMember.add, orgMember.setRole, " +
          "orgMember.remove, invitation.create, invitation.view, invitation.revoke)",
        cells: ["yes", "no", "no", "no"],
      },
      {
        label: "Manage organization members (orgMember.view, audit.view)",
        cells: ["yes", "yes", "yes", "yes"],
      },
    ]);
  });

  it("a permission that no row governs has a row of its own", () => {
    const policy = standardPolicy.extend({
      permissions: { "report.read": "owned", "report.plan": "project", "report.buy": "org" },
      raise: {
        orgRoles: { owner: { "report.buy": "all" } },
        projectRoles: {
          admin: { "report.read": "all", "report.plan": "all" },
          member: { "report.read": "own" },
        },
      },
    });
    expect(matrix(policy).rows.slice(16)).toEqual([
      { label: "report.read", cells: ["no", "yes", "own", "no"] },
      { label: "report.plan", cells: ["no", "own", "no", "no"] },
      { label: "report.buy", cells: ["yes", "no", "no", "no"] },
    ]);
  });

  it("a policy without rows has one for each permission", () => {
    const policy = definePolicy({
      permissions: { audit: "org" },
      orgRoles: { boss: { audit: "all" }, base: {} },
      baseOrgRole: "base",
    });
    expect(toMarkdown(matrix(policy))).toBe("| | boss | none |\n|---|---|---|\n| audit | yes | no |");
  });

  it("two roles of one name are told apart, and from `none`", () => {
    const policy = standardPolicy.extend({ orgRoles: { admin: {}, none: {} } });
    expect(matrix(policy).columns).toEqual([
      "owner",
      "org admin",
      "org none",
      "project admin",
      "member",
      "none",
    ]);
  });
});

it("renders any labels as cells of one line", () => {
  const odd = { columns: ["a|b", "c\\"], rows: [{ label: "x\\|\r\ny", cells: ["yes", "no"] as const }] };
  expect(toMarkdown(odd)).toBe("| | a\\|b | c\\\\ |\n|---|---|---|\n| x\\\\\\| y | yes | no |");
});
