/** Tests the policy beside this file. Any runner will do; with Node's: `npx tsx --test policy.test.ts`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { standardPolicy } from "tollgate";
import { anAdmin, type Claims, idle, laws, type NamesOf, prove, survivors } from "tollgate/testing";
import { everyday, policy } from "./policy.js";

const mfa = { mfa: true };
const frozen = ["key.create", "key.rotate"] as const;
const isFrozen = (permission: string) => frozen.some((one) => one === permission);

const claims: Claims<NamesOf<typeof policy>> = {
  ...laws,
  "without our roles, our permission and the freeze, it is the standard policy": {
    of: ({ orgRole, permission, caps }) =>
      orgRole !== "auditor" && orgRole !== "billing" && permission !== "budget.raise" && caps.length === 0,
    sameAs: standardPolicy,
  },
  "an auditor in no project looks at everything and changes nothing": {
    of: { orgRole: "auditor", projectRole: null },
    exactlyIf: { permission: ["audit.view", "project.view", "key.view", "usage.view"] },
  },
  "billing sees the money, and moves it with a second factor": {
    of: { orgRole: "billing", projectRole: null },
    exactlyIf: [{ permission: "billing.view" }, { permission: "billing.manage", conditions: mfa }],
  },
  "a budget is raised by an owner or an admin of the project, with a second factor": {
    of: { permission: "budget.raise" },
    exactlyIf: [
      { orgRole: "owner", conditions: mfa },
      { orgRole: ["member", "auditor", "billing"], projectRole: "admin", conditions: mfa },
    ],
  },
  "in a frozen project nobody gets a new token": { denied: { caps: "freeze", permission: frozen } },
  "the freeze stops nothing else": {
    of: ({ caps, permission }) => caps.includes("freeze") && !isFrozen(permission),
    sameAs: everyday,
  },
};

test("the policy is what we say it is, on every cell", () => {
  prove(policy, claims);
});

test("no rule can change without a claim that notices", () => {
  assert.deepEqual(survivors(policy, claims).survivors, []);
});

test("every rule does something", () => {
  assert.deepEqual(idle(policy), []);
});

test("it is the checkout of acme that is frozen", () => {
  const checkout = { orgId: "acme", projectId: "checkout" };
  const verdict = policy.authorize(anAdmin(checkout), "key.create", { ...checkout, userId: "ada" });
  assert.deepEqual(verdict, { allowed: false, reason: "capped", by: "cap:freeze" });
});
