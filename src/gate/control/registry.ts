import type * as z from "zod";
import type { PageInput } from "../../model/inputs/fields.js";
import type { Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import type { StandardPermission } from "../../policy/standard.js";
import type { Where } from "../../storage/storage.js";
import type { Ref } from "./addressed.js";
import type { Control } from "./control.js";
import type { Draft, Made, Patch } from "./draft.js";
import { newId } from "./new-id.js";
import { type Listed, listViews } from "./paging.js";
import { type View, viewOf } from "./views.js";

/** The nouns of an org that are kept in a list and governed by one permission. */
type Registered = "virtualModel" | "mcpServer" | "externalKey";

/** The kind of a registry, its permission, and the inputs that only identify a record. */
interface Plan<K extends Registered> {
  readonly kind: K;
  readonly permission: StandardPermission;
  readonly schemas: Readonly<Record<"get" | "delete", z.ZodType<RefInput<K>>>>;
}

/** Identifies a record, such as `{ mcpServerId, orgId }`. */
type RefInput<K extends Registered> = Omit<Ref, "id"> & { readonly [F in `${K}Id`]: string };

/** A new record without what the registry adds. */
type Given<K extends Registered> = Omit<Made<K>, "id" | "orgId" | "createdAt">;

/** The five methods of such a noun. */
export function registryOf<K extends Registered>(control: Control, { kind, permission, schemas }: Plan<K>) {
  function refOf(schema: z.ZodType<RefInput<K>>, input: RefInput<K>): Ref {
    const given = parse(schema, input, kind);
    return { id: given[`${kind}Id`], orgId: given.orgId, version: given.version };
  }

  return {
    async create(
      { orgId, id = newId(kind, control.now()) }: { orgId: string; id?: string | undefined },
      given: Given<K>,
      check: (draft: Draft) => Promise<void> = async () => {},
    ): Promise<View<K>> {
      return control.write(
        { action: `${kind}.create`, permission },
        { orgId },
        { kind, id },
        async (draft) => {
          await check(draft);
          const base = { id, orgId, createdAt: draft.now };
          // Sound: `base` has what `Given` leaves out.
          return viewOf(kind, draft.create(kind, { ...base, ...given } as unknown as Made<K>));
        },
      );
    },

    async get(input: RefInput<K>): Promise<View<K>> {
      return viewOf<K>(kind, await control.view(kind, refOf(schemas.get, input)));
    },

    async list(where: Where<K> & { readonly orgId: string }, page: PageInput): Promise<Listed<View<K>>> {
      return control.read(permission, { orgId: where.orgId }, () =>
        listViews(control.storage, kind, where, page),
      );
    },

    async update(
      ref: Ref,
      patch: Patch<K>,
      check: (draft: Draft, after: Records[K]) => Promise<void> = async () => {},
    ): Promise<View<K>> {
      return control.writeTo({ action: `${kind}.update`, permission }, kind, ref, async (record, draft) => {
        const after = draft.replace<K>(kind, record, patch);
        await check(draft, after);
        return viewOf<K>(kind, after);
      });
    },

    async delete(input: RefInput<K>): Promise<void> {
      const ref = refOf(schemas.delete, input);
      return control.writeTo({ action: `${kind}.delete`, permission }, kind, ref, async (record, draft) =>
        draft.remove<K>(kind, record),
      );
    },
  };
}
