import { beforeEach, describe, expect, test } from "vitest";
import {
  ConflictError,
  LimitError,
  NotFoundError,
  PermissionError,
  ValidationError,
} from "../../../src/model/errors.js";
import { createWorld, ORG, type World } from "./world.js";

const DAY_MS = 86_400_000;

describe("invitations", () => {
  let world: World;
  const as = (userId: string) => world.gates[0].as({ userId });
  beforeEach(async () => {
    world = await createWorld();
  });

  const invite = (more: object = {}) =>
    as("ann").invitations.create({
      orgId: ORG,
      role: "member",
      projects: [{ projectId: "p0", role: "member" }],
      ...more,
    });

  test("make somebody a member of the org and of its projects, until their end", async () => {
    const membershipExpiresAt = world.clock.time + 90 * DAY_MS;
    const { token } = await invite({ membershipExpiresAt });
    const accepted = await as("eva").invitations.accept({ token });
    expect(accepted.orgMember).toMatchObject({ userId: "eva", role: "member" });
    expect(accepted.projectMembers).toMatchObject([
      { projectId: "p0", role: "member", expiresAt: membershipExpiresAt },
    ]);
    const { token: key } = await as("eva").keys.create({ orgId: ORG, projectId: "p0" });
    expect(await world.gates[0].authenticate(key)).toMatchObject({ authenticated: true });
    world.clock.time = membershipExpiresAt;
    expect(await world.gates[0].authenticate(key)).toMatchObject({
      authenticated: false,
      reason: "holder_removed",
    });
  });

  test("can be accepted once, and every token that cannot be gets the same answer", async () => {
    const { token } = await invite();
    const revoked = await invite();
    await as("ann").invitations.revoke({ invitationId: revoked.invitation.id });
    const forFay = await invite({ userId: "fay" });
    const late = await invite({ expiresAt: world.clock.time + 5 });
    world.clock.time += 5;
    await as("eva").invitations.accept({ token });
    const answers = [token, revoked.token, forFay.token, late.token, "nonsense", `${token}x`].map((wrong) =>
      as("gus")
        .invitations.accept({ token: wrong })
        .catch((error: unknown) => error),
    );
    for (const answer of await Promise.all(answers)) {
      expect(answer).toEqual(new NotFoundError("invitation"));
    }
  });

  test("of many who accept one at the same moment one becomes a member", async () => {
    const { token } = await invite();
    const tries = ["eva", "gus", "hal"].map((userId, i) =>
      world.gates[i % 2 ? 1 : 0].as({ userId }).invitations.accept({ token }),
    );
    const done = (await Promise.allSettled(tries)).filter(({ status }) => status === "fulfilled");
    expect(done).toHaveLength(1);
  });

  test("what the inviter may not grant at the moment of acceptance is not granted", async () => {
    await as("ann").projects.update({ projectId: "p0", limits: { rpm: 100 } });
    const projects = [
      { projectId: "p0", role: "member", limits: { rpm: 50 } },
      { projectId: "p1", role: "admin" },
    ];
    const { token } = await invite({ projects });
    await as("ann").projects.update({ projectId: "p0", limits: { rpm: 10 } });
    const accepted = await as("eva").invitations.accept({ token });
    expect(accepted.projectMembers).toMatchObject([{ projectId: "p1", role: "admin" }]);
    expect(accepted.notGranted).toMatchObject([
      { projectId: "p0", why: expect.stringContaining("limits.rpm") },
    ]);
  });

  test("a deleted project is not granted, and the rest is", async () => {
    const { token } = await invite({
      projects: [
        { projectId: "p0", role: "member" },
        { projectId: "p1", role: "member" },
      ],
    });
    await as("ann").projects.delete({ projectId: "p1" });
    const { projectMembers, notGranted } = await as("eva").invitations.accept({ token });
    expect(projectMembers.map(({ projectId }) => projectId)).toEqual(["p0"]);
    expect(notGranted.map(({ projectId }) => projectId)).toEqual(["p1"]);
  });

  test.each(["demoted", "removed"])("an inviter who was %s meanwhile invites nobody", async (how) => {
    await as("ann").orgMembers.setRole({ orgId: ORG, userId: "ben", role: "owner" });
    const { token } = await as("ben").invitations.create({ orgId: ORG, role: "owner" });
    if (how === "removed") await as("ann").orgMembers.remove({ orgId: ORG, userId: "ben" });
    else await as("ann").orgMembers.setRole({ orgId: ORG, userId: "ben", role: "member" });
    await expect(as("eva").invitations.accept({ token })).rejects.toThrow(PermissionError);
    expect(await world.storage.find("orgMember", { orgId: ORG, userId: "eva" })).toEqual([]);
  });

  test("a membership whose time is over before it begins is not granted", async () => {
    const { token } = await invite({ membershipExpiresAt: world.clock.time + 5 });
    world.clock.time += 5;
    const { projectMembers, notGranted } = await as("eva").invitations.accept({ token });
    expect(projectMembers).toEqual([]);
    expect(notGranted).toMatchObject([{ projectId: "p0" }]);
  });

  test("for somebody who is removed from the org are taken back with them, in the same write", async () => {
    const [owner, member] = [await invite({ userId: "eva", role: "owner", projects: [] }), await invite()];
    const other = await invite({ userId: "gus" });
    const again = await invite({ userId: "eva" });
    await as("eva").invitations.accept({ token: again.token });
    await as("ann").orgMembers.remove({ orgId: ORG, userId: "eva" });
    await expect(as("eva").invitations.accept({ token: owner.token })).rejects.toThrow(NotFoundError);
    const { invitations } = as("ann");
    const statusOf = async ({ invitation }: Awaited<ReturnType<typeof invite>>) =>
      (await invitations.get({ invitationId: invitation.id })).status;
    expect(await Promise.all([owner, member, other, again].map(statusOf))).toEqual([
      "revoked",
      "pending",
      "pending",
      "accepted",
    ]);
    const { items } = await as("ann").audit.list({ orgId: ORG, action: "orgMember.remove" });
    expect(items.flatMap(({ changes }) => changes)).toContainEqual(
      expect.objectContaining({ kind: "invitation", id: owner.invitation.id }),
    );
    const fresh = await invite({ userId: "eva" });
    await as("eva").invitations.accept({ token: fresh.token });
  });

  test("nobody below an owner invites, and nobody who is in the org is invited", async () => {
    await expect(as("ben").invitations.create({ orgId: ORG, role: "member" })).rejects.toThrow(
      PermissionError,
    );
    await expect(as("fay").invitations.create({ orgId: ORG, role: "member" })).rejects.toThrow(
      PermissionError,
    );
    await expect(invite({ userId: "dan" })).rejects.toThrow(ConflictError);
    const { token } = await invite();
    await expect(as("dan").invitations.accept({ token })).rejects.toThrow(ConflictError);
  });

  test("are not accepted in part where the storage fails midway", async () => {
    const { token } = await invite();
    const { get } = world.storage;
    world.storage.get = async (kind, id) => {
      if (kind === "project") throw new Error("connection terminated unexpectedly");
      return get(kind, id);
    };
    await expect(as("eva").invitations.accept({ token })).rejects.toThrow("connection terminated");
    world.storage.get = get;
    const { projectMembers } = await as("eva").invitations.accept({ token });
    expect(projectMembers).toMatchObject([{ projectId: "p0" }]);
  });

  test("say with a field what is wrong", async () => {
    const wrong = async (more: object, field: string) =>
      expect(await invite(more).catch((error: unknown) => error)).toMatchObject({ problems: [{ field }] });
    await wrong({ role: "emperor" }, "invitation.role");
    await wrong({ projects: [{ projectId: "p0", role: "emperor" }] }, "invitation.projects[0].role");
    await wrong(
      { role: "owner", membershipExpiresAt: world.clock.time + 5 },
      "invitation.membershipExpiresAt",
    );
    await wrong(
      { projects: [], membershipExpiresAt: world.clock.time + 5 },
      "invitation.membershipExpiresAt",
    );
    await wrong({ expiresAt: world.clock.time }, "invitation.expiresAt");
    const projects = [{ projectId: "p0", role: "member" }];
    await wrong({ projects, membershipExpiresAt: world.clock.time }, "invitation.membershipExpiresAt");
    const twice = [
      { projectId: "p0", role: "member" },
      { projectId: "p0", role: "admin" },
    ];
    await expect(invite({ projects: twice })).rejects.toThrow(ValidationError);
    await as("ann").projects.update({ projectId: "p0", limits: { rpm: 10 } });
    const above = invite({ projects: [{ projectId: "p0", role: "member", limits: { rpm: 11 } }] });
    await expect(above).rejects.toThrow(LimitError);
  });

  test("are listed by what has become of them, and their tokens are nowhere", async () => {
    const [open, revoked, accepted] = [await invite(), await invite(), await invite()];
    const late = await invite({ expiresAt: world.clock.time + 5 });
    world.clock.time += 5;
    await as("ann").invitations.revoke({ invitationId: revoked.invitation.id });
    await as("eva").invitations.accept({ token: accepted.token });
    await expect(as("ann").invitations.revoke({ invitationId: accepted.invitation.id })).rejects.toThrow(
      ConflictError,
    );
    const listed = async (status?: "pending" | "expired" | "revoked" | "accepted") =>
      (await as("ann").invitations.list({ orgId: ORG, status })).items;
    expect((await listed("pending")).map(({ id }) => id)).toEqual([open.invitation.id]);
    expect((await listed("expired")).map(({ id }) => id)).toEqual([late.invitation.id]);
    expect((await listed("revoked")).map(({ id }) => id)).toEqual([revoked.invitation.id]);
    expect(await listed("accepted")).toMatchObject([{ id: accepted.invitation.id, acceptedBy: "eva" }]);
    const stored = await world.storage.find("invitation", { orgId: ORG });
    const text = JSON.stringify([await listed(), stored]);
    for (const { token } of [open, revoked, accepted, late]) expect(text).not.toContain(token);
    for (const { hash } of stored) expect(JSON.stringify(await listed())).not.toContain(hash);
  });
});
