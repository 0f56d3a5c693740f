import fc from "fast-check";
import { expect, test } from "vitest";
import { createGate } from "../../../src/gate/gate.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import type { Storage } from "../../../src/storage/storage.js";

const ORG = { orgId: "acme" };

const step = fc.oneof(
  fc.record({ grant: fc.integer({ min: 0, max: 5_000 }) }),
  fc.record({ revoke: fc.nat(10) }),
  fc.record({ rename: fc.string({ minLength: 1, maxLength: 5 }) }),
);

test("law: the credit that a call has is the sum of what was granted and not revoked, whatever else is written", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const storage = memoryStorage();
      // A denied attempt is a write too.
      const gate = createGate({ storage, auditDenied: true });
      const { orgs, credits } = gate.as({ userId: "olga" });
      await orgs.create({ id: "acme", name: "Acme" });
      const ids: string[] = [];
      for (const one of steps) {
        if ("grant" in one) ids.push((await credits.grant({ ...ORG, usd: one.grant })).id);
        else if ("rename" in one) await orgs.update({ ...ORG, name: one.rename }).catch(() => {});
        else {
          const creditGrantId = ids[one.revoke] ?? "none";
          await credits.revoke({ ...ORG, creditGrantId }).catch(() => {}); // revoked already, or none of them
        }
        const granted = (await storage.find("creditGrant", ORG)).filter(({ status }) => status === "granted");
        const sum = granted.reduce((total, { nanoUsd }) => total + nanoUsd, 0);
        if (ids.length === 0) await expect(credits.balance(ORG)).rejects.toThrow("credit of org");
        else expect((await credits.balance(ORG)).grantedUsd).toBe(sum / 1e9);
      }
      await gate.close();
    }),
  );
});

test("a key is found without reading the grants of its org, of which there may be many", async () => {
  const inMemory = memoryStorage();
  const asked: string[] = [];
  const storage: Storage = {
    ...inMemory,
    async find(kind, where, page) {
      asked.push(kind);
      return inMemory.find(kind, where, page);
    },
  };
  const gate = createGate({ storage });
  const { orgs, projects, keys, credits } = gate.as({ userId: "olga" });
  await orgs.create({ id: "acme", name: "Acme" });
  await projects.create({ ...ORG, id: "web", name: "Web" });
  const { key } = await keys.create({ ...ORG, projectId: "web" });
  await credits.grant({ ...ORG, usd: 5 });
  asked.length = 0;
  expect(await gate.admit({ keyId: key.id }, { mcpServer: "github" })).toMatchObject({ admitted: true });
  expect(asked).not.toContain("creditGrant");
  await gate.close();
});
