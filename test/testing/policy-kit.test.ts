import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import {
  type Conditions,
  definePolicy,
  type Kind,
  type Policy,
  type PolicySpec,
  type Principal,
  type Reach,
  type Resource,
  standardPolicy,
} from "../../src/policy/index.js";
import { cellsOf, countOf } from "../../src/testing/policy/cells.js";
import { shapeOf } from "../../src/testing/policy/shape.js";
import {
  type Ask,
  aKey,
  aMember,
  anAdmin,
  anOutsider,
  anOwner,
  aProjectMember,
  type Cell,
  CounterexampleError,
  cells,
  counterexamples,
  diff,
  diffToMarkdown,
  explain,
  idle,
  laws,
  prove,
  snapshot,
  survivors,
  verdictInWords,
} from "../../src/testing.js";
import { anyPolicy, anyQuestion, raisedPolicy } from "../policy/arbitraries.js";

const small = definePolicy({
  permissions: { "doc.read": "owned", "doc.print": "project", "org.audit": "org" },
  orgRoles: {
    base: {},
    boss: { "org.audit": "all", "doc.read": { reach: "all", when: "mfa", otherwise: "own" } },
  },
  projectRoles: { editor: { "doc.read": "all", "doc.print": { reach: "all", when: "mfa" } } },
  conditions: { mfa: "a second factor" },
  caps: {
    hold: { at: "project", projects: [{ orgId: "acme", projectId: "web" }], permissions: ["doc.print"] },
    guard: { at: "org", orgIds: ["acme"], permissions: ["org.audit"], unless: "mfa" },
  },
  baseOrgRole: "base",
});

const messageOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof CounterexampleError) return error.message;
    throw error;
  }
  return "";
};

describe("cells", () => {
  it("are each another question", () => {
    const all = cells(small);
    const questions = all.map(({ principal, permission, resource, conditions }) =>
      JSON.stringify([principal, permission, resource, conditions]),
    );
    expect(new Set(questions).size).toBe(all.length);
  });

  it("have a place for each set of caps that meet, and say which they are", () => {
    const places = new Set(cells(small).map(({ place }) => place));
    expect([...places].map(({ caps }) => caps)).toEqual([[], ["hold", "guard"], ["guard"]]);
  });

  it("take no name that a cap has taken for the place without caps", () => {
    const policy = standardPolicy.extend({
      caps: {
        odd: { at: "project", projects: [{ orgId: "org", projectId: "project" }], permissions: ["key.view"] },
      },
    });
    const [plain, capped] = new Set(cells(policy).map(({ place }) => place));
    expect(plain?.caps).toEqual([]);
    expect(plain?.orgId).not.toBe(capped?.orgId);
  });

  it("read the scopes of each cap a few times, however many it names", () => {
    let read = 0;
    const projects = new Proxy(
      Array.from({ length: 200 }, (_, index) => ({ orgId: "acme", projectId: `p${index}` })),
      {
        get(list, name) {
          if (/^\d+$/.test(String(name))) read++;
          return Reflect.get(list, name);
        },
      },
    );
    const cap = { at: "project", projects, permissions: ["doc.print"] } as const;
    const all = [...cellsOf({ ...shapeOf(small), caps: [["hold", cap]] })];
    expect(new Set(all.map(({ place }) => place.projectId))).toEqual(new Set(["project", "p0"]));
    expect(read).toBeLessThanOrEqual(4 * projects.length);
  });

  it("are counted before there is any", () => {
    fc.assert(
      fc.property(anyPolicy, (policy) => {
        expect(countOf(shapeOf(policy))).toBe(cells(policy).length);
      }),
    );
  });

  it("are refused where they are more than ten million, and so are claims about them", () => {
    const roles = Object.fromEntries(Array.from({ length: 90 }, (_, i) => [`role${i}`, {}]));
    const policy: Policy = standardPolicy.extend({
      projectRoles: roles,
      conditions: { mfa: "a second factor", onsite: "at a desk of ours" },
    });
    const never = () => {
      throw new Error("a cell was looked at");
    };
    const count = countOf(shapeOf(policy));
    expect(count).toBeGreaterThan(10_000_000);
    for (const run of [
      () => cells(policy),
      () => prove(policy, { never }),
      () => counterexamples(policy, { never }),
      () => survivors(policy, { never }),
    ]) {
      expect(run).toThrow(ValidationError);
      expect(run).toThrow(
        `policy: at most 10000000 cells, and there are ${count}, from permissions (33), org roles (2), project roles (92, ` +
          "squared), places that are capped differently (1) and combinations of conditions (4); prove claims about a smaller policy",
      );
    }
  });

  it("begin with the simplest", () => {
    const [first] = cells(standardPolicy);
    expect(first).toMatchObject({
      orgRole: "member",
      projectRole: null,
      otherProjectRole: null,
      key: null,
      sameOrg: true,
    });
  });
});

describe("prove", () => {
  it("says the first counterexample as a person would, and how many there are", () => {
    const message = messageOf(() =>
      prove(small, { "nobody prints": { denied: { permission: "doc.print" } } }),
    );
    expect(message).toBe(
      "does not hold: nobody prints\n" +
        "  an org base who is editor of the project, with mfa asks for doc.print on the project: " +
        "allowed by project:editor/doc.print\n  and 7 more of 1584 cells",
    );
  });

  it("names every claim that does not hold, and none that does", () => {
    const message = messageOf(() =>
      prove(small, {
        "a boss audits": { allowed: { permission: "org.audit", orgRole: "boss" } },
        "only a boss audits": { of: { permission: "org.audit" }, onlyIf: { orgRole: "boss" } },
        "everybody reads": { allowed: { permission: "doc.read" } },
      }),
    );
    expect(message).toContain(
      "does not hold: a boss audits\n  an org boss, without mfa asks for org.audit on the org acme",
    );
    expect(message).toContain("denied (capped by cap:guard, needs mfa)");
    expect(message).toContain("does not hold: everybody reads");
    expect(message).not.toContain("only a boss");
  });

  it("takes a condition that is said not to hold for one that does not", () => {
    const boss = { permission: "doc.read", orgRole: "boss", projectRole: null, own: false } as const;
    prove(small, {
      "without a second factor, a boss reads what is their own": {
        denied: { ...boss, conditions: { mfa: false } },
      },
      "with one, a boss reads everything": { allowed: { ...boss, conditions: { mfa: true } } },
    });
    const wrong = { allowed: { ...boss, conditions: { mfa: false } } };
    expect(messageOf(() => prove(small, { wrong }))).toContain("an org boss, without mfa asks for doc.read");
  });

  it("refuses a claim that matches no cell, which any policy would pass", () => {
    const vacuous = { "an own org": { denied: { kind: "org", own: true } } } as const;
    expect(messageOf(() => prove(small, vacuous))).toContain("it matches no cell");
    expect(messageOf(() => prove(small, { none: { allowed: [] } }))).toContain("it matches no cell");
  });

  it("refuses a claim of several patterns of which one matches no cell", () => {
    const reads = { permission: "doc.read", orgRole: "base", projectRole: null } as const;
    const claim = { denied: [reads, { permission: "org.audit", orgRole: "boss", own: true }] } as const;
    for (const one of [claim, { of: claim.denied, onlyIf: { orgRole: "boss" } }] as const) {
      expect(messageOf(() => prove(small, { "as I say": one }))).toBe(
        "does not hold: as I say\n  pattern 2 of 2 matches no cell",
      );
    }
    expect(prove(small, { "as I say": { denied: [reads, reads] } }).cells).toBeGreaterThan(0);
  });

  it("looks at permissions about the org also where it is said which role somebody has in another project", () => {
    const who = { orgRole: "boss", projectRole: null, otherProjectRole: "editor" } as const;
    const permission = ["org.audit", "doc.print"] as const;
    const audits = "asks for org.audit on their org: allowed by org:boss/org.audit";
    const denied = { denied: { permission, ...who } };
    expect(messageOf(() => prove(small, { "an editor elsewhere does neither": denied }))).toContain(audits);
    const only = {
      of: { permission: "org.audit" },
      onlyIf: { orgRole: "boss", otherProjectRole: null },
    } as const;
    expect(messageOf(() => prove(small, { "bosses who edit nothing": only }))).toContain(audits);
  });

  it("takes no claim from JavaScript that the compiler would refuse, and nothing but true for true", () => {
    const proved = (claim: unknown) => () => prove(standardPolicy, { "as I say": claim as never });
    expect(proved({ allow: {} })).toThrow('claims["as I say"]: a function, or an object with allowed');
    expect(proved({ denied: { permission: ["key.create", "key.rotat"], orgRole: null } })).toThrow(
      /^claims\["as I say"\]\.denied\.permission: one of project\.create, .*, prompt\.manage, not "key\.rotat"$/,
    );
    expect(proved({ of: { orgRole: "ownr" }, onlyIf: () => true })).toThrow(
      ".of.orgRole: one of owner, member",
    );
    expect(proved({ denied: [{ conditions: { mfa: true } }] })).toThrow(".denied.conditions: one of ");
    const mfa = standardPolicy.extend({ conditions: { mfa: "a second factor" } });
    const held = { "as I say": { denied: [{ conditions: { mfa: 1 } }, { orgRole: null }] } } as never;
    expect(() => prove(mfa, held)).toThrow('claims["as I say"].denied.conditions: true or false for each');
    const none = { "as I say": { of: {}, onlyIf: { conditions: null } } } as never;
    expect(() => prove(mfa, none)).toThrow('claims["as I say"].onlyIf.conditions: true or false for each');
    for (const answer of [1, Promise.resolve(true)])
      expect(proved(() => answer)).toThrow(CounterexampleError);
    expect(proved({ denied: { orgRole: [null], projectRole: null } })).not.toThrow();
  });

  it("refuses a question about a cell that differs in what is no fact, which would be asked as it is", () => {
    for (const change of [{ orgrole: null }, { projectRole: null, caps: [] }, { kind: "org" }]) {
      const claim = (_: Cell, ask: Ask) => ask().allowed === ask(change as object).allowed;
      expect(() => prove(standardPolicy, { "as I say": claim as never })).toThrow(
        new ValidationError([
          {
            field: `ask.${Object.keys(change).at(-1)}`,
            expected:
              "one of permission, orgRole, projectRole, otherProjectRole, key, sameOrg, own, conditions, without",
          },
        ]),
      );
    }
  });

  it.each(["allowed", "denied", "of", "onlyIf", "exactlyIf"])(
    "refuses a function in %s that does not return true or false, as an async one",
    (part) => {
      for (const answer of [Promise.resolve(false), 1, undefined]) {
        const claim = {
          ...(/If$/.test(part) && { of: {} }),
          ...(part === "of" && { onlyIf: {} }),
          [part]: () => answer,
        };
        const run = () => prove(small, { "as I say": claim as never });
        expect(run).toThrow(ValidationError);
        expect(run).toThrow(`claims["as I say"].${part}: a function that returns true or false`);
      }
    },
  );

  it("refuses a claim of which a part would be passed over", () => {
    const proved = (claim: unknown) => () => prove(small, { "as I say": claim as never });
    const forms = 'claims["as I say"]: a function, or an object with allowed, denied, or of and';
    const audits = { permission: "org.audit", orgRole: "boss", caps: [] } as const;
    expect(proved({ allowed: audits, denied: audits })).toThrow(forms);
    expect(proved({ of: {}, onlyIf: {}, exactlyIf: audits })).toThrow(forms);
    expect(proved({ of: audits, denied: {} })).toThrow(forms);
    expect(proved({ onlyIf: audits })).toThrow(forms);
    expect(proved({ allowed: audits, denied: undefined })).not.toThrow();
    expect(proved({ allowed: undefined, denied: { orgRole: null } })).not.toThrow();
    expect(proved({ allowed: undefined, of: audits, sameAs: undefined, onlyIf: audits })).not.toThrow();
  });

  it.each<[string, object | string, string]>([
    ["a fact that no cell has", { permision: "org.audit" }, ".permision: one of permission, kind, orgRole, "],
    ["a key that there is not", { key: "her" }, ".key: one of here, elsewhere, null"],
    ["no role where there is always one", { kind: null }, ".kind: one of org, project, owned"],
    ["the name of a permission alone", "org.audit", ": a pattern, a list of them, or a function"],
  ])("refuses %s, also beside a pattern that is right", (_, odd, expected) => {
    const right = { permission: "org.audit", orgRole: "base" };
    expect(() => prove(small, { claim: { denied: [right, odd] as never } })).toThrow(
      `claims["claim"].denied${expected}`,
    );
  });

  it("takes what is undefined in a pattern for what is left out", () => {
    const left = { sameOrg: undefined, key: undefined, orgRole: undefined } as object;
    const denied = {
      permission: "org.audit",
      projectRole: "editor",
      conditions: { mfa: undefined },
    } as const;
    const found = (more: object) => counterexamples(small, { nobody: { denied: { ...denied, ...more } } });
    expect(found({})[0]?.cell?.orgRole).toBe("boss");
    expect(found(left)).toEqual(found({}));
  });

  describe("of the same answers as another policy, also looks at what only the other has:", () => {
    const found = (policy: Policy, other: Pick<Policy, "authorize">, of: object = {}) =>
      counterexamples(policy, { same: { of, sameAs: other } }).map(({ words, count }) => ({ words, count }));
    const frozen = small.extend({
      caps: {
        freeze: { at: "project", projects: [{ orgId: "acme", projectId: "ml" }], permissions: ["doc.read"] },
      },
    });

    it("a cap, by no name that the claim could have", () => {
      const words =
        "an org boss, without mfa asks for doc.read on what is their own in the project ml: allowed by org:boss/doc.read";
      expect(found(small, frozen, () => true)).toEqual([{ words, count: diff(frozen, small).gained }]);
      expect(found(small, frozen, { permission: "doc.read", caps: "guard" })[0]?.words).toBe(words);
      expect(found(small, frozen, { permission: "doc.print" })).toEqual([]);
      expect(found(frozen, small, { caps: [] })).toEqual([]);
      expect(found(frozen, small)).toHaveLength(1);
    });

    it("a cap of the same id somewhere else", () => {
      const moved = small.extend({
        caps: {
          freeze: {
            at: "project",
            projects: [{ orgId: "acme", projectId: "tv" }],
            permissions: ["doc.read"],
          },
        },
      });
      expect(found(frozen, moved, { caps: "freeze" })[0]?.words).toContain("in the project ml: denied");
      const elsewhere = ({ caps }: Cell) => !caps.includes("freeze");
      expect(found(frozen, moved, elsewhere)[0]?.words).toContain("in the project tv: allowed");
    });

    it("a condition", () => {
      const late = small.extend({
        conditions: { night: "after ten" },
        raise: { orgRoles: { base: { "doc.print": { reach: "all", when: "night" } } } },
      });
      expect(found(small, late)[0]?.words).toBe(
        "an org base, without mfa, with night asks for doc.print on the project: denied (not_granted)",
      );
    });

    it("a role, a permission, or the holder of what a permission is about", () => {
      const more = small.extend({ projectRoles: { reader: { "doc.read": "all" } } });
      expect(found(small, more)[0]?.words).toContain("reader of the project, without mfa asks for doc.read");
      const burning = small.extend({
        permissions: { "doc.burn": "project" },
        raise: { orgRoles: { boss: { "doc.burn": "all" } } },
      });
      expect(found(small, burning)[0]?.words).toContain(
        "doc.burn on the project: denied (unknown_permission)",
      );
      const docs = (kind: Kind, reach: Reach): Policy =>
        definePolicy({
          permissions: { "doc.read": kind },
          orgRoles: { base: { "doc.read": reach as "all" } }, // Sound: each reach below is one of its kind.
          baseOrgRole: "base",
        });
      expect(found(docs("project", "none"), docs("owned", "own"))).toMatchObject([{ count: 1 }]);
      expect(found(docs("org", "none"), docs("project", "all"))).toMatchObject([{ count: 1 }]);
    });

    it("so that it holds exactly where a comparison of the two finds nothing", () => {
      fc.assert(
        fc.property(raisedPolicy, ({ before: { spec }, after }) => {
          const before: Policy = definePolicy({ ...spec, caps: {} });
          const { gained, lost } = diff(before, after);
          expect(found(before, after).length + found(after, before).length).toBe(gained + lost > 0 ? 2 : 0);
        }),
      );
    });

    it("but for what can only be asked, which has the cells of the policy", () => {
      const { authorize } = frozen;
      expect(found(small, { authorize })).toEqual([]);
      expect(prove(small, { same: { of: {}, sameAs: small } }).cells).toBe(countOf(shapeOf(small)));
    });
  });

  it("finds by a law that a role in a project reaches the org", () => {
    const law = "a project role never reaches another project, nor the org";
    const broken: typeof small = {
      ...small,
      authorize: (who, ...asked) =>
        asked[0] === "org.audit" && Object.values(who.projectRoles).includes("editor")
          ? { allowed: true, by: "project:editor/org.audit" }
          : small.authorize(who, ...asked),
    };
    // In another project, too, so that only the second half of the law speaks of it.
    const elsewhere = (cell: Cell, ask: Parameters<(typeof laws)[typeof law]>[1]) =>
      cell.otherProjectRole !== null || laws[law](cell, ask);
    expect(counterexamples(small, { [law]: elsewhere })).toEqual([]);
    expect(counterexamples(broken, { [law]: elsewhere })).toMatchObject([{ claim: law }]);
  });

  it("takes functions, which may ask about other cells", () => {
    prove(small, {
      "bosses do what bases do": (_, ask) =>
        !ask({ orgRole: "base" }).allowed || ask({ orgRole: "boss" }).allowed,
    });
    const [found] = counterexamples(small, {
      "an org role is all": (_, ask) => !ask().allowed || ask({ projectRole: null }).allowed,
    });
    expect(found?.words).toContain("allowed by project:editor/doc.read");
    expect(found?.cell?.projectRole).toBe("editor");
  });

  it("asks from a permission about the org for one about a project in each that is capped differently", () => {
    const audit = (cell: Cell) => cell.permission === "org.audit" && cell.conditions.mfa === true;
    const claims = {
      "who audits and edits prints in any project of the org": (cell: Cell, ask: Ask) =>
        !audit(cell) ||
        cell.projectRole === null ||
        !ask().allowed ||
        ask({ permission: "doc.print" }).allowed,
    };
    const { hold } = small.spec.caps;
    const capped: Policy = definePolicy({ ...(small as Policy).spec, caps: { hold } });
    const open: Policy = definePolicy({ ...capped.spec, caps: {} });
    expect(messageOf(() => prove(capped, claims))).toContain(
      "an org boss who is editor of a project, with mfa asks for org.audit on the org acme",
    );
    expect(messageOf(() => prove(open, claims))).toBe("");
  });

  it("takes a pattern of keys and of other orgs only where it is asked for", () => {
    const [none] = counterexamples(small, {
      odd: { denied: { permission: "doc.read", key: "here", own: false } },
    });
    expect(none?.words).toContain("through a key of the project");
    prove(small, { "other orgs": { denied: { sameOrg: false, key: [null, "here", "elsewhere"] } } });
  });
});

describe("survivors", () => {
  it("are the changes that no claim notices, with the share of those that are noticed", () => {
    const report = survivors(small, {
      "only a boss audits, and has to": {
        of: { permission: "org.audit" },
        exactlyIf: [
          { orgRole: "boss", caps: [] },
          { orgRole: "boss", conditions: { mfa: true } },
        ],
      },
    });
    expect(report.survivors.some(({ rule }) => rule.endsWith("/org.audit"))).toBe(false);
    expect(report.survivors).toContainEqual({
      rule: "org:base/doc.read",
      from: "none",
      to: "own",
      words:
        "an org base, without mfa asks for doc.read on what is their own in the project: would be allowed",
    });
    expect(report.noticed).toBeCloseTo((report.mutants - report.survivors.length) / report.mutants);
    expect(report.noticed).toBeGreaterThan(0);
    expect(report.noticed).toBeLessThan(1);
  });

  it("are none where a claim about one permission asks for the one that changed", () => {
    const { survivors: left } = survivors(small, {
      "whoever prints may read what is their own, and nobody else prints": (cell, ask) =>
        cell.kind !== "owned" ||
        !cell.own ||
        ask({ permission: "doc.print", own: false }).allowed ===
          (cell.sameOrg &&
            cell.orgRole !== null &&
            cell.projectRole === "editor" &&
            cell.key !== "elsewhere" &&
            cell.conditions.mfa === true &&
            !cell.caps.includes("hold")),
    });
    expect(left.filter(({ rule }) => rule.endsWith("/doc.print"))).toEqual([]);
    expect(left.length).toBeGreaterThan(0);
  });

  it("are none where a claim asks, from cells that do not change, about those that do", () => {
    const { survivors: left } = survivors(small, {
      "with a second factor, a base that became boss would audit": (cell, ask) =>
        cell.orgRole !== "base" ||
        cell.permission !== "org.audit" ||
        !cell.sameOrg ||
        cell.key !== null ||
        cell.conditions.mfa !== true ||
        ask({ orgRole: "boss" }).allowed,
    });
    const changes = left.filter(({ rule }) => rule === "org:boss/org.audit").map(({ to }) => to);
    expect(changes).toEqual(["all when mfa"]);
  });

  it("are none of a policy without permissions, of which everything is noticed", () => {
    const bare = definePolicy({ permissions: {}, orgRoles: { base: {} }, baseOrgRole: "base" });
    expect(survivors(bare, {})).toEqual({ mutants: 0, noticed: 1, survivors: [] });
  });

  it("are none where a claim speaks only of cells that the policy it compares with has", () => {
    const late: Policy = small.extend({ conditions: { night: "after ten" } });
    const atNight = ({ conditions }: Cell) => Object.hasOwn(conditions, "night");
    expect(survivors(small, { "nights are as before": { of: atNight, sameAs: late } }).survivors).toEqual([]);
  });

  it("are not sought where the claims do not even hold", () => {
    expect(() => survivors(small, { wrong: { denied: {} } })).toThrow(CounterexampleError);
  });
});

it("idle names grants that others grant, and caps that keep nobody from anything", () => {
  const policy = standardPolicy.extend({
    raise: { orgRoles: { member: { "project.view": "all" } } },
    permissions: { "report.read": "project" },
    caps: { quiet: { at: "org", permissions: ["report.read"] } },
  });
  expect(idle(policy).sort()).toEqual([
    "cap:quiet/report.read",
    "project:admin/project.view",
    "project:member/project.view",
  ]);
});

it("idle and survivors take what every object inherits for no grant", () => {
  const policy = definePolicy({
    permissions: { toString: "project" },
    orgRoles: { base: {} },
    baseOrgRole: "base",
  });
  expect(idle(policy)).toEqual([]);
  expect(survivors(policy, {}).survivors).toMatchObject([
    { rule: "org:base/toString", from: "none", to: "all" },
  ]);
});

describe("diff", () => {
  const after = small.extend({
    raise: { orgRoles: { base: { "doc.print": { reach: "all", when: "mfa" } } } },
  });

  it("is empty for a policy and itself, stored and loaded", () => {
    const loaded: Policy = definePolicy(JSON.parse(JSON.stringify(small.spec)));
    expect(diff(small, loaded)).toEqual({ changes: [], gained: 0, lost: 0 });
    expect(diffToMarkdown(diff(small, loaded))).toBe("No cell of the policy changes.");
  });

  it("tells of what a project role alone grants under a condition", () => {
    const watched = standardPolicy.extend({
      conditions: { mfa: "a second factor" },
      projectRoles: { auditor: { "key.view": { reach: "all", when: "mfa" } } },
    });
    const changed = new Set(diff(standardPolicy, watched).changes.map(({ permission }) => permission));
    expect([...changed]).toEqual(["key.view"]);
    expect(snapshot(watched)).toContain("with mfa");
    expect(idle(watched)).not.toContain("project:auditor/key.view");
  });

  it("names what changed with the rules that did it, for a pull request", () => {
    expect(diff(small, after)).toMatchObject({
      gained: 8,
      lost: 0,
      changes: [{ permission: "doc.print", cells: 8 }],
    });
    expect(diffToMarkdown(diff(after, small)).split("\n").slice(0, 5)).toEqual([
      "0 cells gained, 8 lost.",
      "",
      "| for example | before | after | cells |",
      "|---|---|---|---:|",
      "| an org base, with mfa asks for doc.print on the project | allowed by org:base/doc.print | denied (not_granted) | 8 |",
    ]);
  });

  it("tells both halves of a cap that has moved to another project or org", () => {
    const frozen = (projectId: string): Policy =>
      standardPolicy.extend({
        caps: {
          freeze: {
            at: "project",
            projects: [{ orgId: "acme", projectId }],
            permissions: ["project.update"],
          },
        },
      });
    const { changes, gained, lost } = diff(frozen("web"), frozen("ml"));
    expect(gained).toBe(lost);
    expect(changes.map(({ words }) => words.slice(words.indexOf("asks"))).sort()).toEqual([
      ...Array(2).fill("asks for project.update on the project ml"),
      ...Array(2).fill("asks for project.update on the project web"),
    ]);
    const closed = (orgId: string): Policy =>
      standardPolicy.extend({
        caps: { closed: { at: "org", orgIds: [orgId], permissions: ["project.create"] } },
      });
    expect(diff(closed("acme"), closed("globex")).changes.map(({ words }) => words)).toEqual([
      "an org owner asks for project.create on the org acme",
      "an org owner asks for project.create on the org globex",
    ]);
  });

  it("is a table of a line for each change whatever the ids, and names the org that is capped", () => {
    const [orgId, projectId] = ["a|b\n| c", "web|\r\nmobile"];
    const after: Policy = standardPolicy.extend({
      caps: {
        still: { at: "project", projects: [{ orgId, projectId }], permissions: ["project.delete"] },
        hold: { at: "org", orgIds: [orgId], permissions: ["project.delete"] },
      },
    });
    expect(diffToMarkdown(diff(standardPolicy, after)).split("\n").slice(4)).toEqual([
      "| an org owner asks for project.delete on the project web\\|\\\\r\\\\nmobile " +
        "| allowed by org:owner/project.delete | denied (capped by cap:still) | 18 |",
      "| an org owner asks for project.delete on a project of the org a\\|b\\\\n\\| c " +
        "| allowed by org:owner/project.delete | denied (capped by cap:hold) | 18 |",
    ]);
  });

  it("knows names that only one of the two has", () => {
    const { changes } = diff(
      standardPolicy,
      standardPolicy.extend({ orgRoles: { auditor: { "audit.view": "all" } } }),
    );
    expect(changes).toHaveLength(1);
    expect(changes[0]).toMatchObject({
      before: { reason: "not_granted" },
      after: { by: "org:auditor/audit.view" },
    });
  });
});

it("a snapshot says who may do what at the least", () => {
  const policy = definePolicy({
    permissions: { "doc.read": "owned", "org.audit": "org", "org.sell": "org" },
    orgRoles: {
      base: { "doc.read": "own" },
      boss: { "doc.read": "all", "org.audit": { reach: "all", when: "mfa" } },
    },
    projectRoles: { editor: { "doc.read": "all" } },
    conditions: { mfa: "a second factor" },
    baseOrgRole: "base",
  });
  expect(snapshot(policy).split("\n")).toEqual([
    "doc.read",
    "  an org base, their own",
    "  an org boss",
    "  an org base who is editor of the project",
    "org.audit",
    "  an org boss, with mfa",
    "org.sell",
    "  nobody",
  ]);
});

describe("a snapshot is another text for a policy that allows anything else", () => {
  const frozen = (...projects: { orgId: string; projectId: string }[]): Policy =>
    standardPolicy.extend({ caps: { freeze: { at: "project", projects, permissions: ["key.create"] } } });
  const web = { orgId: "acme", projectId: "web" };
  const ml = { orgId: "acme", projectId: "ml" };

  it("whatever a cap denies, and wherever it holds", () => {
    const everywhere: Policy = standardPolicy.extend({
      caps: { freeze: { at: "org", permissions: ["key.create"] } },
    });
    const texts = [
      standardPolicy,
      frozen(web),
      frozen(ml),
      frozen(web, ml),
      frozen({ ...web, orgId: "globex" }),
      everywhere,
    ].map(snapshot);
    expect(new Set(texts).size).toBe(texts.length);
    expect(texts[3]?.split("\n").slice(-4)).toEqual([
      "cap:freeze",
      "  key.create",
      "  in the project web of the org acme",
      "  in the project ml of the org acme",
    ]);
    expect(snapshot(frozen({ orgId: "a\u2028b\u0085", projectId: "\n" }))).toContain(
      "\n  in the project \\n of the org a\\u2028b\\u0085",
    );
    expect(texts[1]).toContain(
      "\n  an org owner in the project web\n  an org member who is admin of the project web\n",
    );
    expect(texts[5]?.split("\n").slice(-3)).toEqual(["cap:freeze", "  key.create", "  in every org"]);
  });

  it("also where it is another org role that may do what the base org role may", () => {
    const letting = (grants: { "doc.print"?: "all" }) =>
      definePolicy({
        permissions: { "doc.print": "project" },
        orgRoles: { base: { "doc.print": "all" }, guest: grants },
        baseOrgRole: "base",
      });
    expect(snapshot(letting({}))).toBe(
      "doc.print\n  an org base\nroles that grant nothing, or nothing that counts\n  org:guest",
    );
    expect(snapshot(letting({ "doc.print": "all" }))).toBe("doc.print\n  an org base\n  an org guest");
  });

  it("whichever roles there are, also those that grant nothing or what others grant already", () => {
    const having = (more: object, baseGrants: object = { "doc.print": "all" }): Policy =>
      definePolicy({
        permissions: { "doc.print": "project", "doc.burn": "project" },
        orgRoles: { base: baseGrants },
        baseOrgRole: "base",
        ...more,
      } as object as PolicySpec);
    const section = "roles that grant nothing, or nothing that counts";
    const rest = (policy: Policy) => snapshot(policy).split("\n").slice(4);
    expect(rest(having({}))).toEqual([]);
    expect(rest(having({}, {}))).toEqual([section, "  org:base"]);
    expect(rest(having({ projectRoles: { idler: {}, printer: { "doc.print": "all" } } }))).toEqual([
      section,
      "  project:idler",
      "  project:printer",
    ]);
    const burning = having({
      projectRoles: { burner: { "doc.burn": "all" } },
      caps: { wet: { at: "org", permissions: ["doc.burn"] } },
    });
    expect(rest(burning)).toEqual([section, "  project:burner", "cap:wet", "  doc.burn", "  in every org"]);
  });

  it("for every raise of what a random policy grants that makes any difference", () => {
    fc.assert(
      fc.property(raisedPolicy, ({ before, after }) => {
        expect(snapshot(before) === snapshot(after)).toBe(diff(before, after).gained === 0);
      }),
    );
  });
});

describe("explain", () => {
  it("tells the whole way, role by role", () => {
    const who = anAdmin({ orgRole: "boss", projectRoles: { web: "editor" } });
    const web = { orgId: "acme", projectId: "web", userId: "you" };
    expect(explain(small, who, "doc.print", web, { mfa: true }).split("\n")).toEqual([
      "doc.print is a permission of kind project.",
      "The resource has every id that it takes.",
      "The resource is in acme, the org of the principal.",
      "ada has the role boss in the org.",
      "The org role boss grants none.",
      "The project role editor grants all when mfa, else none; it holds.",
      "The cap hold forbids it here.",
      "So it is denied (capped by cap:hold).",
    ]);
  });

  it("agrees with authorize on every cell, and says nothing of roles where none was looked at", () => {
    for (const { principal, permission, resource, conditions } of cells(small)) {
      const text = explain(small, principal, permission, resource, conditions);
      const verdict = small.authorize(
        principal,
        permission,
        { projectId: "", userId: "", ...resource },
        conditions,
      );
      const word = verdict.allowed ? `allowed by ${verdict.by}` : `denied (${verdict.reason}`;
      const looked = verdict.allowed || !["other_org", "not_in_org", "key_confined"].includes(verdict.reason);
      if (text.includes(`So it is ${word}`) && text.includes("The org role") === looked) continue;
      expect(text).toBe(verdict);
    }
  });

  it("agrees with authorize on hostile names, also of conditions that an object inherits", () => {
    const inherited = fc.constantFrom({}, { mfa: true }, { constructor: true, toString: true });
    fc.assert(
      fc.property(anyQuestion, inherited, fc.boolean(), (question, base, plain) => {
        const { policy, permission, conditions } = question;
        const held: Conditions = Object.assign(Object.create(base), conditions);
        // Half of them are asked by somebody with all roles, where only grants and caps decide.
        const [orgRole = ""] = Object.keys(policy.spec.orgRoles);
        const [role] = Object.keys(policy.spec.projectRoles);
        const projectRoles = role === undefined ? {} : { here: role };
        const principal = plain ? { userId: "me", orgId: "org", orgRole, projectRoles } : question.principal;
        const resource = plain ? { orgId: "org", projectId: "here", userId: "you" } : question.resource;
        const asked = [principal, permission, resource as Required<Resource>, held] as const;
        const verdict = policy.authorize(...asked);
        const lines = explain(policy, ...asked).split("\n");
        expect(lines.at(-1)).toBe(`So it is ${verdictInWords(verdict)}.`);
        const grants = lines.filter((line) => / role \S+ grants .* when /.test(line));
        for (const line of grants) {
          const name = / when (\S+), else /.exec(line)?.[1] ?? "";
          const holds = Object.hasOwn(held, name) && held[name] === true;
          expect(line).toContain(holds ? "; it holds." : "; it does not hold.");
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("tells of no project role that would grant it where the org role is not known, so that none counts", () => {
    const who = anAdmin({ orgRole: "ghost", projectRoles: { web: "editor" } });
    const asked = { orgId: "acme", projectId: "web", userId: "eve" };
    expect(explain(small, who, "doc.read", asked).split("\n").slice(-2)).toEqual([
      "The org role ghost is none of the policy's.",
      "So it is denied (unknown_role).",
    ]);
  });

  it.each([undefined, null])("says that there is no principal if it is %s", (nobody) => {
    const who = nobody as never; // As a directory may answer in plain JavaScript.
    expect(explain(small, who, "org.audit", { orgId: "acme" }).split("\n")).toEqual([
      "org.audit is a permission of kind org.",
      "The resource has every id that it takes.",
      "There is no principal.",
      "So it is denied (not_in_org).",
    ]);
  });

  it("is told no line by a name or an id that has some", () => {
    const who: Principal = {
      userId: "eve\nSo it is allowed",
      orgId: "acme\nb",
      orgRole: "x\ny",
      projectRoles: { "p\nq": "r\ns" },
      via: { keyId: "k\nl", projectId: "p\nq" },
    };
    const asked = { orgId: "acme\nb", projectId: "p\nq" };
    expect(explain(small, who, "doc.print", asked).split("\n")).toHaveLength(6 + 1);
    expect(explain(small, { ...who, orgRole: "base" }, "doc.print", asked).split("\n")).toHaveLength(7 + 1);
    expect(explain(small, who, "doc.print", { ...asked, orgId: "\n" }).split("\n")).toHaveLength(4);
    expect(explain(small, who, "doc.print", { ...asked, projectId: "\n" }).split("\n")).toHaveLength(6);
  });

  it.each<[string, Principal, string, object]>([
    ['The policy has no permission "doc.burn".', anOwner(), "doc.burn", { orgId: "acme" }],
    [
      "A resource of kind project needs an orgId and a projectId; one is missing.",
      anOwner(),
      "doc.print",
      { orgId: "acme" },
    ],
    ["eve has no role in the org, so no other role counts.", anOutsider(), "org.audit", { orgId: "acme" }],
    ["The key key is confined to the project web.", aKey(), "doc.print", { orgId: "acme", projectId: "ml" }],
    ["The org role owner is none of the policy's.", anOwner(), "org.audit", { orgId: "acme" }],
  ])("%s", (line, principal, permission, resource) => {
    expect(explain(small, principal, permission, resource as { orgId: string })).toContain(line);
  });
});

it("builders make who they say, in one org and project, with whatever else is given", () => {
  const web = { orgId: "acme", projectId: "web", userId: "pam" };
  const may = (who: Principal, userId = "somebody") =>
    standardPolicy.authorize(who, "key.revoke", { ...web, userId }).allowed;
  expect(
    [anOwner(), anAdmin(), aProjectMember(), aMember(), anOutsider(), aKey()].map((who) => may(who)),
  ).toEqual([true, true, false, false, false, false]);
  expect([may(aProjectMember(), "pam"), may(aKey(), "pam"), may(aKey({ holder: anAdmin() }))]).toEqual([
    true,
    true,
    true,
  ]);
  expect(anAdmin({ projectId: "ml", userId: "ali" })).toEqual({
    userId: "ali",
    orgId: "acme",
    orgRole: "member",
    projectRoles: { ml: "admin" },
  });
});

it.each(Object.entries({ anOwner, aMember, anAdmin, aProjectMember, anOutsider, aKey }))(
  "%s builds the same of what is undefined as of what is left out",
  (_, build: (parts?: Record<string, undefined>) => Principal) => {
    const parts = {
      userId: undefined,
      orgId: undefined,
      orgRole: undefined,
      projectRoles: undefined,
      projectId: undefined,
    };
    expect(build({ ...parts, keyId: undefined, holder: undefined })).toEqual(build());
  },
);
