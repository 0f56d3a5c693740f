import type { Records } from "../../model/records.js";
import type { StandardPermission } from "../../policy/standard.js";
import type { Where } from "../../storage/storage.js";
import type { Control, Ref } from "./control.js";
import type { Draft } from "./draft.js";
import { newId } from "./new-id.js";
import { type Listed, listPage, mapped } from "./paging.js";
import { type View, viewOf } from "./views.js";

/** The nouns of an org that are kept in a list and governed by one permission. */
type Registered = "virtualModel" | "mcpServer" | "externalKey";

/** What a registry calls itself, and what it asks. */
interface Plan<K extends Registered> {
  readonly kind: K;
  readonly permission: StandardPermission;
}

type Made<K extends Registered> = Omit<Records[K], "id" | "orgId" | "version" | "createdAt">;

/** The five verbs of such a noun. */
export function registryOf<K extends Registered>(control: Control, { kind, permission }: Plan<K>) {
  return {
    async create(
      { orgId, id = newId(kind, control.now()) }: { orgId: string; id?: string | undefined },
      made: Made<K>,
      check: (draft: Draft) => Promise<void> = async () => {},
    ): Promise<View<K>> {
      return control.write(
        { action: `${kind}.create`, permission },
        { orgId },
        { kind, id },
        async (draft) => {
          await check(draft);
          const base = { id, orgId, createdAt: draft.now };
          // Sound: `base` is what `Made` leaves out, but for the version.
          return viewOf(
            kind,
            draft.create(kind, { ...base, ...made } as unknown as Omit<Records[K], "version">),
          );
        },
      );
    },

    async get(ref: Ref): Promise<View<K>> {
      return viewOf<K>(kind, await control.view(kind, ref));
    },

    async list(
      where: Where<K> & { readonly orgId: string },
      page: Parameters<typeof listPage>[3],
    ): Promise<Listed<View<K>>> {
      return control.read(permission, { orgId: where.orgId }, async () =>
        mapped(await listPage(control.storage, kind, where, page), (found) => viewOf(kind, found)),
      );
    },

    async update(
      ref: Ref,
      patch: Parameters<typeof Draft.prototype.replace<K>>[2],
      check: (draft: Draft, after: Records[K]) => Promise<void> = async () => {},
    ): Promise<View<K>> {
      return control.writeTo({ action: `${kind}.update`, permission }, kind, ref, async (record, draft) => {
        const after = draft.replace<K>(kind, record, patch);
        await check(draft, after);
        return viewOf<K>(kind, after);
      });
    },

    async delete(ref: Ref): Promise<void> {
      return control.writeTo({ action: `${kind}.delete`, permission }, kind, ref, async (record, draft) =>
        draft.remove<K>(kind, record),
      );
    },
  };
}
