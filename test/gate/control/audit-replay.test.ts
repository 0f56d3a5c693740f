import fc from "fast-check";
import { expect, test } from "vitest";
import type { AuditEvent } from "../../../src/gate/control/audit.js";
import { replayAudit } from "../../../src/gate/control/replay-audit.js";
import { viewOf } from "../../../src/gate/control/views.js";
import { recordKinds } from "../../../src/model/record-schemas.js";
import { createWorld, ORG, perform, someOp, type World } from "./world.js";

/** The whole trail, page by page, as an owner reads it. */
async function trailOf({ gates, storage }: World): Promise<AuditEvent[]> {
  const [owner] = await storage.find("orgMember", { orgId: ORG, role: "owner" });
  const { audit } = gates[0].as({ userId: owner?.userId ?? "" });
  const events: AuditEvent[] = [];
  for (let after: string | undefined; ; ) {
    const page = await audit.list({ orgId: ORG, limit: 3, after });
    events.push(...page.items);
    if (page.next === undefined) return events;
    after = page.next;
  }
}

const NOT_AUDITED = ["auditEvent", "trail", "keyUse"];

async function stateOf({ storage }: World) {
  const state = new Map<string, Map<string, object>>();
  for (const kind of recordKinds) {
    if (NOT_AUDITED.includes(kind)) continue;
    const records = await storage.find(kind, { orgId: ORG });
    if (records.length > 0)
      state.set(kind, new Map(records.map((record) => [record.id, viewOf(kind, record)])));
  }
  return state;
}

test("every change is in the audit trail: replaying the trail from empty gives the present state", async () => {
  const run = fc.asyncProperty(
    fc.array(fc.array(someOp, { maxLength: 4 }), { maxLength: 15 }),
    async (batches) => {
      const world = await createWorld();
      for (const batch of batches) await Promise.all(batch.map((op) => perform(world, op)));
      const trail = await trailOf(world);
      const replayed = [...replayAudit(trail)].filter(([, records]) => records.size > 0);
      expect(new Map(replayed)).toEqual(await stateOf(world));

      expect(trail.map(({ sequence }) => sequence)).toEqual(trail.map((_, i) => i + 1));
      const text = JSON.stringify(trail);
      for (const { token } of [...world.tokens, ...world.invitations]) expect(text).not.toContain(token);
      for (const { hash } of await world.storage.find("key", { orgId: ORG }))
        expect(text).not.toContain(hash);
    },
  );
  await fc.assert(run, { numRuns: 60 });
});

test("a denied attempt is in the trail if the gate is told to, and changes nothing else", async () => {
  const run = fc.asyncProperty(fc.array(someOp, { maxLength: 30 }), async (ops) => {
    const world = await createWorld({ auditDenied: true });
    let denied = 0;
    for (const op of ops) {
      const before = await stateOf(world);
      const outcome = await perform(world, op);
      if (outcome.done) continue;
      expect(await stateOf(world)).toEqual(before);
      const events = (await trailOf(world)).filter(({ outcome }) => outcome === "denied");
      // Whoever cannot be known, by a token of nobody, is not in it.
      if (["limit", "last_owner"].includes(outcome.error.code)) expect(events.length).toBe(denied + 1);
      denied = events.length;
      for (const { changes, reason } of events)
        expect({ changes, reason }).toEqual({ changes: [], reason: expect.any(String) });
    }
  });
  await fc.assert(run, { numRuns: 40 });
});
