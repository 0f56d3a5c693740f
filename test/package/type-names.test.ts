import { resolve } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");

const LINES = `
import { createGate, limitsSchema, standardPolicy, toJsonSchema } from "../../src/index.js";
export const gate = createGate();
export const policy = standardPolicy;
export const schema = toJsonSchema(limitsSchema);
export const extended = createGate({ policy: standardPolicy.extend({ permissions: { "budget.raise": "project" } }) });
`;

/** What an editor shows of each constant. */
function shown(): Record<string, string> {
  const file = resolve(root, "test/package/in-memory.ts");
  const { config } = ts.readConfigFile(resolve(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, version) =>
    name === file ? ts.createSourceFile(name, LINES, version) : getSourceFile(name, version);
  const program = ts.createProgram([file], options, host);
  const source = program.getSourceFile(file);
  const checker = program.getTypeChecker();
  const module = source && checker.getSymbolAtLocation(source);
  const constants = module ? checker.getExportsOfModule(module) : [];
  return Object.fromEntries(
    constants.map((constant) => [constant.name, checker.typeToString(checker.getTypeOfSymbol(constant))]),
  );
}

it("an editor, and a declaration file, name by words of ours the permissions of a gate and a policy, and a JSON Schema", {
  timeout: 120_000,
}, () => {
  const { gate, policy, schema, extended } = shown();
  expect(schema).toBe("JsonSchema");
  expect(gate).toBe("Gate<StandardPermissions>");
  expect(policy).toMatch(/^Policy<StandardPermissions, /);
  expect(extended).toMatch(/^Gate<Extended<StandardPermissions, /);
});
