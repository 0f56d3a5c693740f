import { createGate } from "tollgate";
import { toErrorResponse, toResponse } from "tollgate/http";
import { expect, it } from "vitest";

it("a token that does not work is answered alike by the data plane and the control plane, whatever is wrong with it", async () => {
  const clock = { at: Date.UTC(2026, 4, 15), now: () => clock.at };
  const gate = createGate({ clock });
  const ada = gate.as({ userId: "ada" });
  const { id: orgId } = await ada.orgs.create({ name: "Acme" });
  const { id: projectId } = await ada.projects.create({ orgId, name: "Search" });
  const made = () => ada.keys.create({ orgId, projectId, expiresAt: clock.at + 1_000 });
  const [revoked, disabled, expired] = [await made(), await made(), await made()];
  await ada.keys.revoke({ keyId: revoked.key.id });
  await ada.keys.disable({ keyId: disabled.key.id });
  clock.at += 1_000;
  const form = { profile: "problem", now: clock.at } as const;
  for (const token of [revoked.token, disabled.token, expired.token, "sk-tg-made-up", ""]) {
    const refused = toResponse(await gate.admit(token, { model: "gpt-4o" }), form);
    const error = await gate
      .as({ token })
      .keys.list({ orgId, projectId })
      .catch((thrown: unknown) => thrown);
    expect(refused.status).toBe(401);
    expect(toErrorResponse(error, form)).toEqual(refused);
  }
});

it("a mistake of the gateway's own code is its own error, and no client's", async () => {
  const gate = createGate();
  const mistakes: readonly (() => unknown)[] = [
    () => gate.authorize({ userId: undefined } as never, "org.view", { orgId: "o1" }),
    () => gate.as({ userId: undefined } as never).orgs.list(),
    () => toResponse(gate.admit("sk-tg-1", { model: "m" }) as never, { profile: "openai" }),
  ];
  for (const mistake of mistakes) {
    const error = await Promise.resolve()
      .then(mistake)
      .catch((thrown: unknown) => thrown);
    expect(toErrorResponse(error, { profile: "openai" }).status).toBe(500);
  }
});
