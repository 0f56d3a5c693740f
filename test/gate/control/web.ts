import type { Gate } from "../../../src/gate/gate.js";

export const ORG = { orgId: "acme" };
export const WEB = { ...ORG, projectId: "web" };
export const START = Date.UTC(2026, 4, 15, 12);

/** Olga's org with one project, and members of the org with what they are in the project; null for nothing. */
export async function createWeb(gate: Gate, roles: Readonly<Record<string, string | null>>): Promise<void> {
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.projects.create({ ...ORG, id: "web", name: "Web" });
  for (const [userId, role] of Object.entries(roles)) {
    await olga.orgMembers.add({ ...ORG, userId, role: "member" });
    if (role !== null) await olga.projectMembers.add({ ...WEB, userId, role });
  }
}
