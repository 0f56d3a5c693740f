import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";

const example = fileURLToPath(new URL("../../examples/custom-policy/", import.meta.url));
const generated = fileURLToPath(new URL("./.generated/", import.meta.url));
const source = readFileSync(`${example}policy.ts`, "utf8");

type Test = () => void | Promise<void>;

/** The tests that the example's own file registers, with its policy or with another in its place. */
async function testsOf(policyFile?: string): Promise<Map<string, Test>> {
  const tests = new Map<string, Test>();
  vi.resetModules();
  vi.doMock("node:test", () => ({ test: (name: string, run: Test) => void tests.set(name, run) }));
  if (policyFile !== undefined) {
    vi.doMock("../../examples/custom-policy/policy.js", () => import(/* @vite-ignore */ policyFile));
  }
  await import("../../examples/custom-policy/policy.test.js");
  return tests;
}

afterEach(() => {
  vi.doUnmock("node:test");
  vi.doUnmock("../../examples/custom-policy/policy.js");
});
afterAll(() => rmSync(generated, { recursive: true, force: true }));

it("the example's tests pass", async () => {
  const tests = await testsOf();
  expect(tests.size).toBe(4);
  for (const run of tests.values()) await run();
});

/** What somebody may do to the policy by mistake: what they write instead of what, and the cell that the proof then names. */
const holes: readonly (readonly [name: string, from: string, to: string, cell: string])[] = [
  [
    "an auditor may revoke keys",
    '"key.view": "all", "usage.view": "all" }',
    '"key.view": "all", "usage.view": "all", "key.revoke": "all" }',
    "an org auditor, without mfa asks for key.revoke on what is their own in the project: allowed by org:auditor/key.revoke",
  ],
  [
    "money moves without a second factor",
    '"billing.manage": { reach: "all", when: "mfa" }',
    '"billing.manage": "all"',
    "an org billing, without mfa asks for billing.manage on their org: allowed by org:billing/billing.manage",
  ],
  [
    "the freeze forgets rotation",
    '["key.create", "key.rotate"]',
    '["key.create"]',
    "an org owner, without mfa asks for key.rotate on what is their own in the project checkout: allowed by org:owner/key.rotate",
  ],
  [
    "a second factor lifts the freeze",
    '["key.create", "key.rotate"],',
    '["key.create", "key.rotate"], unless: "mfa",',
    "an org owner, with mfa asks for key.create on what is their own in the project checkout: allowed by org:owner/key.create",
  ],
  [
    "the freeze stops revocation, too",
    '["key.create", "key.rotate"]',
    '["key.create", "key.rotate", "key.revoke"]',
    "an org owner, without mfa asks for key.revoke on what is their own in the project checkout: denied (capped by cap:freeze)",
  ],
  [
    "members see each other's usage",
    'projectRoles: { admin: { "budget',
    'projectRoles: { member: { "usage.view": "all" }, admin: { "budget',
    "an org member who is member of the project, without mfa asks for usage.view on what is somebody else's in the project: allowed by project:member/usage.view",
  ],
  [
    "everybody in the org sees every project",
    "raise: {\n    orgRoles: {",
    'raise: {\n    orgRoles: { member: { "project.view": "all" },',
    "an org member, without mfa asks for project.view on the project: allowed by org:member/project.view",
  ],
  [
    "a project member raises the budget",
    "projectRoles: { admin:",
    'projectRoles: { member: { "budget.raise": { reach: "all", when: "mfa" } }, admin:',
    "an org member who is member of the project, with mfa asks for budget.raise on the project: allowed by project:member/budget.raise",
  ],
];

describe("with a hole in its policy the example's test fails, and names the cell:", () => {
  it.each(holes.map((hole, at) => [...hole, at] as const))("%s", async (_, from, to, cell, at) => {
    expect(source.split(from)).toHaveLength(2);
    mkdirSync(generated, { recursive: true });
    const file = `${generated}hole-${at}.ts`;
    writeFileSync(file, source.replace(from, to));
    const tests = await testsOf(file);
    expect(tests.get("the policy is what we say it is, on every cell")).toThrow(cell);
  });
});
