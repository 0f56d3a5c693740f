import { createGate, type Gate, LimitError } from "tollgate";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SharedRecords, sharedRecords } from "./shared-stores.js";

const web = { orgId: "acme", projectId: "web" };
const END = Date.UTC(2030, 0, 1);

describe.each(await sharedRecords())(
  "the ceiling holds at every door, not at create alone (litellm#29073), in %s",
  (_, make) => {
    let records: SharedRecords;
    let gate: Gate;
    let keyId: string;
    const as = (userId: string) => gate.as({ userId });

    beforeEach(async () => {
      records = await make();
      gate = createGate({ storage: records.connect() });
      const olga = as("olga");
      await olga.orgs.create({ id: "acme", name: "Acme", limits: { tpm: 1000 } });
      await olga.projects.create({
        orgId: "acme",
        id: "web",
        name: "Web",
        models: ["a", "b"],
        limits: { rpm: 60 },
      });
      for (const userId of ["max", "ada"])
        await olga.orgMembers.add({ orgId: "acme", userId, role: "member" });
      await olga.projectMembers.add({ ...web, userId: "max", role: "member", expiresAt: END });
      await olga.projectMembers.add({ ...web, userId: "ada", role: "admin" });
      keyId = (await as("max").keys.create({ ...web, limits: { rpm: 50 }, models: ["a", "b"] })).key.id;
    });
    afterEach(async () => {
      await gate.close();
      await records.remove();
    });

    const refused = async (write: Promise<unknown>, field: string) => {
      const error = await write.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(LimitError);
      expect(error).toMatchObject({ field });
    };

    it("keys.create", async () => {
      await refused(as("max").keys.create({ ...web, limits: { rpm: 61 } }), "limits.rpm");
      await refused(as("max").keys.create({ ...web, limits: { tpm: 1001 } }), "limits.tpm");
      await refused(as("max").keys.create({ ...web, expiresAt: END + 1 }), "expiresAt");
    });

    it("keys.update", async () => {
      await refused(as("max").keys.update({ keyId, limits: { rpm: 61 } }), "limits.rpm");
      await refused(as("max").keys.update({ keyId, limits: { tpm: 1001 } }), "limits.tpm");
      await refused(as("max").keys.update({ keyId, models: ["a", "c"] }), "models");
      await refused(as("max").keys.update({ keyId, expiresAt: END + 1 }), "expiresAt");
      await as("olga").projects.update({ projectId: "web", contentLogging: false });
      await refused(as("max").keys.update({ keyId, contentLogging: true }), "contentLogging");
    });

    it("keys.rotate and keys.enable, after the project was tightened", async () => {
      await as("max").keys.disable({ keyId });
      await as("olga").projects.update({ projectId: "web", limits: { rpm: 40 } });
      await refused(as("max").keys.rotate({ keyId }), "limits.rpm");
      await refused(as("max").keys.enable({ keyId }), "limits.rpm");
      await as("max").keys.update({ keyId, limits: { rpm: 40 } });
      await as("olga").projects.update({ projectId: "web", models: ["a"] });
      await refused(as("max").keys.enable({ keyId }), "models");
    });

    it("and meanwhile the key is held to the tightened project", async () => {
      await as("olga").projects.update({ projectId: "web", limits: { rpm: 1 }, models: ["a"] });
      const call = (model: string) => gate.admit({ keyId }, { model, inputTokens: 1, maxOutputTokens: 1 });
      expect(await call("b")).toMatchObject({ admitted: false, reason: "model_not_allowed" });
      expect(await call("a")).toMatchObject({ admitted: true });
      expect(await call("a")).toMatchObject({ admitted: false, reason: "rate_limited", scope: "project" });
    });

    it("projectMembers.add, setLimits and setExpiry", async () => {
      const ada = as("ada").projectMembers;
      await as("olga").orgMembers.add({ orgId: "acme", userId: "mia", role: "member" });
      await refused(ada.add({ ...web, userId: "mia", role: "member", limits: { rpm: 61 } }), "limits.rpm");
      await refused(ada.setLimits({ ...web, userId: "max", limits: { rpm: 61 } }), "limits.rpm");
      await as("olga").projectMembers.setExpiry({ ...web, userId: "ada", expiresAt: END });
      await as("olga").projectMembers.setLimits({ ...web, userId: "ada", limits: { rpm: 20 } });
      await refused(ada.add({ ...web, userId: "mia", role: "member", limits: { rpm: 20 } }), "expiresAt");
      await refused(ada.add({ ...web, userId: "mia", role: "member", expiresAt: END }), "limits.rpm");
      await refused(ada.setExpiry({ ...web, userId: "max", expiresAt: END + 1 }), "expiresAt");
      await refused(ada.setExpiry({ ...web, userId: "ada", expiresAt: null }), "expiresAt");
      await refused(ada.setLimits({ ...web, userId: "ada", limits: null }), "limits.rpm");
      await ada.add({ ...web, userId: "mia", role: "member", limits: { rpm: 20 }, expiresAt: END });
    });

    it("projects.create and projects.update", async () => {
      const { projects } = as("olga");
      await refused(projects.create({ orgId: "acme", name: "x", limits: { tpm: 1001 } }), "limits.tpm");
      await refused(as("ada").projects.update({ projectId: "web", limits: { tpm: 1001 } }), "limits.tpm");
      await as("olga").orgs.update({ orgId: "acme", contentLogging: false });
      await refused(as("ada").projects.update({ projectId: "web", contentLogging: true }), "contentLogging");
    });

    it("invitations.create and invitations.accept", async () => {
      const invite = (rpm: number) =>
        as("olga").invitations.create({
          orgId: "acme",
          role: "member",
          projects: [{ projectId: "web", role: "member", limits: { rpm } }],
        });
      await refused(invite(61), "limits.rpm");
      const { token } = await invite(60);
      await as("olga").projects.update({ projectId: "web", limits: { rpm: 59 } });
      const { projectMembers, notGranted } = await as("eva").invitations.accept({ token });
      expect(projectMembers).toEqual([]);
      expect(notGranted).toMatchObject([{ projectId: "web" }]);
    });
  },
);
