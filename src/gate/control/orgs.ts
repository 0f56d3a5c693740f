import { ConflictError, NotFoundError, PermissionError, ValidationError } from "../../model/errors.js";
import type { PageInput } from "../../model/inputs/fields.js";
import {
  type NewOrg,
  type OrgById,
  type OrgDeletion,
  type OrgUpdate,
  orgSchemas,
} from "../../model/inputs/orgs.js";
import { recordKinds } from "../../model/record-schemas.js";
import { membershipId, OWNER, type Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import { requireVersion } from "./addressed.js";
import type { Control } from "./control.js";
import { newId } from "./new-id.js";
import { type Listed, listPage, mapped } from "./paging.js";
import { patchOf } from "./patch.js";
import { type View, viewOf } from "./views.js";

/** An org as callers see it. */
export type Org = View<"org">;

/** The orgs themselves. What is inside an org has a noun of its own. */
export interface Orgs {
  /**
   * Creates an org with the actor as its first owner. Anybody may, but not through a key.
   *
   * @throws ConflictError if an org has or had the id, so that counts and audit trails of two orgs are never mixed
   */
  create(input: NewOrg): Promise<Org>;
  /**
   * Reads an org.
   *
   * @throws PermissionError if the actor may not see it or it does not exist. By the standard policy only owners may
   *   see it.
   */
  get(input: OrgById): Promise<Org>;
  /** Lists the orgs that the actor is in and may see. By the standard policy, those are the orgs they own. */
  list(input?: PageInput): Promise<Listed<Org>>;
  /** Changes the fields that are given. */
  update(input: OrgUpdate): Promise<Org>;
  /**
   * Deletes the org with everything in it except its audit trail. Its keys stop working at once.
   *
   * @throws ValidationError if `confirm` is neither the org's name nor its id
   */
  delete(input: OrgDeletion): Promise<void>;
}

export function orgsOf(control: Control): Orgs {
  return {
    async create(input) {
      const { id, ...given } = parse(orgSchemas.create, input, "org");
      const { userId } = control;
      if (userId === undefined) throw new PermissionError("org.create", "key_confined");
      const orgId = id ?? newId("org", control.now());
      return control.transact(orgId, "org.create", { kind: "org", id: orgId }, async (draft) => {
        if (draft.trail) throw new ConflictError(`org ${JSON.stringify(orgId)} exists already`);
        const base = { orgId, createdAt: draft.now };
        const { name, timeZone = "UTC", limits, contentLogging = true } = given;
        const org = { ...base, id: orgId, name, status: "active", timeZone, limits, contentLogging } as const;
        draft.create("orgMember", { ...base, id: membershipId(orgId, userId), userId, role: OWNER });
        return viewOf("org", draft.create("org", org));
      });
    },

    async get(input) {
      const { orgId } = parse(orgSchemas.get, input, "org");
      return control.read("org.view", { orgId }, async () => viewOf("org", await orgIn(control, orgId)));
    },

    async list(input = {}) {
      const page = parse(orgSchemas.list, input, "org");
      const { userId } = control;
      await control.requireToken("org.view");
      if (userId === undefined) return { items: [] };
      const maySee = async ({ orgId }: Records["orgMember"]) =>
        control.can(await control.acting(orgId, "org.view"), "org.view", { orgId });
      const after = page.after && membershipId(page.after, userId);
      const members = await listPage(control.storage, "orgMember", { userId }, { ...page, after }, maySee);
      const orgs = await Promise.all(members.items.map(({ orgId }) => control.storage.get("org", orgId)));
      const items = orgs.filter((org) => org !== undefined); // One may have been deleted meanwhile.
      const next = members.next && members.items.at(-1)?.orgId;
      return mapped({ items, ...(next !== undefined && { next }) }, (org) => viewOf("org", org));
    },

    async update(input) {
      const { orgId, version, ...given } = parse(orgSchemas.update, input, "org");
      return control.write("org.update", { orgId }, { kind: "org", id: orgId }, async (draft) => {
        const org = await orgIn(control, orgId);
        requireVersion("org", org, version);
        return viewOf("org", draft.replace("org", org, patchOf(given, ["limits"])));
      });
    },

    async delete(input) {
      const { orgId, version, confirm } = parse(orgSchemas.delete, input, "org");
      return control.write("org.delete", { orgId }, { kind: "org", id: orgId }, async (draft) => {
        const org = await orgIn(control, orgId);
        requireVersion("org", org, version);
        if (confirm !== org.name && confirm !== orgId) {
          throw new ValidationError([{ field: "org.confirm", expected: "the org's name or its id" }]);
        }
        for (const kind of DELETED_WITH_ORG) {
          for (const record of await draft.find(kind, {})) draft.remove(kind, record);
        }
      });
    },
  };
}

/** Everything that belongs to an org except its trail: who deleted it stays known. */
const DELETED_WITH_ORG = recordKinds.filter((kind) => kind !== "auditEvent" && kind !== "trail");

async function orgIn(control: Control, orgId: string): Promise<Records["org"]> {
  const org = await control.storage.get("org", orgId);
  if (org === undefined) throw new NotFoundError("org", orgId);
  return org;
}
