import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import { firstBeyond } from "../../src/policy/assignment.js";
import {
  definePolicy,
  type Policy,
  type PolicySpec,
  type Principal,
  standardPolicy,
} from "../../src/policy/index.js";
import { anyString } from "../any-string.js";

const hostileIds = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "",
  " ",
  "x".repeat(10_000),
  "\ud800",
  "\udc00",
  "web\u0000",
  "WEB",
];

const policy: Policy = standardPolicy;
const member: Principal = { userId: "mia", orgId: "acme", orgRole: "member", projectRoles: { web: "admin" } };
const web = { orgId: "acme", projectId: "web", userId: "bob" };

/** Like an object literal, but `__proto__` becomes a property of the object's own, as from JSON. */
const record = (...entries: [string, string][]): Record<string, string> =>
  JSON.parse(
    `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`,
  );

const anyId = fc.oneof(fc.constantFrom(...hostileIds), anyString({ maxLength: 20 }));
const notIn = (...ids: string[]) => anyId.filter((id) => !ids.includes(id));

describe("a hostile id gains nothing and throws nothing", () => {
  const denied = (principal: Principal, permission: string, resource: typeof web): void => {
    expect(policy.authorize(principal, permission, resource).allowed).toBe(false);
  };

  it("as a permission", () => {
    fc.assert(fc.property(anyId, (id) => denied({ ...member, orgRole: "owner" }, id, web)));
  });

  it("as the org, the project or the user that is asked about", () => {
    fc.assert(
      fc.property(notIn("acme"), notIn("web"), notIn("mia"), (orgId, projectId, userId) => {
        denied({ ...member, orgRole: "owner" }, "key.view", { ...web, orgId });
        denied(member, "project.view", { ...web, projectId });
        denied({ ...member, projectRoles: { web: "member" } }, "key.view", { ...web, userId });
      }),
    );
  });

  it.each([undefined, null])("as roles in projects that are %s: they are none", (projectRoles) => {
    const target = { ...member, userId: "tom" };
    for (const orgRole of ["owner", "member", "guest"]) {
      const none = { ...member, orgRole, projectRoles: {} };
      const broken = { ...none, projectRoles } as unknown as Principal; // as plain JavaScript may give it
      for (const permission of Object.keys(policy.spec.permissions)) {
        expect(policy.authorize(broken, permission, web)).toBe(policy.authorize(none, permission, web));
        expect(policy.visible(broken, permission)).toEqual(policy.visible(none, permission));
      }
      const role = { projectId: "web", projectRole: "member" };
      expect(policy.canAssign(broken, target, role)).toEqual(policy.canAssign(none, target, role));
      const brokenTarget = { ...broken, userId: "tom" };
      const owner = { ...member, orgRole: "owner" };
      expect(policy.canAssign(owner, brokenTarget, role)).toEqual(
        policy.canAssign(owner, { ...none, userId: "tom" }, role),
      );
    }
  });

  it.each([undefined, null])("as a principal that is %s: somebody whom no directory knows", (nobody) => {
    const principal = nobody as unknown as Principal; // as plain JavaScript may give it
    for (const permission of Object.keys(policy.spec.permissions)) {
      const verdict = policy.authorize(principal, permission, web);
      expect(verdict).toMatchObject({ allowed: false, reason: "not_in_org" });
      expect(policy.visible(principal, permission)).toEqual({ projectIds: [], own: false });
    }
    const role = { orgRole: "member" };
    const owner = { ...member, orgRole: "owner" };
    for (const [actor, target] of [
      [owner, principal],
      [principal, owner],
    ] as const) {
      expect(policy.canAssign(actor, target, role)).toEqual({ allowed: false, reason: "not_in_org" });
    }
  });

  it("as a role in the org or in a project", () => {
    fc.assert(
      fc.property(notIn("owner", "member"), notIn("admin", "member"), (orgRole, projectRole) => {
        denied({ ...member, orgRole }, "key.view", web);
        denied({ ...member, projectRoles: { web: projectRole } }, "key.view", web);
      }),
    );
  });

  it("as a project that one was added to: it is that project and no other", () => {
    fc.assert(
      fc.property(anyId, anyId, (added, asked) => {
        const principal = { ...member, projectRoles: record([added, "admin"]) };
        const verdict = policy.authorize(principal, "key.view", { ...web, projectId: asked });
        expect(verdict.allowed).toBe(added === asked && asked !== "");
        const seen = policy.visible(principal, "key.view");
        expect(seen).toEqual({ projectIds: added === "" ? [] : [added], own: false });
      }),
    );
  });

  it("as the project of a key", () => {
    fc.assert(
      fc.property(notIn("web"), (projectId) => {
        denied({ ...member, orgRole: "owner", via: { keyId: "k", projectId } }, "key.view", web);
      }),
    );
  });

  it("as the principal's own ids, which no resource can have when they are empty", () => {
    const nobody = { userId: "", orgId: "", orgRole: "owner", projectRoles: { "": "admin" } };
    denied(nobody, "key.view", { orgId: "", projectId: "", userId: "" });
    denied(nobody, "project.create", { orgId: "", projectId: "web", userId: "" });
  });

  it("in roles that an object inherits", () => {
    const inherited: Record<string, string> = Object.create({ web: "admin" });
    denied({ ...member, projectRoles: inherited }, "project.view", web);
    expect(policy.visible({ ...member, projectRoles: inherited }, "project.view")).toMatchObject({
      projectIds: [],
    });
  });

  it("in a polluted Object.prototype", () => {
    Object.defineProperty(Object.prototype, "ops", { value: "admin", configurable: true });
    try {
      denied(member, "project.view", { ...web, projectId: "ops" });
    } finally {
      Reflect.deleteProperty(Object.prototype, "ops");
    }
  });
});

describe("the name `undefined` is a name, and not what is left out", () => {
  const all = { "doc.read": "all" } as const;
  const caps: PolicySpec["caps"] = {
    freeze: { at: "org", permissions: ["doc.burn"] },
    web: { at: "project", projects: [{ orgId: "acme", projectId: "web" }], permissions: ["doc.read"] },
  };
  const odd: Policy = definePolicy({
    permissions: { "doc.read": "project", "doc.burn": "project", "org.audit": "org" },
    orgRoles: { base: {}, undefined: { ...all, "doc.burn": "all", "org.audit": "all" } },
    projectRoles: { undefined: all },
    conditions: { undefined: "whatever it is" },
    caps,
    baseOrgRole: "base",
  } as const satisfies PolicySpec as PolicySpec);
  const newcomer: Principal = { userId: "ned", orgId: "acme", projectRoles: {} };
  const base: Principal = { ...newcomer, userId: "bea", orgRole: "base" };
  const named: Principal = { ...newcomer, userId: "una", orgRole: "undefined" };

  it("of an org role: who has none does not have that one", () => {
    expect(firstBeyond(odd.spec, [newcomer], named)).toBe("doc.read");
    const waiting: Principal = { ...newcomer, projectRoles: { ml: "undefined" } };
    expect(odd.canAssign(base, waiting, { orgRole: "base" })).toMatchObject({ projectId: "ml" });
  });

  it("of a project role, and of a project", () => {
    const inWeb: Principal = { ...base, projectRoles: { web: "undefined" } };
    expect(firstBeyond(odd.spec, [base], inWeb, "web")).toBe("doc.read");
    const there: Principal = { ...base, projectRoles: { undefined: "undefined" } };
    expect(firstBeyond(odd.spec, [there], named)).toBe("doc.read");
  });

  it("of a condition: it lifts no cap that nothing lifts", () => {
    const conditions = { undefined: true };
    expect(odd.authorize(named, "doc.burn", web, conditions)).toStrictEqual({
      allowed: false,
      reason: "capped",
      by: "cap:freeze",
    });
    expect(odd.visible(named, "doc.read", conditions)).toMatchObject({ allBut: ["web"] });
  });
});

describe("a hostile spec", () => {
  it("with names that every object inherits is a policy like any other", () => {
    const spec: PolicySpec = JSON.parse(`{
      "permissions": { "constructor": "owned", "toString": "org" },
      "orgRoles": { "valueOf": { "toString": "all" }, "hasOwnProperty": {} },
      "projectRoles": { "constructor": { "constructor": "own" } },
      "baseOrgRole": "hasOwnProperty"
    }`);
    const odd: Policy = definePolicy(spec);
    const base = { ...member, orgRole: "hasOwnProperty" };
    expect(odd.authorize(base, "toString", web).allowed).toBe(false);
    expect(odd.authorize({ ...base, orgRole: "valueOf" }, "toString", web).allowed).toBe(true);
    expect(odd.authorize({ ...base, orgRole: "valueOf" }, "constructor", web).allowed).toBe(false);
    expect(odd.authorize({ ...base, orgRole: "toString" }, "toString", web).allowed).toBe(false);
    const builder = { ...base, projectRoles: { web: "constructor" } };
    expect(odd.authorize(builder, "constructor", web).allowed).toBe(false);
    expect(odd.authorize(builder, "constructor", { ...web, userId: "mia" }).allowed).toBe(true);
  });

  it.each([
    ["permissions", '{"permissions":{"__proto__":"org"},"orgRoles":{"a":{}},"baseOrgRole":"a"}'],
    [
      "orgRoles",
      '{"permissions":{"p":"org"},"orgRoles":{"__proto__":{"p":"all"}},"baseOrgRole":"__proto__"}',
    ],
    [
      "orgRoles.a",
      '{"permissions":{"p":"org"},"orgRoles":{"a":{"__proto__":{"p":"all"}}},"baseOrgRole":"a"}',
    ],
  ])("with `__proto__` in %s is refused", (field, json) => {
    expect(() => definePolicy(JSON.parse(json))).toThrow(ValidationError);
    expect(() => definePolicy(JSON.parse(json))).toThrow(`${field}:`);
  });

  it("of any shape throws a ValidationError and nothing else", () => {
    const throwsOnlyValidationErrors = (make: () => unknown) => {
      try {
        make();
      } catch (error) {
        expect(error).toBeInstanceOf(ValidationError);
      }
    };
    const loose: { definePolicy(spec: unknown): unknown; extend(extension: unknown): unknown } = {
      definePolicy: definePolicy as never, // Sound: plain JavaScript may pass anything.
      extend: policy.extend as never, // As above.
    };
    const part = fc.oneof(fc.anything(), fc.dictionary(anyId, fc.anything()));
    const shaped = fc.record(
      { permissions: part, orgRoles: part, projectRoles: part, baseOrgRole: anyId, rows: part, raise: part },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.anything(), shaped), (input) => {
        throwsOnlyValidationErrors(() => loose.definePolicy(input));
        throwsOnlyValidationErrors(() => loose.extend(input));
      }),
      { numRuns: 500 },
    );
  });
});
