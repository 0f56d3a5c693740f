/** What the compiler promises about claims. Checked by `npm run types`; it is never run. */
import { type Policy, standardPolicy } from "../../src/policy/index.js";
import { aKeyChain, aMember, type Claims, laws, type NamesOf, prove, survivors } from "../../src/testing.js";

const policy = standardPolicy.extend({
  conditions: { mfa: "a second factor" },
  orgRoles: { auditor: { "audit.view": { reach: "all", when: "mfa" } } },
  caps: { freeze: { at: "org", permissions: ["key.create"] } },
});

prove(policy, {
  ...laws,
  known: {
    of: { permission: "audit.view" },
    exactlyIf: { orgRole: ["auditor", "owner"], conditions: { mfa: true } },
  },
  asked: (cell, ask) => cell.orgRole !== "auditor" || ask({ orgRole: null, permission: "key.view" }).allowed,
});
// @ts-expect-error a permission that the policy does not have
prove(policy, { claim: { denied: { permission: "audit.paint" } } });
// @ts-expect-error a role that the policy does not have
prove(policy, { claim: { denied: { orgRole: "emperor" } } });
// @ts-expect-error an org role is no project role
prove(policy, { claim: { denied: { projectRole: "auditor" } } });
// @ts-expect-error a condition that the policy does not have
prove(policy, { claim: { denied: { conditions: { moonlight: true } } } });
// @ts-expect-error a cap that the policy does not have
prove(policy, { claim: { denied: { caps: "thaw" } } });
// @ts-expect-error a fact that cells do not have
prove(policy, { claim: { denied: { colour: "red" } } });
// @ts-expect-error a claim says what is so: allowed, denied, or of some cells which
prove(policy, { claim: { of: { permission: "audit.view" } } });
// @ts-expect-error two verbs, of which one would be passed over
prove(policy, { claim: { allowed: { orgRole: "owner" }, denied: { orgRole: null } } });
// @ts-expect-error two verbs of the same cells
prove(policy, { claim: { of: {}, onlyIf: { orgRole: "owner" }, exactlyIf: { orgRole: "owner" } } });
// @ts-expect-error another policy's answers, and others
prove(policy, { claim: { of: {}, sameAs: standardPolicy, exactlyIf: { orgRole: "owner" } } });
// @ts-expect-error cells of which nothing is said
prove(policy, { claim: { of: { orgRole: "auditor" }, denied: { orgRole: null } } });
// @ts-expect-error a name that the cells cannot have is compared by mistake
prove(policy, { claim: (cell) => cell.orgRole === "emperor" });
// @ts-expect-error a promise is no answer
prove(policy, { claim: { of: {}, onlyIf: async () => false } });
prove(policy, { claim: (_, ask) => !ask({ without: "mfa" }).allowed || ask().allowed });
// @ts-expect-error a question without a condition that the policy does not have changes nothing
prove(policy, { claim: (_, ask) => !ask({ without: "moonlight" }).allowed || ask().allowed });
// @ts-expect-error a question about a permission that the policy does not have
survivors(policy, { claim: (_, ask) => ask({ permission: "audit.paint" }).allowed });

// ── a policy from JSON has any names, and so have claims about it
const loaded: Policy = policy;
prove(loaded, { claim: { denied: { permission: "whatever", orgRole: "whoever" } } });
const claims: Claims<NamesOf<typeof policy>> = laws;
prove(policy, claims);

// ── what a test's own helper was given or not is passed on as it is
declare const given: { orgId?: string; limits?: { rpm: number } };
aMember({ orgId: given.orgId });
aKeyChain({ key: given.limits && { limits: given.limits }, org: undefined });
