import { type Clock, createGate, fixed, type Gate } from "tollgate";
import type { Client } from "tollgate/testing";
import { KEYS, ORG, PROJECTS } from "./org.js";
import { prices } from "./prices.js";
import type { Alert } from "./report.js";

/** The demo's org behind a gate, ready for calls. */
export interface OpenOrg {
  readonly gate: Gate;
  readonly clients: readonly Client[];
  /** The holder of each key, by the key's name. */
  readonly holders: ReadonlyMap<string, string>;
  /** Filled while calls pass. */
  readonly alerts: readonly Alert[];
}

/** Output tokens reserved for a call without a maximum: the hour's median, so about half of the settles go above it. */
const ESTIMATE = 128;

/** Sets the org up as its people would: the owner creates projects and adds people, who create their own keys. */
export async function openOrg(clock: Clock): Promise<OpenOrg> {
  const gate = createGate({ clock, prices, estimate: fixed(ESTIMATE) });
  const alerts: Alert[] = [];
  gate.on("budgetThreshold", ({ at, threshold, limit: { scope, scopeId, window } }) => {
    alerts.push({ at, whose: `${scope} ${scopeId}`, threshold, window });
  });

  const owner = gate.as({ userId: ORG.owner });
  const orgId = ORG.id;
  await owner.orgs.create({ id: orgId, name: "Acme", limits: ORG.limits });
  for (const { id, limits, members } of PROJECTS) {
    await owner.projects.create({ orgId, id, name: id, limits });
    for (const { userId, role, limits } of members) {
      await owner.orgMembers.add({ orgId, userId, role: "member" });
      await owner.projectMembers.add({ orgId, projectId: id, userId, role, limits });
    }
  }

  const clients: Client[] = [];
  const opensAt = clock.now();
  for (const { name, projectId, holder, models, expiresAfterMs, limits, ...traffic } of KEYS) {
    const expiresAt = expiresAfterMs === undefined ? undefined : opensAt + expiresAfterMs;
    const asHolder = gate.as({ userId: holder });
    const { token } = await asHolder.keys.create({ orgId, projectId, id: name, models, expiresAt, limits });
    clients.push({ ...traffic, name, orgId, projectId, keyId: name, token });
  }
  return { gate, clients, holders: new Map(KEYS.map(({ name, holder }) => [name, holder])), alerts };
}
