import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");

/** What a gateway author writes: two extensions, one on the other, and questions to the result. */
const EXTENDED_TWICE = `
const first = standardPolicy.extend({
  permissions: { "report.read": "owned", "budget.raise": "project", "region.set": "org" },
  conditions: { mfa: "a second factor", officeHours: "office hours" },
  orgRoles: {
    auditor: { "audit.view": { reach: "all", when: "mfa" }, "report.read": "all", "usage.view": "all" },
    billing: { "billing.view": "all", "billing.manage": { reach: "all", when: "mfa" } },
  },
  projectRoles: { viewer: { "project.view": "all", "report.read": { reach: "all", when: "mfa", otherwise: "own" } } },
  raise: { orgRoles: { owner: { "report.read": "all", "region.set": "all" } }, projectRoles: { admin: { "budget.raise": "all" } } },
});
const second = first.extend({
  permissions: { "incident.close": "project" },
  orgRoles: { responder: { "incident.close": "all" } },
  raise: { projectRoles: { viewer: { "incident.close": { reach: "all", when: "officeHours" } } } },
  caps: { freeze: { at: "project", projects: [{ orgId: "o", projectId: "p" }], permissions: ["key.create", "incident.close"], unless: "mfa" } },
});
export const verdict = second.authorize({ userId: "u", orgId: "o", projectRoles: {} }, "incident.close", { orgId: "o", projectId: "p" }, { mfa: true });
`;

const parsed = new Map<string, ts.SourceFile | undefined>();

/** How often the compiler instantiates a type to check some lines that follow an import of the standard policy. */
function instantiationsOf(lines: string): number {
  const file = resolve(root, "test/policy/in-memory.ts");
  const { config } = ts.readConfigFile(resolve(root, "tsconfig.json"), (path) => readFileSync(path, "utf8"));
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);
  const text = `import { standardPolicy } from "../../src/policy/index.js";\n${lines}`;
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, version) => {
    if (name === file) return ts.createSourceFile(name, text, version);
    if (!parsed.has(name)) parsed.set(name, getSourceFile(name, version));
    return parsed.get(name);
  };
  const program = ts.createProgram([file], options, host);
  const found = program.getSemanticDiagnostics(program.getSourceFile(file));
  expect(found.map(({ messageText }) => messageText)).toEqual([]);
  return program.getInstantiationCount();
}

it("two extensions of the standard policy take few instantiations of types", { timeout: 120_000 }, () => {
  const alone = instantiationsOf("export const policy = standardPolicy;");
  const extended = instantiationsOf(EXTENDED_TWICE) - alone;
  // 6,902 with TypeScript 6.0. The bound leaves room for another version of the compiler, and none for a type that is
  // worked out anew for each pair of permissions: the 37 of this policy would be 1,369 pairs, in each of two extensions.
  expect(extended).toBeGreaterThan(1_000);
  expect(extended).toBeLessThan(10_000);
});
