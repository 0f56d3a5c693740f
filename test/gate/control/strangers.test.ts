import { describe, expect, test } from "vitest";
import { methodOf, methods } from "./every-method.js";

/** What the audit trail calls what was denied: the write, or the permission to read. */
const ACTIONS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ["orgs", "orgMembers", "invitations", "projects", "projectMembers", "keys"].flatMap((noun) =>
      ["get", "list"].map((verb) => [`${noun}.${verb}`, `${noun.slice(0, -1)}.view`]),
    ),
  ),
  ...Object.fromEntries(
    ["virtualModels", "mcpServers", "externalKeys"].flatMap((noun) =>
      ["get", "list"].map((verb) => [`${noun}.${verb}`, `${noun.slice(0, -1)}.manage`]),
    ),
  ),
  "keys.effective": "key.view",
  "credits.list": "billing.view",
  "credits.balance": "billing.view",
  "audit.list": "audit.view",
  "ledger.report": "usage.view",
};

/** Of what: the record that was named, if there is one, else where it was to be. */
function subjectOf(noun: string, verb: string, input: Record<string, string>): object {
  const { orgId = "acme", projectId, userId } = input;
  if (["list", "balance", "report"].includes(verb)) {
    return projectId === undefined
      ? { subjectKind: "org", subjectId: orgId }
      : { subjectKind: "project", subjectId: projectId, projectId };
  }
  if (noun === "orgs") return { subjectKind: "org", subjectId: orgId };
  if (noun.endsWith("Members")) {
    const ids = [orgId, projectId, userId].filter((id) => id !== undefined);
    return { subjectKind: noun.slice(0, -1), subjectId: JSON.stringify(ids) };
  }
  const subjectKind = noun === "credits" ? "creditGrant" : noun.slice(0, -1);
  if (verb === "create" || verb === "grant") return { subjectKind };
  return { subjectKind, subjectId: input[`${subjectKind}Id`] };
}

/** What somebody without any permission may do all the same, and why that shows and changes nothing of others. */
const OPEN: Readonly<Record<string, string>> = {
  "orgs.create": "everybody may have an org of their own",
  "orgs.list": "it has those that they may see",
  "projects.list": "it has those that they may see",
  "keys.list": "it has those that they may see",
};

describe.each(methods)("%s", (name, noun, verb) => {
  test.each([
    ["eve", "who is not in the org", "not_in_org"],
    ["mia", "who is in no project of it", "not_granted"],
  ])("refuses %s, %s, and the trail says so", async (who, _, reason) => {
    const { call, input, denied } = await methodOf(noun, verb, who);
    const answer = await call().catch(({ code }) => ({ code }));
    const refusals = [{ code: "permission" }, { code: "not_found" }];
    if (name === "orgs.create") expect(answer).toMatchObject({ name: "Own" });
    else expect(name in OPEN ? [...refusals, { items: [] }] : refusals).toContainEqual(answer);

    // The token of somebody else's invitation is one that there is not, which is no attempt on an org.
    if (name in OPEN || name === "invitations.accept") return expect(await denied()).toEqual([]);
    const singular = noun === "credits" ? "credit" : noun.slice(0, -1);
    expect(await denied()).toMatchObject([
      {
        actorUserId: who,
        action: ACTIONS[name] ?? `${singular}.${verb}`,
        reason: expect.stringMatching(new RegExp(`^\\S+ is not allowed: ${reason}$`)),
        ...subjectOf(noun, verb, input),
      },
    ]);
  });

  test("does for whoever may what it is asked", async () => {
    const { call } = await methodOf(noun, verb, name === "invitations.accept" ? "ivo" : "olga");
    await call();
  });
});
